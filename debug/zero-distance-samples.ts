/**
 * How many pairs of samples are at or near distance 0, how do they arise, and would weighting them matter?
 */
import type { Dataset } from "../src/data/dataset/dataset.ts";
import { barChart, histogramPlot } from "../src/display/plots/index.ts";
import * as torch from "../src/torch/index.ts";
import { embedSubject } from "./lib/encoderTask.ts";
import { type Finding, percent } from "./lib/finding.ts";
import { type Investigation, runInvestigation } from "./lib/investigation.ts";
import { summarize } from "./lib/statistics.ts";
import type { Subject } from "./lib/subject.ts";

/** What is counted: exactly 0, the history's "near zero", and two steps further. */
const limits = [1e-6, 0.01, 0.05, 0.1] as const;
const nearZero = 0.05;
/** Above this share of pairs, weighting would be worth a thought. */
const notableShare = 0.01;
/** The history's table: 1 of 229503 pairs. */
const historyShare = 1 / 229_503;
const mostExplained = 2000;

interface Pair {
  readonly a: number;
  readonly b: number;
  readonly distance: number;
}

interface Survey {
  readonly pairs: number;
  readonly unknown: number;
  readonly zero: number;
  readonly below: Readonly<Record<string, number>>;
  /** For each sample, with how many others it is at distance 0. */
  readonly zeroPartners: Int32Array;
  /** The nearest pairs. */
  readonly nearest: Pair[];
  readonly values: Float32Array;
}

function survey(subject: Subject): Survey {
  const distances = subject.dataset.distance(subject.metric);
  const n = subject.dataset.sampleCount;
  const below: Record<string, number> = Object.fromEntries(limits.map((limit) => [String(limit), 0]));
  const zeroPartners = new Int32Array(n);
  const near: Pair[] = [];
  const values = new Float32Array(distances.pairs);
  let [place, zero, unknown] = [0, 0, 0];
  for (let a = 0; a < n; a++) {
    for (let b = a + 1; b < n; b++) {
      const distance = distances.between(a, b);
      values[place++] = distance;
      if (Number.isNaN(distance)) unknown++;
      for (const limit of limits) if (distance < limit) below[limit]++;
      if (distance === 0) {
        zero++;
        zeroPartners[a]++;
        zeroPartners[b]++;
      }
      if (distance < nearZero) near.push({ a, b, distance });
    }
  }
  const nearest = near.sort((x, y) => x.distance - y.distance).slice(0, mostExplained);
  return { pairs: values.length, unknown, zero, below, zeroPartners, nearest, values };
}

/** Why two samples are so near: the first that applies. */
function reasonOf({ a, b }: Pair, dataset: Dataset): string {
  const [left, right] = [dataset.sample(a), dataset.sample(b)];
  const sameAsvs =
    left.asvs.length === right.asvs.length && left.asvs.every((asv, i) => asv === right.asvs[i]);
  if (sameAsvs && left.counts.every((count, i) => count === right.counts[i]))
    return "the same counts: one sample twice?";
  if (sameAsvs) return "the same ASVs in other amounts";
  if (Math.min(left.asvs.length, right.asvs.length) <= 5) return "at most 5 ASVs in one of them";
  const shared = left.asvs.filter((asv) => right.asvs.includes(asv)).length;
  const union = left.asvs.length + right.asvs.length - shared;
  return shared / union > 0.5 ? "most ASVs in common" : "other ASVs, but close relatives";
}

/** Squared errors of a trained model by distance; null for a fresh one. */
function errorsNear(subject: Subject): { pairs: number; near: number; sse: number; nearSse: number } | null {
  if (!subject.trained) return null;
  const { validation, dataset, metric } = subject;
  const truth = dataset.distance(metric).block(validation);
  const predicted = torch.tidy(() => {
    const embeddings = embedSubject(subject.model, subject, validation);
    return torch.cdist(embeddings, embeddings).toFloat32Array();
  });
  const sums = { pairs: 0, near: 0, sse: 0, nearSse: 0 };
  const n = validation.length;
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const actual = truth[i * n + j];
      if (Number.isNaN(actual)) continue;
      const squared = (predicted[i * n + j] - actual) ** 2;
      sums.pairs++;
      sums.sse += squared;
      if (actual >= nearZero) continue;
      sums.near++;
      sums.nearSse += squared;
    }
  }
  return sums;
}

/** What weighting the pairs near 0 would come to: by a trained model's errors, or by their share alone. */
function weightingSentence(errors: ReturnType<typeof errorsNear>, nearShare: number): string {
  if (errors === null) {
    const weighted = (10 * nearShare) / (1 + 9 * nearShare);
    return `Without a model: pairs below ${nearZero} are ${percent(nearShare, 4)} of the pairs; weighted tenfold they would be ${percent(weighted, 3)} of the weight.`;
  }
  if (errors.near === 0)
    return `None of the ${errors.pairs} validation pairs is below ${nearZero}: weighting such pairs would change nothing of the run's error.`;
  const lossShare = errors.nearSse / errors.sse;
  const weight = (0.1 / 0.9) * (1 / lossShare - 1);
  return (
    `With the run's model, the ${errors.near} validation pairs below ${nearZero} make ${percent(lossShare, 3)} of the squared error. ` +
    `For a tenth of the loss each would have to weigh ${weight.toFixed(0)} times as much as another pair.`
  );
}

export const zeroDistanceSamples: Investigation<Record<string, never>> = {
  name: "zero-distance-samples",
  question:
    "How many pairs of samples are at or near distance 0, how do they arise, and would weighting them in the loss matter?",
  needs: "data",
  settings: {},

  async investigate(subject): Promise<Finding> {
    const { dataset } = subject;
    const found = survey(subject);
    const known = found.pairs - found.unknown;
    const zeroShare = found.zero / known;
    const nearShare = found.below[String(nearZero)] / known;
    const ofNonZero = summarize(found.values.filter((value) => value > 0));
    const reasons = new Map<string, number>();
    for (const pair of found.nearest) {
      const reason = reasonOf(pair, dataset);
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    const partners = (least: number) => found.zeroPartners.filter((count) => count >= least).length;
    const errors = errorsNear(subject);
    const richness = (samples: number[]) =>
      summarize(samples.map((sample) => dataset.richness(sample))).median;
    const withZero = [...found.zeroPartners.keys()].filter((sample) => found.zeroPartners[sample] > 0);
    const without = [...found.zeroPartners.keys()].filter((sample) => found.zeroPartners[sample] === 0);
    return {
      answer:
        `${found.zero} of ${known} pairs (${percent(zeroShare, 4)}) are at distance 0 (history: 1 of 229503, ${percent(historyShare, 4)}), ${percent(nearShare, 4)} below ${nearZero}. ` +
        (zeroShare < notableShare
          ? "The distribution has no peak at 0; weighting these pairs would change next to nothing."
          : "That is a peak of its own: look at where these samples come from before training on them."),
      details: [
        `Distances above 0: mean ${ofNonZero.mean.toFixed(4)}, median ${ofNonZero.median.toFixed(4)}, SD ${ofNonZero.sd.toFixed(4)}, ` +
          `quartiles ${ofNonZero.q1.toFixed(3)} and ${ofNonZero.q3.toFixed(3)}, from ${ofNonZero.min.toFixed(4)} to ${ofNonZero.max.toFixed(4)} ` +
          "(history: 0.7233, 0.7506, 0.1468, 0.633 and 0.8325, 0.0080 to 0.9852).",
        `Samples with a partner at distance 0: ${partners(1)} (at least 10 partners: ${partners(10)}, at least 50: ${partners(50)}); ` +
          `median richness ${withZero.length > 0 ? richness(withZero) : "–"} with such a partner, ${richness(without)} without.`,
        weightingSentence(errors, nearShare),
        ...(found.unknown > 0 ? [`${found.unknown} pairs have no known distance.`] : []),
      ],
      tables: [
        {
          title: "Pairs near 0",
          header: ["distance", "pairs", "share"],
          rows: [
            ["exactly 0", found.zero, percent(zeroShare, 4)],
            ...limits.map((limit) => [
              `below ${limit}`,
              found.below[limit],
              percent(found.below[limit] / known, 4),
            ]),
          ],
        },
        {
          title: `How the nearest pairs arise (below ${nearZero}, at most ${mostExplained})`,
          header: ["reason", "pairs"],
          rows: reasons.size > 0 ? [...reasons].sort((x, y) => y[1] - x[1]) : [["there is none", 0]],
        },
      ],
      plots: [
        {
          name: "distances",
          plot: await histogramPlot({
            title: "Distances between all samples",
            xTitle: `${subject.metric.replaceAll("_", " ")} UniFrac distance`,
            countTitle: "Pairs",
            bins: 60,
            logarithmic: true,
            series: [{ name: "pairs", values: found.values }],
          }),
          caption: "A logarithmic axis, so that a few pairs at 0 would show.",
        },
        ...(reasons.size > 0
          ? [
              {
                name: "reasons",
                plot: await barChart({
                  title: `Why pairs are below ${nearZero}`,
                  valueTitle: "Pairs",
                  bars: [...reasons].map(([label, value]) => ({ label, value })),
                }),
                caption: "The first reason that applies.",
              },
            ]
          : []),
      ],
      numbers: {
        pairs: found.pairs,
        unknown: found.unknown,
        zero: found.zero,
        below: found.below,
        nonZero: ofNonZero,
        samplesWithZeroPartner: partners(1),
        reasons: Object.fromEntries(reasons),
        errors,
        history: { zeroShare: historyShare },
      },
      verdicts: [
        {
          name: "share of pairs at distance 0",
          value: zeroShare,
          relation: "<",
          threshold: notableShare,
          holds: "Pairs at 0 are rare: no weighting is needed.",
          fails:
            "Many pairs are at 0: samples are there more than once, or their distances are not in order.",
        },
        {
          name: `share of pairs below ${nearZero}`,
          value: nearShare,
          relation: "<",
          threshold: 5 * notableShare,
          holds: "Pairs near 0 are rare too.",
          fails: "Many pairs are near 0: the loss is about other things than the rest of the distances.",
        },
      ],
    };
  },
};

if (import.meta.main) await runInvestigation(zeroDistanceSamples);
