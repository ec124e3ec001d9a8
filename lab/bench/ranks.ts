import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { positiveWholeNumber } from "../../src/cli/options/optionValues.ts";
import { bunProcess } from "../../src/common/bunProcess.ts";
import { UserError } from "../../src/common/userError.ts";
import type { RankRequest } from "./rankWorker.ts";

interface RanksFlags {
  ranks: number;
  samples: number;
  batchSize: number;
  steps: number;
  json: boolean;
}

/**
 * The largest differences of several ranks from one process, over both encoders and 2,
 * 3 (and `--ranks`) ranks.
 */
export interface RanksReport {
  /** Of a gradient in float64, relative to the largest of its batch's. */
  gradient_error: number;
  /** Of a parameter after 20 steps of SGD in float32, likewise. */
  parameter_error: number;
  /** Of the encoder of transformers, by ranks; as many threads in all. */
  samples_per_second: Record<string, number>;
}

export function makeCommand(): Command {
  return new Command("ranks")
    .description(
      "Training by several processes against training by one: gradients of whole batches in float64, parameters after steps of SGD in float32, for both encoders, and the speed of steps",
    )
    .option("--ranks <n>", "processes that the speed is measured with", positiveWholeNumber, 2)
    .option("--samples <n>", "of the simulated study", positiveWholeNumber, 64)
    .option("--batch-size <n>", "samples of a step", positiveWholeNumber, 16)
    .option("--steps <n>", "steps of SGD whose parameters are compared", positiveWholeNumber, 20)
    .action(async (flags: RanksFlags) => {
      if (flags.batchSize > flags.samples || flags.batchSize < 4)
        throw new UserError("--batch-size must be from 4 to --samples.");
      const folder = mkdtempSync(join(tmpdir(), "aam-bench-"));
      try {
        const report = await measureRanks(flags, folder);
        process.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : reportText(report));
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
}

async function measureRanks(flags: RanksFlags, folder: string): Promise<RanksReport> {
  const { prepareDataset } = await import("../../src/data/prepare/prepare.ts");
  const { simulate, writeSimulation } = await import("../../src/data/simulate/simulate.ts");
  const torch = await import("../../src/torch/index.ts");
  const study = simulate({ samples: flags.samples, asvs: 150, richness: 24, length: 60, depth: 400 });
  const dataset = join(folder, "dataset");
  await prepareDataset(
    { ...writeSimulation(join(folder, "study"), study), metrics: ["unweighted"] },
    dataset,
  );
  const report: RanksReport = { gradient_error: 0, parameter_error: 0, samples_per_second: {} };
  const counts = [...new Set([1, 2, 3, flags.ranks])].sort((a, b) => a - b);
  for (const encoder of ["aam", "set"] as const) {
    let reference: ReadonlyMap<string, import("../../src/torch/index.ts").Tensor> | null = null;
    for (const ranks of counts) {
      const output = join(folder, `${encoder}-${ranks}`);
      mkdirSync(output);
      const isTimed = encoder === "aam" && (ranks === 1 || ranks === flags.ranks);
      const { batchSize, steps } = flags;
      run(ranks, {
        ...{ dataset, output, encoder, batchSize, steps },
        // Slices that differ, and a batch that leaves a rank of three without a sample.
        sizes: [13, 7, 2],
        speedSteps: isTimed ? 10 : 0,
        threads: Math.max(1, Math.floor(availableParallelism() / ranks)),
      });
      const { tensors: found } = torch.loadSafetensors(join(output, "tensors.safetensors"));
      if (isTimed) {
        const speed = JSON.parse(readFileSync(join(output, "speed.json"), "utf8")) as {
          samples_per_second: number;
        };
        report.samples_per_second[ranks] = speed.samples_per_second;
      }
      reference ??= found;
      for (const [name, expected] of reference) {
        const value = found.get(name);
        if (!value) throw new UserError(`${ranks} ranks have no ${name}.`);
        // Against the largest of its batch: what is close to 0 has no digits of its own.
        const error = value.sub(expected).abs().max().item() / largestOf(reference, name);
        const key = name.startsWith("parameter/") ? "parameter_error" : "gradient_error";
        if (!(error <= report[key])) report[key] = error;
      }
      if (found.size !== reference.size)
        throw new UserError(`${ranks} ranks have other gradients than one process.`);
    }
  }
  return report;
}

/**
 * The largest absolute value among the tensors whose names begin as this one's (`gradient/0/`, `parameter/`).
 */
function largestOf(
  tensors: ReadonlyMap<string, import("../../src/torch/index.ts").Tensor>,
  name: string,
): number {
  const group = /^(gradient\/\d+\/|loss\/|parameter\/)/.exec(name)![0];
  const known = [...tensors].filter(([other]) => other.startsWith(group));
  return Math.max(...known.map(([, value]) => value.abs().max().item()));
}

/** Runs the worker: alone, or as several ranks. */
function run(ranks: number, request: RankRequest): void {
  const worker = join(import.meta.dir, "rankWorker.ts");
  const launcher = join(import.meta.dir, "../../scripts/ranks.ts");
  const args = [worker, JSON.stringify(request)];
  const { cmd, env } = bunProcess(ranks === 1 ? args : [launcher, String(ranks), ...args], {
    RANK: undefined,
  });
  const done = Bun.spawnSync(cmd, { env, stdout: "inherit", stderr: "inherit", timeout: 600_000 });
  if (!done.success) throw new UserError(`${ranks} ranks ended with ${done.signalCode ?? done.exitCode}.`);
}

function reportText(report: RanksReport): string {
  const speeds = Object.entries(report.samples_per_second).map(
    ([ranks, speed]) =>
      `  ${ranks} rank${ranks === "1" ? "" : "s"}: ${speed.toFixed(1)} samples per second\n`,
  );
  return [
    `largest difference of a gradient (float64): ${report.gradient_error.toExponential(2)}\n`,
    `largest difference of a parameter (float32): ${report.parameter_error.toExponential(2)}\n`,
    ...speeds,
  ].join("");
}
