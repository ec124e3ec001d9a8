import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SweepReport } from "./faultChild.ts";
import { contentOf, type Writer } from "./writers.ts";

const child = join(import.meta.dir, "faultChild.ts");

function runChild(...args: string[]): {
  code: number | null;
  killed: boolean;
  output: string;
  errors: string;
} {
  const { exitCode, signalCode, stdout, stderr } = Bun.spawnSync([process.execPath, child, ...args], {
    stdin: "ignore",
  });
  return {
    code: exitCode,
    killed: signalCode === "SIGKILL",
    output: stdout.toString(),
    errors: stderr.toString(),
  };
}

/** Lets every call of a writer fail in turn: `fail` once, `full` from then on. */
export function failWriter(writer: Writer, mode: "fail" | "full"): SweepReport {
  const folder = mkdtempSync(join(tmpdir(), "aam-fault-"));
  try {
    const { output, errors, code } = runChild("sweep", writer.name, folder, mode);
    if (code !== 0) return { tried: 0, failures: [`the trial ended with ${code}: ${errors}`] };
    return JSON.parse(output) as SweepReport;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Kills a process at every `every`-th call of a writer (`power`: with all that was not synced lost),
 * where nothing and where an older version stood before. Each target must then be the old one, the
 * new one or missing, whatever is there must be readable, and the same writer must succeed afterwards
 * and leave nothing behind.
 */
export async function killWriter(writer: Writer, mode: "kill" | "power", every = 1): Promise<SweepReport> {
  const folder = mkdtempSync(join(tmpdir(), "aam-fault-"));
  const report: SweepReport = { tried: 0, failures: [] };
  const [before, after, work] = ["before", "after", "work"].map((part) => join(folder, part));
  try {
    for (const [path, version] of [
      [before, 1],
      [after, 2],
    ] as const) {
      mkdirSync(path);
      await writer.write(path, version);
    }
    for (const isFresh of [true, false]) {
      for (let at = 1; ; at += every) {
        rmSync(work, { recursive: true, force: true });
        if (isFresh) mkdirSync(work);
        else cpSync(before, work, { recursive: true });
        const { killed, code, errors } = runChild("write", writer.name, work, "2", mode, String(at));
        const place = `${mode} at call ${at}, ${isFresh ? "new" : "replacing"}`;
        if (!killed) {
          if (code !== 0) report.failures.push(`${place}: ended with ${code}: ${errors}`);
          break;
        }
        report.tried++;
        try {
          await judge(writer, { before: isFresh ? undefined : before, after, work });
        } catch (cause) {
          report.failures.push(`${place}: ${cause instanceof Error ? cause.message : cause}`);
        }
      }
    }
    return report;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function judge(
  writer: Writer,
  { before, after, work }: { before?: string; after: string; work: string },
): Promise<void> {
  for (const target of writer.targets) {
    const found = contentOf(join(work, target));
    const allowed = [undefined, contentOf(join(after, target))];
    if (before !== undefined) allowed.push(contentOf(join(before, target)));
    // A folder is replaced by two renames; a file never goes missing.
    const mayBeMissing = before === undefined || !target.includes(".");
    if (!allowed.includes(found) || (found === undefined && !mayBeMissing)) {
      throw new Error(`${target} is ${found === undefined ? "missing" : "neither the old nor the new one"}`);
    }
  }
  if (writer.targets.length === 0 || writer.targets.some((target) => existsSync(join(work, target)))) {
    await writer.read(work);
  }
  await writer.write(work, 2);
  for (const target of writer.targets) {
    if (contentOf(join(work, target)) !== contentOf(join(after, target)))
      throw new Error(`${target} cannot be written any more`);
  }
  const left = (readdirSync(work, { recursive: true }) as string[]).filter((name) => name.endsWith(".tmp"));
  if (left.length > 0) throw new Error(`the next writer left ${left}`);
}

if (import.meta.main) {
  const { writers } = await import("./writers.ts");
  const wanted = process.argv[2];
  for (const writer of writers) {
    if (wanted && !writer.name.includes(wanted)) continue;
    for (const mode of ["fail", "full", "kill", "power"] as const) {
      const started = performance.now();
      const report =
        mode === "fail" || mode === "full" ? failWriter(writer, mode) : await killWriter(writer, mode);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(
        `${writer.name}, ${mode}: cut ${report.tried} times, ${report.failures.length} failures, ${seconds} s`,
      );
      for (const failure of report.failures.slice(0, 5)) console.log(`  ${failure}`);
    }
  }
}
