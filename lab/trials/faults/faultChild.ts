/**
 * One process of the fault trials. `write WRITER FOLDER VERSION [MODE AT]` writes once and is cut off;
 * `sweep WRITER FOLDER MODE` fails at every call in turn, in this one process, and prints a `SweepReport`.
 */
import { arm, disarm, type FaultMode } from "./faultLayer.ts";

const { cpSync, existsSync, mkdirSync, readdirSync, rmSync } = await import("node:fs");
const { join } = await import("node:path");
const { contentOf, writerOf } = await import("./writers.ts");
type Version = import("./writers.ts").Version;

export interface SweepReport {
  tried: number;
  failures: string[];
}

const [command, name, folder, ...rest] = process.argv.slice(2);
const writer = writerOf(name);

/** Names of `folder` and its parts that only a writer at work has. */
function temporaryFiles(path: string): string[] {
  return (readdirSync(path, { recursive: true }) as string[]).filter((entry) => entry.endsWith(".tmp"));
}

async function sweep(mode: "fail" | "full"): Promise<SweepReport> {
  const report: SweepReport = { tried: 0, failures: [] };
  const [before, after, work] = ["before", "after", "work"].map((part) => join(folder, part));
  for (const [path, version] of [
    [before, 1],
    [after, 2],
  ] as const) {
    mkdirSync(path);
    await writer.write(path, version);
  }
  for (const isFresh of [true, false]) {
    for (let at = 1; ; at++) {
      rmSync(work, { recursive: true, force: true });
      if (isFresh) mkdirSync(work);
      else cpSync(before, work, { recursive: true });
      arm(mode, at);
      let thrown: unknown;
      try {
        await writer.write(work, 2);
      } catch (cause) {
        thrown = cause;
      }
      const { calls, log } = disarm();
      if (calls < at) break;
      report.tried++;
      const problem = await judge(isFresh, thrown, log[at - 1]);
      if (problem)
        report.failures.push(
          `${mode} at call ${at} (${log[at - 1]}), ${isFresh ? "new" : "replacing"}: ${problem}`,
        );
    }
  }
  return report;

  async function judge(isFresh: boolean, thrown: unknown, call: string): Promise<string | undefined> {
    // What failed is only tidying up.
    const isTidying = /^(rmSync|unlinkSync) /.test(call);
    if (thrown === undefined && !isTidying && !writer.isSilent) return "nobody was told";
    if (thrown !== undefined) {
      const { name: kind, message, stack } = thrown as Error;
      if (kind !== "UserError") return `not a UserError: ${stack}`;
      if (!/^Cannot write \S+: (the disk is full|the folder or file is not writable)/.test(message))
        return `unclear: ${message}`;
    }
    if (!isTidying && temporaryFiles(work).length > 0) return `left behind: ${temporaryFiles(work)}`;
    return whatStands(isFresh ? undefined : before, after, work);
  }
}

/** Undefined if each target is the old one, the new one, or (where it was not there before) missing. */
async function whatStands(
  before: string | undefined,
  after: string,
  work: string,
): Promise<string | undefined> {
  for (const target of writer.targets) {
    const found = contentOf(join(work, target));
    const old = before === undefined ? undefined : contentOf(join(before, target));
    if (found !== old && found !== contentOf(join(after, target))) {
      return `${target} is ${found === undefined ? "missing" : "neither the old nor the new one"}`;
    }
  }
  if (writer.targets.length === 0 || writer.targets.some((target) => existsSync(join(work, target)))) {
    await writer.read(work);
  }
  return undefined;
}

if (command === "write") {
  const [version, mode, at] = rest;
  // What is imported and built on the way is not part of the trial.
  if (mode !== undefined) arm(mode as FaultMode, Number(at));
  await writer.write(folder, Number(version) as Version);
  console.log(JSON.stringify(disarm()));
} else {
  console.log(JSON.stringify(await sweep(rest[0] as "fail" | "full")));
}
process.exit(0);
