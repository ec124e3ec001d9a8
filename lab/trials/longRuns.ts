import { join } from "node:path";
import type { SoakKind, SoakReport, SoakSample } from "./soak.ts";
import { byEffort, type Effort, type Outcome, type Trial } from "./trial.ts";

const program = join(import.meta.dir, "soak.ts");

interface LongRun {
  kind: SoakKind;
  what: string;
  counts: Record<Effort, number>;
}

const longRuns: readonly LongRun[] = [
  { kind: "training", what: "training steps", counts: { short: 300, usual: 3000, full: 20_000 } },
  { kind: "predictions", what: "predictions", counts: { short: 300, usual: 2000, full: 10_000 } },
  { kind: "openings", what: "openings of a data set", counts: { short: 100, usual: 300, full: 1000 } },
];

export const longRunTrials = (): Trial[] =>
  longRuns.map(({ kind, what, counts }) => ({
    area: "long runs",
    what,
    run: (effort) => {
      const count = counts[effort];
      const child = Bun.spawnSync([process.execPath, program, kind, String(count)], { stdin: "ignore" });
      if (child.exitCode !== 0) {
        const lost = [`it ended with ${child.signalCode ?? child.exitCode}: ${child.stderr}`];
        return { tried: count, lost, leaked: [] };
      }
      const { samples } = JSON.parse(child.stdout.toString().trim().split("\n").at(-1)!) as SoakReport;
      // Within a short run caches still fill: LibTorch's keeps the code of a thousand shapes.
      const limits = byEffort(effort, {
        short: { memory: 0.3, speed: Number.POSITIVE_INFINITY },
        usual: { memory: 0.1, speed: 0.5 },
        full: { memory: 0.02, speed: 0.2 },
      });
      return { ...judge(samples, limits), tried: count };
    },
  }));

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];

/**
 * Compares the last quarter of a run with the one before it; the first half is warm-up. `memory` and `speed`
 * are the largest growth allowed, as a share. Handles, open files and mappings must not grow at all.
 */
export function judge(
  samples: readonly SoakSample[],
  limits: { memory: number; speed: number },
): Omit<Outcome, "tried"> {
  const half = samples.length >> 1;
  const quarter = half + ((samples.length - half) >> 1);
  const [before, after] = [samples.slice(half, quarter), samples.slice(quarter)];
  if (before.length < 2 || after.length < 2) throw new Error("too few samples to judge a long run by");
  const growth = (of: (sample: SoakSample) => number) => median(after.map(of)) / median(before.map(of)) - 1;
  const pace = (part: readonly SoakSample[]) => {
    const [first, last] = [part[0], part.at(-1)!];
    return (last.processorMs - first.processorMs) / (last.done - first.done);
  };
  const memory = growth(({ residentBytes }) => residentBytes);
  const speed = pace(after) / pace(before) - 1;
  const leaked: string[] = [];
  const percent = (share: number) => `${share >= 0 ? "+" : ""}${(100 * share).toFixed(1)} %`;
  if (memory > limits.memory) leaked.push(`memory grew by ${percent(memory)} in the last quarter`);
  if (speed > limits.speed) leaked.push(`a step took ${percent(speed)} processor time in the last quarter`);
  const counted = { liveTensors: "live tensors", openFiles: "open files", mappings: "mappings" } as const;
  for (const [name, words] of Object.entries(counted) as [keyof typeof counted, string][]) {
    const most = (part: readonly SoakSample[]) => Math.max(...part.map((sample) => sample[name]));
    // Mappings come and go with the program's own heaps.
    const slack = name === "mappings" ? 5 : 0;
    if (most(after) > most(before) + slack)
      leaked.push(`${words} grew from ${most(before)} to ${most(after)}`);
  }
  const megabytes = Math.round(median(after.map(({ residentBytes }) => residentBytes)) / 2 ** 20);
  const note =
    `memory ${percent(memory)} at ${megabytes} MiB, ${after.at(-1)!.liveTensors} live tensors, ` +
    `${pace(after).toFixed(2)} ms each (${percent(speed)})`;
  return { lost: [], leaked, note };
}
