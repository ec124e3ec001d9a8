import { median } from "../../src/common/median.ts";
import { UserError } from "../../src/common/userError.ts";

/** What one contestant took. */
export interface Timing {
  readonly medianSeconds: number;
  readonly fastestSeconds: number;
  /** The first run, in which code is compiled and files come from the disk. */
  readonly firstSeconds: number;
  readonly rounds: number;
  /** The largest memory of the process, where each run is one. */
  readonly peakBytes?: number;
}

/** One run: how long it took, as it was measured where it happened. */
export interface Run {
  readonly seconds: number;
  readonly peakBytes?: number;
}

export interface Contestant {
  readonly name: string;
  readonly run: () => Run | Promise<Run>;
}

/** Times a function of this process. */
export async function timed(run: () => unknown): Promise<Run> {
  const start = performance.now();
  await run();
  return { seconds: (performance.now() - start) / 1000 };
}

/**
 * Lets contestants run in turn, so that what else the machine does hits all of them, each `rounds` times
 * behind a first run that counts only as the first.
 */
export async function interleave(
  contestants: readonly Contestant[],
  rounds: number,
): Promise<Record<string, Timing>> {
  const runs = new Map<string, Run[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const { name, run } of contestants) runs.get(name)!.push(await run());
  }
  return Object.fromEntries([...runs].map(([name, all]) => [name, summarize(all)]));
}

function summarize([first, ...later]: readonly Run[]): Timing {
  const counted = later.length > 0 ? later : [first];
  const peaks = counted.flatMap(({ peakBytes }) => (peakBytes === undefined ? [] : [peakBytes]));
  return {
    medianSeconds: median(counted.map(({ seconds }) => seconds)),
    fastestSeconds: Math.min(...counted.map(({ seconds }) => seconds)),
    firstSeconds: first.seconds,
    rounds: counted.length,
    ...(peaks.length > 0 ? { peakBytes: Math.max(...peaks) } : {}),
  };
}

/** Runs a whole command. @throws UserError with the last line it wrote if it fails. */
export function runCommand(
  command: readonly string[],
  threads: number,
  env: Record<string, string | undefined> = process.env,
): Run {
  const start = performance.now();
  const done = Bun.spawnSync([...command], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...env, OMP_NUM_THREADS: String(threads) },
  });
  const seconds = (performance.now() - start) / 1000;
  if (done.exitCode !== 0) {
    const said = `${done.stdout}\n${done.stderr}`.trim().split("\n").at(-1);
    throw new UserError(`${command[0]} has failed (${done.exitCode ?? done.signalCode}): ${said}`);
  }
  return { seconds, peakBytes: peakOf(done.resourceUsage?.maxRSS) };
}

/**
 * On Linux a new process counts the memory of the one that started it as its own: what is not
 * above that is not known.
 */
function peakOf(told: number | undefined): number | undefined {
  const own = process.resourceUsage().maxRSS * 1024;
  return told !== undefined && told > 1.02 * own ? told : undefined;
}
