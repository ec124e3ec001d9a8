/** Does the model learn distances at all? Learning curves of validation R², and what makes a difference. */

import { barChart, lineChart } from "../src/display/plots/index.ts";
import type { DistanceForm } from "../src/models/pairwiseDistances.ts";
import { EncoderTask, type TaskOptions } from "./lib/encoderTask.ts";
import { type Finding, numberText } from "./lib/finding.ts";
import { type Changes, freshWith } from "./lib/freshEncoder.ts";
import { type Context, type Investigation, runInvestigation } from "./lib/investigation.ts";
import { atLeast } from "./lib/settingValues.ts";
import { trainBriefly } from "./lib/shortTraining.ts";
import { spreadSteps } from "./lib/spreadSteps.ts";
import { meanAndError } from "./lib/statistics.ts";
import type { Subject } from "./lib/subject.ts";

export type UnderfittingSettings = {
  steps: number;
  seeds: number;
  points: number;
  batchSize: number;
  embeddingDim: number;
  layers: number;
  heads: number;
  variants: boolean;
};

interface Variant {
  readonly name: string;
  readonly changes: Changes;
  readonly task: TaskOptions;
}

interface Curve {
  readonly variant: string;
  readonly seed: number;
  readonly steps: readonly number[];
  readonly r2: readonly number[];
  /**
   * 1 - UniFrac loss of the last steps over the variance of the training pairs'
   * distances: what training sees.
   */
  readonly trainR2: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** Which changes differ from the base by more than the seeds do, and which do not. */
function describeChanges(
  variants: readonly Variant[],
  finals: (name: string) => number[],
  base: { mean: number; sd: number },
): string {
  const effects = variants.slice(1).map(({ name }) => {
    const { mean, sd } = meanAndError(finals(name));
    return {
      name,
      difference: mean - base.mean,
      isClear: Math.abs(mean - base.mean) > 2 * Math.max(sd, base.sd),
    };
  });
  const clear = effects.filter(({ isClear }) => isClear);
  const told = clear.map(
    ({ name, difference }) => `${name} (${difference > 0 ? "+" : ""}${difference.toFixed(3)})`,
  );
  return clear.length === 0
    ? "none differs by more than twice the seeds' SD"
    : `${told.join(", ")} differ${clear.length === 1 ? "s" : ""} by more than twice the seeds' SD, the others do not`;
}

/** R² of direct prediction before distances were taken from embeddings, in the history. */
const historyR2 = 0.0455;

function variantsOf({ embeddingDim, variants }: UnderfittingSettings): Variant[] {
  // The default of UniFrac metrics, whatever the run was trained with.
  const form: DistanceForm = { tanhScale: 1 };
  const base: Variant = { name: "base: tanh(d), diagonal masked", changes: {}, task: { form } };
  if (!variants) return [base];
  return [
    base,
    { name: "raw d", changes: {}, task: { form: "raw" } },
    { name: "tanh(d / 10)", changes: {}, task: { form: { tanhScale: 10 } } },
    {
      name: `embeddings of ${embeddingDim / 2}`,
      changes: { model: { embeddingDim: embeddingDim / 2 } },
      task: { form },
    },
    {
      name: `embeddings of ${embeddingDim * 2}`,
      changes: { model: { embeddingDim: embeddingDim * 2 } },
      task: { form },
    },
    { name: "diagonal not masked", changes: {}, task: { form, diagonal: true } },
    { name: "no nucleotide loss", changes: { training: { nucPenalty: 0 } }, task: { form } },
  ];
}

async function learn(
  variant: Variant,
  seed: number,
  subject: Subject,
  settings: UnderfittingSettings,
  { say }: Context,
): Promise<Curve> {
  const { steps, points, batchSize, embeddingDim, layers, heads } = settings;
  const { changes } = variant;
  const fresh = freshWith(subject, seed, {
    model: { embeddingDim, attentionLayers: layers, attentionHeads: heads, ...changes.model },
    training: { batchSize, ...changes.training },
  });
  const task = new EncoderTask(fresh.model, fresh, variant.task);
  const looks = spreadSteps(steps, points);
  const r2: number[] = [];
  const { seconds, cpuSeconds, lastLoss } = await trainBriefly(task, fresh, {
    steps,
    afterStep(step) {
      if (looks.includes(step)) r2.push(task.evaluate(fresh.validation).result.r2);
    },
  });
  const { mse, r2: last } = task.evaluate(fresh.validation).result;
  task.model.dispose();
  say(`${variant.name}, seed ${seed}: R² ${last.toFixed(4)} after ${steps} steps (${seconds.toFixed(0)} s)`);
  // The variance of the true distances, from 1 - R² = MSE / variance.
  const trainR2 = 1 - (lastLoss * (1 - last)) / mse;
  return { variant: variant.name, seed, steps: looks, r2, trainR2, seconds, cpuSeconds };
}

export const underfitting: Investigation<UnderfittingSettings> = {
  name: "underfitting",
  question:
    "Does the model learn the distances (validation R² over steps, with seeds), and what do raw or tanh distances, the size of the embeddings and masking the diagonal change?",
  needs: "run",
  settings: {
    steps: { default: 300, is: "steps of each training", parse: atLeast(1) },
    seeds: { default: 2, is: "trainings of each variant", parse: atLeast(1) },
    points: { default: 8, is: "looks at validation R² during a training", parse: atLeast(2) },
    batchSize: { default: 32, is: "samples in a batch", parse: atLeast(2) },
    embeddingDim: { default: 64, is: "size of the embeddings", parse: atLeast(2) },
    layers: { default: 2, is: "layers of each transformer", parse: atLeast(1) },
    heads: { default: 4, is: "attention heads", parse: atLeast(1) },
    variants: { default: false, is: "compare variants too, not the default configuration alone" },
  },
  demo: { steps: 150, points: 6, embeddingDim: 32, layers: 1, heads: 2, variants: true },

  async investigate(subject, settings, context): Promise<Finding> {
    const variants = variantsOf(settings);
    const curves: Curve[] = [];
    for (const variant of variants) {
      for (let i = 0; i < settings.seeds; i++)
        curves.push(await learn(variant, subject.seed + i, subject, settings, context));
    }
    const run = new EncoderTask(subject.model, subject).evaluate(subject.validation);
    const of = (name: string) => curves.filter(({ variant }) => variant === name);
    const finals = (name: string) => of(name).map(({ r2 }) => r2[r2.length - 1]);
    const base = meanAndError(finals(variants[0].name));
    const trainR2 = meanAndError(of(variants[0].name).map((curve) => curve.trainR2)).mean;
    return {
      answer:
        `The run reaches a validation R² of ${run.result.r2.toFixed(4)} (history, before distances were taken from embeddings: ${historyR2}). From fresh weights, ` +
        `${settings.steps} steps with batches of ${settings.batchSize} and embeddings of ${settings.embeddingDim} come to ${base.mean.toFixed(3)} ± ${base.sd.toFixed(3)} over ${settings.seeds} seeds` +
        `${variants.length > 1 ? `; of the changes, ${describeChanges(variants, finals, base)}` : ""}.`,
      details: [
        `What training sees in its last steps would be an R² of ${trainR2.toFixed(3)}; a validation R² far below that is bias, not lack of learning. ` +
          `The run's bias is ${run.result.bias.toFixed(4)}, its Pearson correlation ${run.result.pearson.toFixed(3)}.`,
        "Counting the diagonal adds pairs whose prediction and target are both 0: it scales loss and gradient by (B - 1) / B and teaches nothing. " +
          "It mattered for direct prediction, whose diagonal is an output like any other.",
      ],
      tables: [
        {
          title: `Validation R² after ${settings.steps} steps, ${settings.seeds} seeds`,
          header: ["variant", "R²", "± SD", "seen in training", "difference to base", "processor seconds"],
          rows: variants.map(({ name }) => {
            const { mean, sd } = meanAndError(finals(name));
            const mine = of(name);
            return [
              name,
              mean,
              sd,
              meanAndError(mine.map((curve) => curve.trainR2)).mean,
              mean - base.mean,
              meanAndError(mine.map(({ cpuSeconds }) => cpuSeconds)).mean,
            ];
          }),
        },
      ],
      plots: [
        {
          name: "curves",
          plot: await lineChart({
            title: "Validation R² from fresh weights",
            xTitle: "Step",
            yTitle: "R², not below -1",
            series: variants.map(({ name }) => ({
              name,
              x: of(name)[0].steps,
              y: of(name)[0].steps.map((_, look) =>
                Math.max(-1, meanAndError(of(name).map(({ r2 }) => r2[look])).mean),
              ),
            })),
          }),
          caption: `Means of ${settings.seeds} seeds over all validation pairs.`,
        },
        ...(subject.learningCurve.length > 1
          ? [
              {
                name: "run",
                plot: await lineChart({
                  title: "Validation R² of the run",
                  xTitle: "Step",
                  yTitle: "R²",
                  series: [
                    {
                      name: "the run",
                      x: subject.learningCurve.map(({ step }) => step),
                      y: subject.learningCurve.map(({ r2 }) => r2),
                    },
                    {
                      name: "history, direct prediction",
                      x: [subject.learningCurve[0].step, subject.learningCurve.at(-1)!.step],
                      y: [historyR2, historyR2],
                    },
                  ],
                }),
                caption: "After each epoch of the product's own training, with the run's configuration.",
              },
            ]
          : []),
        {
          name: "variants",
          plot: await barChart({
            title: `R² after ${settings.steps} steps`,
            valueTitle: "Validation R²",
            bars: [
              { label: "history, direct prediction", value: historyR2, muted: true },
              ...variants.map(({ name }) => {
                const { mean, sd } = meanAndError(finals(name));
                return { label: name, value: mean, error: sd };
              }),
              { label: "the run", value: run.result.r2 },
            ],
          }),
          caption: "Means and standard deviations over the seeds; the run was trained for longer.",
        },
      ],
      numbers: {
        settings,
        curves,
        run: run.result,
        runCurve: subject.learningCurve,
        history: { r2: historyR2 },
      },
      verdicts: [
        {
          name: "validation R² of the run",
          value: run.result.r2,
          relation: ">",
          threshold: historyR2,
          holds: `The run explains more than direct prediction did (${numberText(historyR2)}).`,
          fails:
            "The run explains no more than direct prediction did: it underfits, or its data are not in order.",
        },
        {
          name: `validation R² of the base after ${settings.steps} steps`,
          value: base.mean,
          relation: ">",
          threshold: historyR2,
          holds: "From fresh weights, distances are learnt.",
          fails:
            "The base has learnt no more than direct prediction did; give it more --steps before concluding.",
        },
      ],
    };
  },
};

if (import.meta.main) await runInvestigation(underfitting);
