/**
 * How well are nucleotides predicted, at which positions and bases, and does the
 * prediction see what it should not?
 */

import { Random } from "../src/common/random/random.ts";
import { maskToken, startToken } from "../src/common/tokens.ts";
import { tokenMatrix } from "../src/data/batches/batch.ts";
import { barChart, lineChart } from "../src/display/plots/index.ts";
import { isBase } from "../src/models/masking.ts";
import * as torch from "../src/torch/index.ts";
import { type Finding, percent } from "./lib/finding.ts";
import { type Investigation, runInvestigation } from "./lib/investigation.ts";
import { atLeast } from "./lib/settingValues.ts";
import type { Subject } from "./lib/subject.ts";

export type NucleotideSettings = { asvs: number; passes: number };

const bases = ["A", "C", "G", "T"] as const;
const asvsPerChunk = 128;

/** Counts of right predictions and of all, by position and by base; and what was predicted for each base. */
class Tally {
  readonly right: Float64Array;
  readonly all: Float64Array;
  /** [true base, predicted base], 4 x 4. */
  readonly confusion = new Float64Array(16);

  constructor(readonly length: number) {
    this.right = new Float64Array(length);
    this.all = new Float64Array(length);
  }

  add(position: number, truth: number, predicted: number): void {
    this.all[position]++;
    if (truth === predicted) this.right[position]++;
    if (truth >= 1 && truth <= 4 && predicted >= 1 && predicted <= 4)
      this.confusion[(truth - 1) * 4 + predicted - 1]++;
  }

  get accuracy(): number {
    return sum(this.right) / Math.max(1, sum(this.all));
  }

  /** Of one base. */
  of(base: number): number {
    const row = this.confusion.subarray(base * 4, base * 4 + 4);
    return row[base] / Math.max(1, sum(row));
  }

  byPosition(): number[] {
    return Array.from(this.right, (right, i) => (this.all[i] > 0 ? right / this.all[i] : Number.NaN));
  }
}

const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0);

/** Distinct ASVs of some samples, evenly spread over the table. */
function asvsOf({ dataset }: Subject, samples: Int32Array, most: number): number[] {
  const all = [...new Set(Array.from(samples, (sample) => [...dataset.sample(sample).asvs]).flat())].sort(
    (a, b) => a - b,
  );
  const stride = Math.max(1, Math.ceil(all.length / most));
  return all.filter((_, i) => i % stride === 0);
}

/** The most frequent base at each position among ASVs: what can be guessed without looking at a sequence. */
function consensusOf({ dataset }: Subject, asvs: readonly number[], length: number) {
  const counts = new Float64Array(length * 5);
  for (const asv of asvs) {
    dataset
      .asvTokens(asv)
      .subarray(0, length)
      .forEach((token, position) => {
        if (token >= 1 && token <= 4) counts[position * 5 + token]++;
      });
  }
  const totals = [1, 2, 3, 4].map((base) =>
    sum(Array.from({ length }, (_, position) => counts[position * 5 + base])),
  );
  const best = (row: ArrayLike<number>) => [1, 2, 3, 4].reduce((x, y) => (row[y] > row[x] ? y : x), 1);
  return {
    byPosition: Array.from({ length }, (_, position) =>
      best(counts.subarray(position * 5, position * 5 + 5)),
    ),
    /** Share of the most frequent base over all positions. */
    frequent: Math.max(...totals) / Math.max(1, sum(totals)),
  };
}

interface Tallies {
  masked: Tally;
  unmasked: Tally;
  consensus: Tally;
  start: { right: number; all: number };
}

function tallyAll(
  subject: Subject,
  asvs: readonly number[],
  consensus: readonly number[],
  passes: number,
): Tallies {
  const { model, dataset, device, config, seed } = subject;
  const encoder = model.asvEncoder;
  const length = config.model.maxBp + 1;
  const tallies = { masked: new Tally(length), unmasked: new Tally(length), consensus: new Tally(length) };
  const start = { right: 0, all: 0 };
  const generator = new torch.Generator("cpu").manualSeed(seed);
  for (let from = 0; from < asvs.length; from += asvsPerChunk) {
    using _scope = torch.scope();
    const chunk = asvs.slice(from, from + asvsPerChunk);
    const values = tokenMatrix(dataset, chunk, length);
    const shape = [chunk.length, length];
    const tokens = torch.tensor(values, { shape, dtype: "int64", device });
    const predict = (input: torch.Tensor) =>
      torch.inferenceMode(() =>
        encoder.forward(input, { nucleotides: true }).nucleotides!.logits.argmax(-1).toFloat64Array(),
      );
    predict(tokens).forEach((predicted, place) => {
      const truth = values[place];
      if (truth === startToken) {
        start.all++;
        if (predicted === truth) start.right++;
      } else if (truth > 0) tallies.unmasked.add(place % length, truth, predicted);
    });
    for (let pass = 0; pass < passes; pass++) {
      const chosen = torch.rand(shape, { generator }).lt(config.model.nucMaskRatio).to(device);
      const mask = chosen.logicalAnd(isBase(tokens));
      const isMasked = mask.to("uint8").data() as Uint8Array;
      predict(tokens.maskedFill(mask, maskToken)).forEach((predicted, place) => {
        if (isMasked[place] === 0) return;
        tallies.masked.add(place % length, values[place], predicted);
        tallies.consensus.add(place % length, values[place], consensus[place % length]);
      });
    }
  }
  return { ...tallies, start };
}

/**
 * In training, the bases under the mask are changed to others: the largest change of a logit, which must be
 * 0. Masking must hide what is to be predicted.
 */
function leakOf(subject: Subject, asvs: readonly number[]): number {
  const { model, dataset, device, config, seed } = subject;
  const encoder = model.asvEncoder;
  const length = config.model.maxBp + 1;
  const some = asvs.slice(0, 32);
  const random = new Random(seed);
  const values = tokenMatrix(dataset, some, length);
  const hidden = Uint8Array.from(values, (token) =>
    token >= 1 && token <= 4 && random.float() < 0.15 ? 1 : 0,
  );
  const other = values.map((token, i) => (hidden[i] === 1 ? (token % 4) + 1 : token));
  return torch.tidy(() => {
    const shape = [some.length, length];
    const mask = torch.tensor(hidden, { shape, dtype: "bool", device });
    encoder.train();
    const logits = [values, other].map((tokens) => {
      torch.manualSeed(seed);
      const input = torch.tensor(tokens, { shape, dtype: "int64", device });
      return torch.noGrad(() => encoder.forward(input, { nucleotides: true, mask }).nucleotides!.logits);
    });
    encoder.eval();
    return logits[0].sub(logits[1]).abs().max().item();
  });
}

export const nucleotideLoss: Investigation<NucleotideSettings> = {
  name: "nucleotide-loss",
  question:
    "How well are nucleotides predicted, by position and by base, hidden and not hidden; what of START; and does the prediction of a hidden base see it?",
  needs: "run",
  settings: {
    asvs: { default: 512, is: "validation ASVs that are looked at", parse: atLeast(1) },
    passes: { default: 4, is: "different masks", parse: atLeast(1) },
  },

  async investigate(subject, settings): Promise<Finding> {
    if (subject.model.asvEncoder.nucleotideHead === null) {
      return nothingPredicted();
    }
    const asvs = asvsOf(subject, subject.validation, settings.asvs);
    const length = subject.config.model.maxBp + 1;
    const consensus = consensusOf(subject, asvsOf(subject, subject.train, Number.POSITIVE_INFINITY), length);
    const tallies = tallyAll(subject, asvs, consensus.byPosition, settings.passes);
    const { masked, unmasked, start } = tallies;
    const leak = leakOf(subject, asvs);
    const byBase = bases.map((_, base) => masked.of(base));
    const worst = byBase.indexOf(Math.min(...byBase));
    const startAccuracy = start.right / Math.max(1, start.all);
    const ends = masked.byPosition().filter(Number.isFinite);
    return {
      answer:
        `Hidden bases are predicted with an accuracy of ${percent(masked.accuracy)} (the most frequent base everywhere: ${percent(consensus.frequent)}; the most frequent one of each ` +
        `position: ${percent(tallies.consensus.accuracy)}), bases that are not hidden with ${percent(unmasked.accuracy)}. The worst base is ${bases[worst]} with ${percent(byBase[worst])}.`,
      details: [
        `START is predicted with ${percent(startAccuracy)}: it is never hidden, so the loss of a masked model never asks for it. The history's loss asked for every token, START included, ` +
          "from the sequence itself, which copying solves. Nor does the loss of a masked model ask for bases that are not hidden: their accuracy is no fault.",
        `Changing the bases under the mask changes the logits by ${leak}: ${leak === 0 ? "what is hidden is not seen" : "what is hidden is seen"}.`,
        comparedWithConsensus(masked.accuracy, tallies.consensus.accuracy),
        `By position the accuracy lies between ${percent(Math.min(...ends))} and ${percent(Math.max(...ends))}; where the consensus is high the position is conserved.`,
      ],
      tables: [
        {
          title: "Hidden bases: what was predicted",
          header: ["true base", ...bases.map((base) => `as ${base}`), "accuracy"],
          rows: bases.map((base, i) => [
            base,
            ...Array.from(masked.confusion.subarray(i * 4, i * 4 + 4)),
            percent(byBase[i]),
          ]),
        },
      ],
      plots: [
        {
          name: "positions",
          plot: await lineChart({
            title: "Accuracy by position",
            xTitle: "Position in the sequence",
            yTitle: "Accuracy",
            series: [
              { name: "hidden", x: positions(length), y: masked.byPosition() },
              { name: "not hidden", x: positions(length), y: unmasked.byPosition() },
              {
                name: "most frequent base of the position",
                x: positions(length),
                y: tallies.consensus.byPosition(),
              },
            ],
          }),
          caption: `${asvs.length} ASVs of validation samples, ${settings.passes} masks.`,
        },
        {
          name: "bases",
          plot: await barChart({
            title: "Accuracy of hidden bases",
            valueTitle: "Accuracy (%)",
            bars: bases.flatMap((base, i) => [
              { label: base, series: "model", value: 100 * byBase[i] },
              {
                label: base,
                series: "most frequent base of the position",
                value: 100 * tallies.consensus.of(i),
              },
            ]),
          }),
          caption: "By true base.",
        },
      ],
      numbers: {
        settings,
        asvs: asvs.length,
        masked: {
          accuracy: masked.accuracy,
          byPosition: masked.byPosition(),
          byBase,
          confusion: masked.confusion,
        },
        unmasked: { accuracy: unmasked.accuracy, byPosition: unmasked.byPosition() },
        consensus: { accuracy: tallies.consensus.accuracy, frequent: consensus.frequent },
        start: { accuracy: startAccuracy, n: start.all },
        leak,
      },
      verdicts: [
        {
          name: "change of logits when hidden bases change",
          value: leak,
          relation: "=",
          threshold: 0,
          holds: "The mask hides what is to be predicted.",
          fails: "The mask is broken: the prediction sees the base that it should not.",
        },
        {
          name: "accuracy of hidden bases / share of the most frequent base",
          value: masked.accuracy / consensus.frequent,
          relation: ">",
          threshold: 1,
          holds: "The model predicts better than the most frequent base.",
          fails: "The model predicts no better than always the most frequent base.",
        },
        {
          name: `accuracy of the worst base (${bases[worst]})`,
          value: byBase[worst],
          relation: ">",
          threshold: 0.25,
          holds: "Every base is predicted better than by chance.",
          fails: `${bases[worst]} is predicted no better than by chance: it is mixed up with another base, or never predicted.`,
        },
      ],
    };
  },
};

/**
 * What the model has learned beyond the base that is usual at a position, which needs
 * no look at the sequence.
 */
function comparedWithConsensus(accuracy: number, consensus: number): string {
  const points = (100 * (accuracy - consensus)).toFixed(2);
  return accuracy > consensus
    ? `The model is ${points} points above the most frequent base of each position: it uses the rest of the sequence.`
    : `The model is ${points} points from the most frequent base of each position: it has learned which base is usual where, and little yet of how positions go together.`;
}

const positions = (length: number) => Array.from({ length }, (_, position) => position);

function nothingPredicted(): Finding {
  return {
    answer: "The model has no head for nucleotides: it was trained with --nuc-penalty 0.",
    details: [],
    tables: [],
    plots: [],
    numbers: {},
    verdicts: [],
  };
}

if (import.meta.main) await runInvestigation(nucleotideLoss);
