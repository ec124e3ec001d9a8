/**
 * Do predicted distances pile up at 0 and 1? Three heads, trained alike; and the
 * distances of a trained model.
 */

import { barChart, histogramPlot, predictionScatter } from "../src/display/plots/index.ts";
import { RegressionMetrics } from "../src/metrics/metrics.ts";
import { DirectTask, type HeadKind, type PairPredictions } from "./lib/directTask.ts";
import { EncoderTask } from "./lib/encoderTask.ts";
import { type Finding, numberText, percent, type ReportTable } from "./lib/finding.ts";
import { freshWith } from "./lib/freshEncoder.ts";
import { type Context, type Investigation, runInvestigation } from "./lib/investigation.ts";
import { atLeast } from "./lib/settingValues.ts";
import { trainBriefly } from "./lib/shortTraining.ts";
import { boundaryShares, meanAndError, summarize } from "./lib/statistics.ts";
import type { Subject } from "./lib/subject.ts";
import type { Verdict } from "./lib/verdict.ts";

export type BoundarySettings = {
  steps: number;
  seeds: number;
  batchSize: number;
  embeddingDim: number;
  layers: number;
  heads: number;
};

const kinds: readonly HeadKind[] = ["clipped", "sigmoid", "distances"];
const names: Record<HeadKind, string> = {
  clipped: "direct, clipped",
  sigmoid: "direct, sigmoid",
  distances: "distances of embeddings",
};

/**
 * What the history's notes say: a model of 8 epochs with clipped predictions, batches of 6, 1950 pairs; and
 * R² and range of the predictions through a sigmoid, before distances were taken from embeddings.
 */
const history = {
  atZero: 0.4,
  atOne: 0.1359,
  atBoth: 0.5359,
  beforeClipping: 0,
  rawMean: 0.1405,
  rawSd: 1.0169,
  rawMin: -1.28,
  rawMax: 1.92,
  r2: 0.0455,
  sigmoidFrom: 0.57,
  sigmoidTo: 0.6,
};
const clusteringShare = 0.1;
const soundShare = 0.01;
const collapsedSpread = 0.35;

interface HeadFigures {
  r2: number;
  atZero: number;
  atOne: number;
  atBoth: number;
  /** Within 0.01 of 0 or 1 before clipping. */
  rawAtBoth: number;
  /** SD of the predictions over that of the true distances. */
  spread: number;
  meanPredicted: number;
  q1: number;
  q3: number;
  rawMean: number;
  rawSd: number;
  rawMin: number;
  rawMax: number;
  /** Outputs of a direct head that give hardly anything inside [0, 1], whose gradient is therefore 0. */
  deadOutputs: number;
  outputs: number;
}

function figuresOf({ raw, predicted, actual, outside }: PairPredictions): HeadFigures {
  const metrics = new RegressionMetrics();
  metrics.update(predicted, actual);
  const { zero, one, both } = boundaryShares(predicted);
  const [ofRaw, ofPredicted, ofActual] = [raw, predicted, actual].map(summarize);
  const used = outside.slice(1);
  return {
    r2: metrics.result().r2,
    atZero: zero,
    atOne: one,
    atBoth: both,
    rawAtBoth: boundaryShares(raw).both,
    spread: ofPredicted.sd / ofActual.sd,
    meanPredicted: ofPredicted.mean,
    q1: ofPredicted.q1,
    q3: ofPredicted.q3,
    rawMean: ofRaw.mean,
    rawSd: ofRaw.sd,
    rawMin: ofRaw.min,
    rawMax: ofRaw.max,
    deadOutputs: used.filter((share) => share > 0.99).length,
    outputs: used.length,
  };
}

const rangeText = (from: number, to: number) => `${from.toFixed(2)} to ${to.toFixed(2)}`;

async function trainHead(
  kind: HeadKind,
  seed: number,
  subject: Subject,
  { steps, ...settings }: BoundarySettings,
  { say }: Context,
): Promise<PairPredictions> {
  const { batchSize, embeddingDim, layers, heads } = settings;
  const fresh = freshWith(subject, seed, {
    model: { embeddingDim, attentionLayers: layers, attentionHeads: heads },
    training: { batchSize },
  });
  const task = new DirectTask(kind, fresh.model, fresh);
  const { seconds, lastLoss } = await trainBriefly(task, fresh, { steps, dropLast: true });
  say(`${names[kind]}, seed ${seed}: ${steps} steps in ${seconds.toFixed(0)} s, loss ${lastLoss.toFixed(4)}`);
  const predictions = task.predict(fresh.validation);
  task.model.dispose();
  return predictions;
}

export const boundaryPredictions: Investigation<BoundarySettings> = {
  name: "boundary-predictions",
  question:
    "Do predicted distances pile up at 0 and 1? Which head does that: direct prediction that is clipped, direct prediction through a sigmoid, or distances between embeddings?",
  needs: "run",
  settings: {
    steps: { default: 400, is: "steps of each training", parse: atLeast(1) },
    seeds: { default: 3, is: "trainings of each head", parse: atLeast(1) },
    batchSize: { default: 6, is: "samples in a batch, 6 in the history", parse: atLeast(2) },
    embeddingDim: { default: 32, is: "size of the embeddings", parse: atLeast(1) },
    layers: { default: 1, is: "layers of each transformer", parse: atLeast(1) },
    heads: { default: 2, is: "attention heads", parse: atLeast(1) },
  },
  demo: { seeds: 2 },

  async investigate(subject, settings, context): Promise<Finding> {
    const bySeed: Record<HeadKind, HeadFigures[]> = { clipped: [], sigmoid: [], distances: [] };
    const shown = {} as Record<HeadKind, PairPredictions>;
    for (const kind of kinds) {
      for (let i = 0; i < settings.seeds; i++) {
        const predictions = await trainHead(kind, subject.seed + i, subject, settings, context);
        bySeed[kind].push(figuresOf(predictions));
        shown[kind] ??= predictions;
      }
    }
    const mean = (kind: HeadKind, figure: keyof HeadFigures) =>
      meanAndError(bySeed[kind].map((figures) => figures[figure])).mean;
    const lowest = (kind: HeadKind) => Math.min(...bySeed[kind].map(({ rawMin }) => rawMin));
    const highest = (kind: HeadKind) => Math.max(...bySeed[kind].map(({ rawMax }) => rawMax));
    const pairs = new EncoderTask(subject.model, subject).evaluate(subject.validation);
    const model = { ...boundaryShares(pairs.predicted), r2: pairs.result.r2, pairs: pairs.result.n };
    const modelSpread = summarize(pairs.predicted).sd / summarize(pairs.actual).sd;

    const headTable: ReportTable = {
      title: `Heads after ${settings.steps} steps with batches of ${settings.batchSize} (means of ${settings.seeds} seeds)`,
      header: [
        "head",
        "R²",
        "at 0",
        "at 1",
        "at 0 or 1",
        "before clipping",
        "SD / true SD",
        "raw range",
        "dead outputs",
      ],
      rows: kinds.map((kind) => [
        names[kind],
        mean(kind, "r2"),
        ...(["atZero", "atOne", "atBoth", "rawAtBoth"] as const).map((figure) => percent(mean(kind, figure))),
        mean(kind, "spread"),
        rangeText(lowest(kind), highest(kind)),
        kind === "distances" ? "–" : `${mean(kind, "deadOutputs").toFixed(1)} of ${settings.batchSize - 1}`,
      ]),
    };
    const historyRow: ReportTable = {
      title: "The history's figures beside these",
      header: ["figure", "history", "here"],
      rows: [
        ["at 0 or 1 after clipping", percent(history.atBoth), percent(mean("clipped", "atBoth"))],
        ["at 0 after clipping", percent(history.atZero), percent(mean("clipped", "atZero"))],
        ["at 1 after clipping", percent(history.atOne), percent(mean("clipped", "atOne"))],
        ["at 0 or 1 before clipping", percent(history.beforeClipping), percent(mean("clipped", "rawAtBoth"))],
        [
          "before clipping: mean and SD",
          `${history.rawMean} ± ${history.rawSd}`,
          `${numberText(mean("clipped", "rawMean"))} ± ${numberText(mean("clipped", "rawSd"))}`,
        ],
        [
          "before clipping: range",
          rangeText(history.rawMin, history.rawMax),
          rangeText(lowest("clipped"), highest("clipped")),
        ],
        [
          "where the sigmoid's predictions lie (here: quartiles)",
          rangeText(history.sigmoidFrom, history.sigmoidTo),
          rangeText(mean("sigmoid", "q1"), mean("sigmoid", "q3")),
        ],
        ["R² of direct prediction (sigmoid)", history.r2, mean("sigmoid", "r2")],
        ["R² of distances of embeddings, equal steps", "–", mean("distances", "r2")],
        ["R² of the run, all validation pairs", "–", model.r2],
      ],
    };
    const verdicts: Verdict[] = [
      {
        name: "clipped head: share at 0 or 1",
        value: mean("clipped", "atBoth"),
        relation: ">",
        threshold: clusteringShare,
        holds: "Clipped direct prediction piles up at the boundaries, as in the history.",
        fails: "Clipped direct prediction does not pile up here: the history is not reproduced.",
      },
      {
        name: "sigmoid head: SD of predictions / SD of true distances",
        value: mean("sigmoid", "spread"),
        relation: "<",
        threshold: collapsedSpread,
        holds: "Direct prediction through a sigmoid collapses toward one value, as in the history.",
        fails: "Direct prediction through a sigmoid does not collapse here: the history is not reproduced.",
      },
      {
        name: "distances of embeddings: share at 0 or 1",
        value: mean("distances", "atBoth"),
        relation: "<",
        threshold: soundShare,
        holds: "Distances between embeddings do not pile up.",
        fails: "Distances between embeddings pile up at the boundaries.",
      },
      {
        name: "distances of embeddings: SD of predictions / SD of true distances",
        value: mean("distances", "spread"),
        relation: ">",
        threshold: collapsedSpread,
        holds: "Distances between embeddings do not collapse.",
        fails: "Distances between embeddings collapse toward one value.",
      },
      {
        name: "the run's model: share at 0 or 1",
        value: model.both,
        relation: "<",
        threshold: soundShare,
        holds: "The run's predictions do not pile up.",
        fails:
          "The run's predictions pile up at the boundaries: look at its embeddings with debug/mode-collapse.ts.",
      },
    ];
    return {
      answer:
        `Clipping puts ${percent(mean("clipped", "atBoth"))} of the predictions at the boundaries (history: ${percent(history.atBoth)}), the sigmoid ` +
        `leaves ${percent(mean("sigmoid", "spread"), 0)} of the true spread, distances of embeddings put ${percent(mean("distances", "atBoth"))} there and keep ` +
        `${percent(mean("distances", "spread"), 0)}; of the run's predictions ${percent(model.both)} are at the boundaries.`,
      details: [
        `A clipped output has no gradient outside [0, 1]: an output that starts there never comes back. ${mean("clipped", "deadOutputs").toFixed(1)} of ${settings.batchSize - 1} outputs ` +
          "ended dead (more than 99 % of their values outside). In a batch of 6, outputs 1 to 5 stand for 1 to 5 of the 15 pairs, so the history's 40.00 % at 0 would be 6 of 15 " +
          "pairs (dead outputs whose numbers sum to 6), and its 13.59 % at 1 nearly 2 of 15.",
        "Output j of a direct head means whatever sample comes to stand at place j of a batch, which nothing in sample i tells: the best it " +
          `can give is sample i's mean distance. The sigmoid keeps the gradient and converges to that: R² ${mean("sigmoid", "r2").toFixed(3)} (history ${history.r2}).`,
        `The run's model on ${model.pairs} validation pairs: R² ${model.r2.toFixed(4)}, SD ratio ${modelSpread.toFixed(2)}, ${percent(model.zero)} at 0, ${percent(model.one)} at 1.`,
      ],
      tables: [headTable, historyRow],
      plots: [
        {
          name: "heads",
          plot: await histogramPlot({
            title: "Predicted and true distances",
            xTitle: "UniFrac distance",
            countTitle: "Pairs",
            bins: 50,
            series: [
              { name: "true", values: shown.distances.actual },
              ...kinds.map((kind) => ({ name: names[kind], values: shown[kind].predicted })),
            ],
          }),
          caption: `Validation pairs in batches of ${settings.batchSize}, first seed.`,
        },
        {
          name: "boundaries",
          plot: await barChart({
            title: "Predictions within 0.01 of 0 or 1",
            valueTitle: "Share of the pairs (%)",
            bars: [
              { label: "history, clipped", value: 100 * history.atBoth, muted: true },
              ...kinds.map((kind) => ({
                label: names[kind],
                value: 100 * mean(kind, "atBoth"),
                error: 100 * meanAndError(bySeed[kind].map(({ atBoth }) => atBoth)).sd,
              })),
              { label: "the run's model", value: 100 * model.both },
            ],
          }),
          caption: "Means and standard deviations over the seeds.",
        },
        {
          name: "run",
          plot: await predictionScatter({
            title: "The run's predictions",
            quantity: "UniFrac distance",
            actual: pairs.actual,
            predicted: pairs.predicted,
            metrics: pairs.result,
            pointName: "pairs",
          }),
          caption: "All validation pairs.",
        },
      ],
      numbers: { settings, heads: bySeed, run: { ...model, spread: modelSpread }, history },
      verdicts,
    };
  },
};

if (import.meta.main) await runInvestigation(boundaryPredictions);
