/**
 * What should a fine-tuned model of a frozen encoder be predicted from, and how should it be trained? Each
 * way is trained on the same folds of whole groups, and judged on the samples that are held out.
 *
 *     bun run debug/fine-tuned-head.ts --data DIR --column month_of_life --by host_subject_id --encoder RUN
 */
import { UserError } from "../src/common/userError.ts";
import { textValues } from "../src/data/encoding/categories.ts";
import { makeFolds } from "../src/data/split/folds.ts";
import { barChart } from "../src/display/plots/index.ts";
import type { FineTuneInput } from "../src/training/config/config.ts";
import { fineTuneConfig } from "../src/training/config/defaults.ts";
import { mergeSettings, type Settings } from "../src/training/config/mergeSettings.ts";
import { fineTunedOn } from "../src/training/predictors/fineTuned.ts";
import type { LearnTarget } from "../src/training/predictors/learner.ts";
import type { Finding } from "./lib/finding.ts";
import { type Investigation, runInvestigation } from "./lib/investigation.ts";
import { atLeast } from "./lib/settingValues.ts";
import type { Subject } from "./lib/subject.ts";

type HeadSettings = Readonly<{ column: string; by: string; encoder: string; folds: number; epochs: number }>;

/** Ways to train, the default first; others say what is different. */
const variants: Readonly<Record<string, FineTuneInput>> = {
  "blocks, as by default": {},
  "Huber's loss up to 1 SD": { target: { huberDelta: 1 } },
  "squared errors": { target: { lossType: "mse", huberDelta: 1 } },
  "no power of the numbers": { target: { transform: "zscore" } },
  "a hundredth of the penalty": { target: { ridge: 0.003 } },
  "sums of effects alone": {
    target: { pooling: "sum", transform: "zscore", huberDelta: 1 },
    training: { lr: 0.1, weightDecay: 0.0015, epochs: 60 },
  },
  "codes alone, AdamW": {
    bestMetric: "target_loss",
    target: { pooling: "codes", transform: "zscore", huberDelta: 1 },
    training: { optimizer: "adamw", lr: 1e-3, epochs: 100 },
  },
};

/** Numbers of a column by sample, NaN where there is none. */
function targetOf({ dataset }: Subject, column: string): LearnTarget {
  const { values: texts } = textValues(dataset.column(column));
  const values = Float64Array.from(texts, (text) => (text === null ? Number.NaN : Number(text)));
  const wrong = texts.find((text, i) => text !== null && !Number.isFinite(values[i]));
  if (wrong !== undefined)
    throw new UserError(`"${column}" holds "${wrong}", which is no number; give another --column.`);
  return { kind: "numbers", column, values, classes: [] };
}

export const fineTunedHead: Investigation<HeadSettings> = {
  name: "fine-tuned-head",
  question:
    "What should a fine-tuned model of a frozen encoder be predicted from, and how should it be trained?",
  needs: "data",
  settings: {
    column: { default: "ph", is: "numbers that are predicted", parse: (text) => text },
    by: { default: "none", is: "column of groups that are held out whole", parse: (text) => text },
    encoder: { default: "builtin", is: "a pretraining run, or builtin", parse: (text) => text },
    folds: { default: 5, is: "parts, each held out once", parse: atLeast(2) },
    epochs: { default: 0, is: "epochs of every training; 0: those of its way", parse: atLeast(0) },
  },
  demo: { folds: 2, epochs: 10 },

  async investigate(subject, { column, by, encoder, folds, epochs }, { say }): Promise<Finding> {
    const { dataset, seed } = subject;
    const target = targetOf(subject, column);
    const samples = Int32Array.from(target.values.keys()).filter((i) => !Number.isNaN(target.values[i]));
    const groups = by === "none" ? undefined : { column: by, values: textValues(dataset.column(by)).values };
    const parts = makeFolds(samples, { folds, seed, groups });
    const found: { name: string; mae: number }[] = [];
    for (const [name, variant] of Object.entries(variants)) {
      const given: Settings = {
        ...{ pretrainedEncoder: encoder, freezeBase: true, split: { by: groups ? by : null } },
        target: { metadataColumn: [column], pooling: "blocks" },
        training: { seed },
      };
      const own = mergeSettings(given, variant as Settings);
      const all = epochs > 0 ? mergeSettings(own, { training: { epochs } }) : own;
      const config = fineTuneConfig(all as FineTuneInput);
      let sum = 0;
      for (const fold of parts) {
        const predicted = await fineTunedOn(dataset, config, fold, target);
        fold.test.forEach((sample, i) => {
          sum += Math.abs(predicted[i] - target.values[sample]);
        });
      }
      found.push({ name, mae: sum / samples.length });
      say(`${name}: mean absolute error ${found[found.length - 1].mae.toFixed(3)}`);
    }
    const [first, ...others] = found;
    const best = others.reduce((a, b) => (b.mae < a.mae ? b : a));
    return {
      answer:
        `Off by ${first.mae.toFixed(3)} with the default, blocks; of the other ways, "${best.name}" comes nearest ` +
        `with ${best.mae.toFixed(3)}.`,
      details: [
        `${samples.length} samples; each is held out once in ${folds} parts${groups ? ` of whole ${by}` : ""}.`,
      ],
      tables: [
        {
          title: `Mean absolute error of ${column}`,
          header: ["way", "error"],
          rows: found.map(({ name, mae }) => [name, mae]),
        },
      ],
      plots: [
        {
          name: "ways",
          plot: await barChart({
            title: `Mean absolute error of ${column}`,
            valueTitle: "Held-out samples",
            bars: found.map(({ name, mae }) => ({ label: name, value: mae })),
          }),
          caption: "Less is better.",
        },
      ],
      numbers: { column, folds, ways: found },
      verdicts: [
        {
          name: "error of sums of effects alone less that of blocks",
          value: found[5].mae - first.mae,
          relation: ">",
          threshold: 0,
          holds: "blocks are better than sums of effects alone",
          fails: "sums of effects alone are as good here",
        },
      ],
    };
  },
};

if (import.meta.main) await runInvestigation(fineTunedHead);
