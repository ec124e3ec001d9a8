/**
 * The long form of the readers' fuzzing: `bun lab/trials/fuzz/fuzz.ts [mutations] [seed] [part of a reader's
 * name]`, 20,000 mutations per reader by default. Each reader runs in a process of its own, so that a crash
 * or a hang of Bun is found too, with the mutation that caused it. Exits with 1 if a reader failed.
 */
import type { FuzzReport } from "./fuzzReader.ts";

const worker = `${import.meta.dir}/fuzzWorker.ts`;
/** An input that has not come back after this time hangs. */
const hangMs = 20_000;
/** A busy machine may take long to start a process. */
const startMs = 180_000;

export interface FuzzOutcome extends FuzzReport {
  reader: string;
  tried: number;
  seconds: number;
  peakBytes: number;
}

/** The names of all readers. */
export function readerNames(): string[] {
  const { stdout } = Bun.spawnSync([process.execPath, worker, "list"], { stderr: "inherit" });
  return JSON.parse(stdout.toString()) as string[];
}

/** Fuzzes one reader in processes of its own. */
export async function fuzzInProcess(reader: string, count: number, seed: number): Promise<FuzzOutcome> {
  const total: FuzzOutcome = {
    reader,
    tried: 0,
    read: 0,
    refused: 0,
    slowest: 0,
    largest: 0,
    failures: [],
    seconds: 0,
    peakBytes: 0,
  };
  const started = performance.now();
  for (let from = 0; from < count && total.failures.length < 10; ) {
    const child = Bun.spawn(
      [process.execPath, worker, "run", reader, String(from), String(count - from), String(seed)],
      {
        stdin: "ignore",
        stdout: "ignore",
        stderr: "inherit",
        env: process.env,
        ipc: receive,
      },
    );
    let at = from;
    let heard = performance.now();
    let limitMs = startMs;
    let report: (FuzzReport & { peakBytes: number }) | undefined;
    function receive(message: { at?: number; report?: FuzzReport & { peakBytes: number } }): void {
      heard = performance.now();
      limitMs = hangMs;
      if (message.at !== undefined) at = message.at;
      if (message.report) report = message.report;
    }
    let hangs = false;
    const watch = setInterval(() => {
      if (performance.now() - heard < limitMs) return;
      hangs = true;
      child.kill("SIGKILL");
    }, 1000);
    await child.exited;
    clearInterval(watch);
    if (report) {
      total.read += report.read;
      total.refused += report.refused;
      total.slowest = Math.max(total.slowest, report.slowest);
      total.largest = Math.max(total.largest, report.largest);
      total.peakBytes = Math.max(total.peakBytes, report.peakBytes);
      total.failures.push(...report.failures);
      break;
    }
    const end = hangs ? "hangs" : `ended Bun with ${child.signalCode ?? child.exitCode}`;
    total.failures.push(`mutation ${at} of seed ${seed}: ${end}`);
    from = at + 1;
  }
  total.tried = total.read + total.refused + total.failures.length;
  total.seconds = (performance.now() - started) / 1000;
  return total;
}

if (import.meta.main) {
  const [count = "20000", seed = "1", part = ""] = process.argv.slice(2);
  let failed = false;
  for (const name of readerNames().filter((name) => name.includes(part))) {
    const { read, refused, slowest, largest, peakBytes, failures, seconds } = await fuzzInProcess(
      name,
      Number(count),
      Number(seed),
    );
    const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20);
    console.log(
      `${name}: read ${read}, refused ${refused}, ${seconds.toFixed(1)} s; slowest ${slowest.toFixed(0)} ms, ` +
        `largest ${megabytes(largest)} MiB, ${megabytes(peakBytes)} MiB in all`,
    );
    for (const failure of failures) console.log(`  ${failure}`);
    failed ||= failures.length > 0;
  }
  process.exit(failed ? 1 : 0);
}
