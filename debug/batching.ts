/**
 * Do shuffled, truncated batches carry the right distances, and are the data set's
 * distances those of its samples?
 */

import { Random } from "../src/common/random/random.ts";
import type { Batch } from "../src/data/batches/batch.ts";
import { Loader } from "../src/data/batches/loader.ts";
import type { Dataset } from "../src/data/dataset/dataset.ts";
import { predictionScatter } from "../src/display/plots/index.ts";
import type { Finding } from "./lib/finding.ts";
import { type Investigation, runInvestigation } from "./lib/investigation.ts";
import { recomputeDistances } from "./lib/recompute.ts";
import { atLeast } from "./lib/settingValues.ts";
import { correlation } from "./lib/statistics.ts";
import type { Subject } from "./lib/subject.ts";
import type { Verdict } from "./lib/verdict.ts";

export type BatchingSettings = { epochs: number; samples: number; worker: boolean };

interface Plan {
  readonly batchSize: number;
  readonly tokenLimit: number;
  readonly asvSampling: "first" | "abundance" | "random";
  readonly shuffle: boolean;
  readonly worker: boolean;
}

interface PlanOutcome extends Plan {
  readonly batches: number;
  readonly pairs: number;
  /** Pairs whose distance is not the one between these two samples. */
  readonly wrongDistances: number;
  /** Masks that are 1 for unknown pairs or the diagonal, or 0 for known pairs. */
  readonly wrongMasks: number;
  /** Slots whose ASV or count is not the sample's. */
  readonly wrongSlots: number;
  /** Samples that did not come exactly once in an epoch. */
  readonly wrongSamples: number;
}

const tolerance = 1e-5;
/**
 * UniFrac and the share of ASVs in common measure nearly the same; a matrix in another
 * order has no correlation.
 */
const smallestCorrelation = 0.2;

function plansOf(subject: Subject, { worker }: BatchingSettings): Plan[] {
  const { tokenLimit, asvSampling } = subject.config.model;
  const base = { batchSize: 32, tokenLimit, asvSampling, shuffle: true, worker: false } as const;
  return [
    base,
    { ...base, shuffle: false },
    { ...base, batchSize: 2 },
    { ...base, batchSize: 7 },
    { ...base, tokenLimit: 8 },
    { ...base, tokenLimit: 8, asvSampling: "abundance" },
    { ...base, tokenLimit: 8, asvSampling: "random" },
    ...(worker ? [{ ...base, worker: true }] : []),
  ];
}

/** Compares a batch with what the data set says of each pair and of each sample. */
function checkBatch(batch: Batch, dataset: Dataset, metric: string, limit: number) {
  const distances = dataset.distance(metric);
  const { samples, slots, sampleIndices } = batch;
  let [wrongDistances, wrongMasks, wrongSlots] = [0, 0, 0];
  for (let i = 0; i < samples; i++) {
    for (let j = 0; j < samples; j++) {
      const truth = distances.between(sampleIndices[i], sampleIndices[j]);
      const given = batch.distances![i * samples + j];
      if (given !== (Number.isNaN(truth) ? 0 : truth)) wrongDistances++;
      const known = i !== j && !Number.isNaN(truth) ? 1 : 0;
      if (batch.distanceMask![i * samples + j] !== known) wrongMasks++;
    }
    const { asvs, counts } = dataset.sample(sampleIndices[i]);
    const expected = new Map(Array.from(asvs, (asv, slot) => [asv, counts[slot]]));
    const filled = new Set<number>();
    for (let slot = 0; slot < slots; slot++) {
      const row = batch.asvIndex[i * slots + slot] - 1;
      if (row < 0) continue;
      const asv = batch.asvRows[row];
      if (expected.get(asv) !== batch.counts[i * slots + slot] || filled.has(asv)) wrongSlots++;
      filled.add(asv);
    }
    if (filled.size !== Math.min(limit, asvs.length)) wrongSlots++;
  }
  return { wrongDistances, wrongMasks, wrongSlots };
}

async function tryPlan(plan: Plan, subject: Subject, epochs: number): Promise<PlanOutcome> {
  const { dataset, metric, train, seed } = subject;
  using loader = new Loader(dataset, { ...plan, samples: train, seed, distance: metric });
  const sums = { batches: 0, pairs: 0, wrongDistances: 0, wrongMasks: 0, wrongSlots: 0, wrongSamples: 0 };
  for (let epoch = 0; epoch < epochs; epoch++) {
    const seen = new Map<number, number>();
    for await (const batch of loader.epoch()) {
      const found = checkBatch(batch, dataset, metric, plan.tokenLimit);
      sums.batches++;
      sums.pairs += (batch.samples * (batch.samples - 1)) / 2;
      sums.wrongDistances += found.wrongDistances;
      sums.wrongMasks += found.wrongMasks;
      sums.wrongSlots += found.wrongSlots;
      for (const sample of batch.sampleIndices) seen.set(sample, (seen.get(sample) ?? 0) + 1);
    }
    sums.wrongSamples += train.filter((sample) => seen.get(sample) !== 1).length;
  }
  return { ...plan, ...sums };
}

/**
 * For pairs of some samples: the data set's distance, the share of ASVs not in common, and
 * the distance computed anew.
 */
function comparePairs(subject: Subject, count: number) {
  const { dataset, metric, seed } = subject;
  const order = new Random(seed).permutation(dataset.sampleCount);
  const samples = order.slice(0, Math.min(count, order.length));
  const again = recomputeDistances(dataset, metric, samples);
  const distances = dataset.distance(metric);
  const [stored, jaccard]: [number[], number[]] = [[], []];
  const sets = Array.from(samples, (sample) => new Set(dataset.sample(sample).asvs));
  for (let i = 0; i < samples.length; i++) {
    for (let j = i + 1; j < samples.length; j++) {
      stored.push(distances.between(samples[i], samples[j]));
      const shared = [...sets[i]].filter((asv) => sets[j].has(asv)).length;
      jaccard.push(1 - shared / Math.max(1, sets[i].size + sets[j].size - shared));
    }
  }
  const known = stored.map((value, i) => (Number.isNaN(value) ? -1 : i)).filter((i) => i >= 0);
  const pick = (values: ArrayLike<number>) => Float64Array.from(known, (i) => values[i]);
  const worst = again ? Math.max(0, ...known.map((i) => Math.abs(again[i] - stored[i]))) : null;
  return {
    samples: samples.length,
    stored: pick(stored),
    jaccard: pick(jaccard),
    again: again && pick(again),
    worst,
  };
}

export const batching: Investigation<BatchingSettings> = {
  name: "batching",
  question:
    "Do shuffled and truncated batches carry the distances, masks, ASVs and counts of their own samples, and are the data set's distances those of its samples?",
  needs: "data",
  settings: {
    epochs: { default: 1, is: "epochs of each kind of loader", parse: atLeast(1) },
    samples: { default: 150, is: "samples whose distances are computed anew", parse: atLeast(3) },
    worker: { default: false, is: "check the loader's worker thread too" },
  },
  demo: { worker: true, samples: 60 },

  async investigate(subject, settings, { say }): Promise<Finding> {
    const outcomes: PlanOutcome[] = [];
    for (const plan of plansOf(subject, settings))
      outcomes.push(await tryPlan(plan, subject, settings.epochs));
    say(`Checked ${outcomes.length} kinds of loader; comparing distances with the samples ...`);
    const total = (figure: "wrongDistances" | "wrongMasks" | "wrongSlots" | "wrongSamples" | "pairs") =>
      outcomes.reduce((sum, outcome) => sum + outcome[figure], 0);
    const faults =
      total("wrongDistances") + total("wrongMasks") + total("wrongSlots") + total("wrongSamples");
    const pairs = comparePairs(subject, settings.samples);
    const r = correlation(pairs.stored, pairs.jaccard);
    const verdicts: Verdict[] = [
      {
        name: "wrong distances, masks, slots and samples in batches",
        value: faults,
        relation: "=",
        threshold: 0,
        holds: "Batches carry what belongs to their samples, in their order.",
        fails: `Batches are wrong: ${total("wrongDistances")} distances, ${total("wrongMasks")} masks, ${total("wrongSlots")} slots, ${total("wrongSamples")} samples.`,
      },
      {
        name: "correlation of distances with the share of ASVs not in common",
        value: r,
        relation: ">",
        threshold: smallestCorrelation,
        holds: "The distances belong to these samples.",
        fails: "The distances have nothing to do with what the samples hold: the matrix is in another order.",
      },
    ];
    if (pairs.worst !== null) {
      verdicts.push({
        name: "largest difference to distances computed anew",
        value: pairs.worst,
        relation: "<",
        threshold: tolerance,
        holds: "Computed anew from samples and tree, the distances are the same.",
        fails:
          "Computed anew from samples and tree, the distances are others: wrong order, tree or rarefaction.",
      });
    }
    return {
      answer:
        `${faults} faults in ${total("pairs")} pairs of ${outcomes.length} kinds of loader; distances of ${pairs.samples} samples correlate ${r.toFixed(3)} with the share of ` +
        `ASVs not in common${pairs.worst === null ? "" : ` and differ by at most ${pairs.worst.toExponential(1)} from those computed anew`}.`,
      details: [
        "A batch's matrix is compared pair by pair with the distance between the two samples that its rows name; the other two checks don't trust the " +
          "matrix itself: a matrix whose rows were shuffled passes the first and fails them.",
        ...(pairs.worst === null
          ? ["The tree is not there any more, so distances were not computed anew."]
          : []),
      ],
      tables: [
        {
          title: "Loaders",
          header: [
            "batch size",
            "token limit",
            "ASVs kept",
            "shuffled",
            "worker",
            "pairs",
            "wrong distances",
            "wrong masks",
            "wrong slots",
            "wrong samples",
          ],
          rows: outcomes.map((one) => [
            one.batchSize,
            one.tokenLimit,
            one.asvSampling,
            one.shuffle ? "yes" : "no",
            one.worker ? "yes" : "no",
            one.pairs,
            one.wrongDistances,
            one.wrongMasks,
            one.wrongSlots,
            one.wrongSamples,
          ]),
        },
      ],
      plots: [
        {
          name: "jaccard",
          plot: await predictionScatter({
            title: "Distances and ASVs in common",
            quantity: "distance",
            axes: {
              actual: "Share of ASVs not in common",
              predicted: `${subject.metric.replaceAll("_", " ")} UniFrac distance of the data set`,
            },
            actual: pairs.jaccard,
            predicted: pairs.stored,
            pointName: "pairs",
          }),
          caption: `The share is 1 - (ASVs in common / ASVs of both), of the pairs of ${pairs.samples} samples. A matrix in another order would show a cloud without a slope.`,
        },
      ],
      numbers: { settings, outcomes, correlation: r, worst: pairs.worst },
      verdicts,
    };
  },
};

if (import.meta.main) await runInvestigation(batching);
