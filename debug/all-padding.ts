/** How many rows are padding alone, and what does a whole model make of them? */

import { Random } from "../src/common/random/random.ts";
import { type Batch, BatchBuilder } from "../src/data/batches/batch.ts";
import { barChart } from "../src/display/plots/index.ts";
import type { SequenceEncoder } from "../src/models/sequenceEncoder.ts";
import * as torch from "../src/torch/index.ts";
import { onForward } from "../src/training/loop/forwardHooks.ts";
import { nonFiniteIn } from "../src/training/loop/nanDetector.ts";
import { batchTensors } from "../src/training/objectives/batchTensors.ts";
import { denseForward, denseTokens, transformersOf } from "./lib/denseForm.ts";
import { type Finding, percent } from "./lib/finding.ts";
import { type Investigation, runInvestigation } from "./lib/investigation.ts";
import { atLeast } from "./lib/settingValues.ts";
import type { Subject } from "./lib/subject.ts";

export type PaddingSettings = { batchSize: number; batches: number; slots: number };

/** The history's batch of 6 samples at a token limit of 256: 809 of 1536 rows. */
const historyShare = 809 / 1536;

interface Walk {
  /** Paths in the order of the forward pass, with the number of values that are not finite. */
  readonly values: { readonly path: string; readonly nonFinite: number }[];
  /** Weights whose gradient is not finite. */
  readonly gradients: string[];
  readonly weights: number;
}

const count = (value: torch.Tensor) => {
  const found = nonFiniteIn(value);
  return found ? found.nan + found.infinite : 0;
};

/** Every result of a forward pass, and every gradient of the sum of squares of the embeddings. */
function walk(
  model: SequenceEncoder,
  forward: (told: (path: string, value: torch.Tensor) => void) => torch.Tensor,
): Walk {
  return torch.tidy(() => {
    const values: { path: string; nonFinite: number }[] = [];
    model.zeroGrad();
    const embeddings = forward((path, value) => values.push({ path, nonFinite: count(value) }));
    embeddings.square().sum().backward();
    const named = [...model.namedParameters()];
    const gradients = named.filter(([, value]) => value.grad && count(value.grad) > 0).map(([path]) => path);
    model.zeroGrad();
    return { values, gradients, weights: named.length };
  });
}

function* tensorsOf(result: unknown): Generator<torch.Tensor> {
  if (result instanceof torch.Tensor) yield result;
  else if (typeof result === "object" && result !== null)
    for (const value of Object.values(result)) if (value instanceof torch.Tensor) yield value;
}

/** The product's model on a ragged batch. */
function walkOurs(subject: Subject, batch: Batch): Walk {
  const { model, device } = subject;
  return walk(model, (told) => {
    using _hooks = onForward(model, (path, _module, result) => {
      for (const value of tensorsOf(result))
        if (torch.isFloatingDtype(value.dtype)) told(path || "model", value);
    });
    return model.forward(batchTensors(batch, device).input).embeddings!;
  });
}

/** A batch with a sample that has no ASV at all, and an ASV of which no base is known. */
function withEmptySample(batch: Batch): Batch {
  const asvIndex = batch.asvIndex.slice();
  asvIndex.fill(0, 0, batch.slots);
  const counts = batch.counts.slice();
  counts.fill(0, 0, batch.slots);
  const asvTokens = batch.asvTokens.slice();
  asvTokens.fill(0, 0, batch.tokens);
  return { ...batch, asvIndex, counts, asvTokens };
}

export const allPadding: Investigation<PaddingSettings> = {
  name: "all-padding",
  question:
    "How many rows of a batch are padding alone, dense as in the reference and ragged as here, and does any module or gradient become NaN by them?",
  needs: "data",
  settings: {
    batchSize: { default: 6, is: "samples in a batch, 6 in the history", parse: atLeast(1) },
    batches: { default: 20, is: "batches that are counted", parse: atLeast(1) },
    slots: {
      default: 256,
      is: "slots a sample is padded to in dense form, 256 in the history",
      parse: atLeast(1),
    },
  },
  demo: { slots: 48 },

  async investigate(subject, { batchSize, batches, slots }, { say }): Promise<Finding> {
    const { dataset, config, model } = subject;
    const { maxBp } = config.model;
    const builder = new BatchBuilder(dataset, { tokenLimit: slots, maxBp });
    const order = new Random(subject.seed).permutation(dataset.sampleCount);
    const rows = { dense: 0, densePadding: 0, distinct: 0, distinctPadding: 0, occurrences: 0, ragged: 0 };
    const made = Math.min(batches, Math.floor(order.length / batchSize));
    for (let i = 0; i < made; i++) {
      const batch = builder.build(order.subarray(i * batchSize, (i + 1) * batchSize), new Random(0));
      const filled = batch.asvIndex.reduce((sum, row) => sum + (row > 0 ? 1 : 0), 0);
      rows.dense += batchSize * slots;
      rows.densePadding += batchSize * slots - filled;
      rows.occurrences += filled;
      rows.ragged += batchSize * batch.slots;
      rows.distinct += batch.distinct;
      for (let row = 0; row < batch.distinct; row++) {
        const tokens = batch.asvTokens.subarray(row * batch.tokens, (row + 1) * batch.tokens);
        if (tokens.every((token) => token === 0)) rows.distinctPadding++;
      }
    }
    say(`Counted ${made} batches; following one batch through the model ...`);

    const batch = builder.build(order.subarray(0, batchSize), new Random(0));
    const ours = walkOurs(subject, batch);
    const empty = walkOurs(subject, withEmptySample(batch));
    // Some slots more than the richest sample has: enough for rows of padding alone.
    const dense = denseTokens(batch, Math.min(slots, batch.slots + 4)).to(subject.device);
    const weights = model.stateDict();
    const transformers = transformersOf(config.model);
    const naive = walk(model, (onValue) =>
      denseForward(weights, dense, { transformers, emptyRows: "as they come", onValue }),
    );
    const mended = walk(model, (onValue) => denseForward(weights, dense, { transformers, onValue }));
    const sum = ({ values, gradients }: Walk) =>
      values.reduce((total, { nonFinite }) => total + nonFinite, 0) + gradients.length;
    const first = (one: Walk) => one.values.find(({ nonFinite }) => nonFinite > 0)?.path ?? "none";
    const walks: [string, Walk][] = [
      ["ours, a batch of the data", ours],
      ["ours, with an empty sample and an unknown ASV", empty],
      ["dense, empty rows set to zero", mended],
      ["dense, empty rows as they come (the history)", naive],
    ];
    const share = rows.densePadding / rows.dense;
    return {
      answer:
        `Padded to ${slots} slots, ${percent(share)} of the rows are padding alone (history: ${percent(historyShare)}); as ragged batches ` +
        `${rows.distinctPadding} of ${rows.distinct} encoded rows are. ${sum(ours) + sum(empty) === 0 ? "No module and no gradient here becomes NaN" : `NaN arises here, first in ${first(ours) === "none" ? first(empty) : first(ours)}`}; ` +
        `in the naive dense form NaN begins in ${first(naive)} and spoils ${naive.gradients.length} of ${naive.weights} weights.`,
      details: [
        `Work: dense form ${rows.dense} rows, ${rows.occurrences} of them filled; each distinct ASV once ${rows.distinct} rows, ` +
          `${(rows.dense / Math.max(rows.distinct, 1)).toFixed(1)} times fewer. The slots of samples are ragged too: ${rows.ragged} instead of ${rows.dense}.`,
        "Rows of padding alone are ordinary slots that a sample does not fill, not damaged sequences: in the history half of the rows went through " +
          "the transformer for nothing, and attention over nothing is NaN there.",
      ],
      tables: [
        {
          title: "Rows that are encoded",
          header: ["form", "rows", "padding alone", "share"],
          rows: [
            [`dense, ${slots} slots`, rows.dense, rows.densePadding, percent(share)],
            [
              "ragged, each distinct ASV once",
              rows.distinct,
              rows.distinctPadding,
              percent(rows.distinctPadding / Math.max(rows.distinct, 1)),
            ],
          ],
        },
        {
          title: "Values that are not finite on the way through the model",
          header: ["form", "first module", "values", "weights with such a gradient"],
          rows: walks.map(([name, one]) => [
            name,
            first(one),
            one.values.reduce((total, { nonFinite }) => total + nonFinite, 0),
            `${one.gradients.length} of ${one.weights}`,
          ]),
        },
      ],
      plots: [
        {
          name: "rows",
          plot: await barChart({
            title: `Rows encoded for ${made} batches of ${batchSize}`,
            valueTitle: "Rows",
            bars: [
              { label: `dense, ${slots} slots`, series: "filled", value: rows.dense - rows.densePadding },
              { label: `dense, ${slots} slots`, series: "padding alone", value: rows.densePadding },
              { label: "ragged, distinct", series: "filled", value: rows.distinct - rows.distinctPadding },
              { label: "ragged, distinct", series: "padding alone", value: rows.distinctPadding },
            ],
          }),
          caption: "The reference's batches against this project's.",
        },
      ],
      numbers: { rows, share, historyShare, walks: Object.fromEntries(walks) },
      verdicts: [
        {
          name: "values and gradients of the product's model that are not finite",
          value: sum(ours) + sum(empty),
          relation: "=",
          threshold: 0,
          holds: "Empty slots, empty samples and unknown ASVs do no harm.",
          fails: `NaN arises first in ${first(ours) === "none" ? first(empty) : first(ours)}.`,
        },
        {
          name: "rows of padding alone that are encoded",
          value: rows.distinctPadding,
          relation: "=",
          threshold: 0,
          holds: "No work is done for padding.",
          fails: "The data set has ASVs without any known base: leave them out when preparing it.",
        },
        {
          name: "values and gradients of the naive dense form that are not finite",
          value: sum(naive),
          relation: ">",
          threshold: 0,
          holds: "The history is reproduced: padding alone gives NaN in the naive form.",
          fails: "The naive form gives no NaN: every slot is filled; raise --slots.",
        },
      ],
    };
  },
};

if (import.meta.main) await runInvestigation(allPadding);
