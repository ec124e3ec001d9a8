/** Encoders of several studies, judged on one that they have not seen: see main.ts. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../../src/common/random/random.ts";
import { type Dataset, openDataset } from "../../src/data/dataset/dataset.ts";
import { joinStudies, type NamedStudy } from "../../src/data/dataset/joinStudies.ts";
import { ProgressDisplay } from "../../src/display/terminal/progressBar.ts";
import { spearman } from "../../src/metrics/metrics.ts";
import type { SetEncoder } from "../../src/models/setEncoder.ts";
import { treeFreeBaselines } from "../../src/training/baselines/treeFree/treeFreeBaselines.ts";
import type { PretrainConfig } from "../../src/training/config/config.ts";
import { pretrainConfig } from "../../src/training/config/defaults.ts";
import { calibratedDistance, typicalDistance } from "../../src/training/inference/calibratedDistance.ts";
import { judgeRun } from "../../src/training/inference/judgeEncoder.ts";
import { openRun } from "../../src/training/run/open.ts";
import { pretrain } from "../../src/training/tasks/pretrain.ts";

/** What is found on a study that was left out. */
export interface ZeroShot {
  readonly study: string;
  readonly samples: number;
  /** Spearman's rank correlation of distances without any known one. */
  readonly spearman: number;
  /** Means over draws of the samples that calibrate. */
  readonly r2: number;
  readonly mae: number;
  /**
   * R² of Jaccard distances of ASVs and of their words, calibrated on the same samples by a
   * cubic; NaN for other metrics.
   */
  readonly asvs: number;
  readonly words: number;
}

/** Draws of the samples whose distances are known. */
const draws = 5;
/** Pairs of so many samples are judged. */
const mostJudged = 1000;

/**
 * Judges the encoder of `run` on a study that it has not seen, with distances known
 * among `calibrating` samples.
 */
export function judgeUnseen(
  run: string,
  { name, dataset }: NamedStudy,
  options: { metric: string; calibrating: number; seed: number },
): ZeroShot {
  const opened = openRun(run, "cpu");
  const { metric, calibrating, seed } = options;
  const order = new Random(seed).shuffle(Int32Array.from({ length: dataset.sampleCount }, (_, i) => i));
  const judged = order.slice(0, mostJudged);
  const typical = judgeRun(opened, dataset, judged, "cpu", typicalDistance(opened.encoder as SetEncoder))!;
  const results = Array.from({ length: draws }, (_, draw) => {
    const known = new Random(seed).derive("known", draw).shuffle(judged.slice()).subarray(0, calibrating);
    const chosen = new Set(known);
    const others = judged.filter((sample) => !chosen.has(sample));
    const form = calibratedDistance(opened, dataset, known, "cpu")!;
    const { r2, mae } = judgeRun(opened, dataset, others, "cpu", form)!.result;
    const baselines = treeFreeBaselines(dataset, { metric, train: known, validation: others, seed });
    return { r2, mae, baselines };
  });
  const mean = (of: (result: (typeof results)[number]) => number) =>
    results.reduce((sum, result) => sum + of(result), 0) / draws;
  opened.model.dispose();
  return {
    study: name,
    samples: dataset.sampleCount,
    spearman: spearman(typical.predicted, typical.actual),
    r2: mean(({ r2 }) => r2),
    mae: mean(({ mae }) => mae),
    asvs: mean(({ baselines }) => baselines["jaccard_asv_r2"] ?? Number.NaN),
    words: mean(({ baselines }) => baselines["jaccard_kmer_r2"] ?? Number.NaN),
  };
}

/** Trains on `studies` together, and returns the run's folder. */
export async function trainTogether(
  studies: readonly NamedStudy[],
  output: string,
  options: { metric: PretrainConfig["unifracMetric"]; minutes: number; seed: number },
): Promise<string> {
  mkdirSync(output, { recursive: true });
  const joined = join(output, "joined");
  joinStudies(joined, studies);
  const run = join(output, "run");
  using dataset: Dataset = openDataset(joined);
  const { metric, minutes, seed } = options;
  const longest = dataset.manifest.counts.longestAsv - 1;
  await pretrain({
    dataset,
    output: run,
    config: pretrainConfig({
      unifracMetric: metric,
      model: { maxBp: longest, longWords: longWordsOf(metric) },
      split: { testSize: 0.1 },
      training: { maxMinutes: minutes, seed, epochs: 10_000 },
    }),
    device: "cpu",
    display: new ProgressDisplay("quiet"),
    resume: false,
    plots: false,
  });
  return run;
}

/**
 * Bases of the long words that samples are compared by besides: k-mers know much of a study without training.
 */
function longWordsOf(metric: PretrainConfig["unifracMetric"]): number | "none" {
  return metric === "unweighted" ? 10 : "none";
}
