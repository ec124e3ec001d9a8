/**
 * What makes an encoder match UniFrac: what codes are made from, how a sample's ASVs are pooled, and how two
 * samples are compared. Each combination is trained from fresh weights for the same number of steps.
 *
 *     bun run debug/set-or-average.ts --data DIR
 */
import { join } from "node:path";
import { barChart } from "../src/display/plots/index.ts";
import { ProgressDisplay } from "../src/display/terminal/progressBar.ts";
import type { PretrainInput } from "../src/training/config/config.ts";
import { pretrainConfig } from "../src/training/config/defaults.ts";
import { pretrain } from "../src/training/tasks/pretrain.ts";
import type { Finding } from "./lib/finding.ts";
import { type Context, type Investigation, runInvestigation } from "./lib/investigation.ts";
import { atLeast } from "./lib/settingValues.ts";
import type { Subject } from "./lib/subject.ts";

type SetOrAverageSettings = Readonly<{ steps: number; codeDim: number; embeddingDim: number }>;

interface Variant {
  readonly codes: string;
  readonly pooling: string;
  readonly form: string;
  readonly model: NonNullable<PretrainInput["model"]>;
}

/** Of a metric of presence, and of one of shares. */
function variantsOf(metric: string, { codeDim, embeddingDim }: SetOrAverageSettings): Variant[] {
  const ofShares = metric.startsWith("weighted") || metric === "generalized";
  const pooling = metric === "generalized" ? "root" : ofShares ? "share" : "union";
  const form = ofShares ? "l1" : "tanimoto";
  const other = ofShares ? "union" : "share";
  const shape = { embeddingDim, attentionLayers: 1, attentionHeads: 2 };
  const set = { encoder: "set", codeDim } as const;
  const aam = { encoder: "aam", ...shape } as const;
  return [
    { codes: "words", pooling, form, model: { ...set, pooling, distanceForm: form } },
    { codes: "words", pooling: other, form, model: { ...set, pooling: other, distanceForm: form } },
    { codes: "words", pooling, form: "tanh(d)", model: { ...set, pooling, distanceForm: "tanh" } },
    {
      codes: "bases",
      pooling,
      form,
      model: { ...set, ...shape, codes: "transformer", pooling, distanceForm: form },
    },
    { codes: "transformers", pooling, form, model: { ...aam, pooling, distanceForm: form } },
    {
      codes: "transformers",
      pooling: "average",
      form,
      model: { ...aam, pooling: "attention", distanceForm: form },
    },
    {
      codes: "transformers",
      pooling: "average",
      form: "tanh(d)",
      model: { ...aam, pooling: "attention", distanceForm: "tanh" },
    },
  ];
}

async function learn(
  variant: Variant,
  at: number,
  subject: Subject,
  steps: number,
  { scratch, say }: Context,
) {
  const { dataset, metric, seed, device } = subject;
  const config = pretrainConfig({
    unifracMetric: metric as PretrainInput["unifracMetric"],
    startFrom: "none",
    model: { maxBp: subject.config.model.maxBp, ...variant.model },
    training: { maxSteps: steps, epochs: 1_000_000, patience: 1_000_000, seed, nucPenalty: 0 },
  });
  const output = join(scratch, `variant-${at}`);
  const display = new ProgressDisplay("quiet");
  const { summary } = await pretrain({
    dataset,
    output,
    config,
    device,
    resume: false,
    display,
    plots: false,
  });
  const r2 = summary["val.unifrac_r2"];
  const seconds = summary["train.seconds"];
  say(
    `${variant.codes}, ${variant.pooling}, ${variant.form}: R² ${r2.toFixed(4)} in ${seconds.toFixed(0)} s`,
  );
  return { ...variant, r2, seconds };
}

export const setOrAverage: Investigation<SetOrAverageSettings> = {
  name: "set-or-average",
  question:
    "What makes distances of embeddings match UniFrac: words or bases as input, samples as sets or as averages, or how two samples are compared?",
  needs: "data",
  settings: {
    steps: { default: 400, is: "steps of each training", parse: atLeast(1) },
    codeDim: { default: 256, is: "codes of the set encoder", parse: atLeast(2) },
    embeddingDim: { default: 32, is: "size of the transformers' embeddings", parse: atLeast(2) },
  },
  demo: { steps: 60, codeDim: 64, embeddingDim: 16 },

  async investigate(subject, settings, context): Promise<Finding> {
    const found: Awaited<ReturnType<typeof learn>>[] = [];
    for (const [at, variant] of variantsOf(subject.metric, settings).entries())
      found.push(await learn(variant, at, subject, settings.steps, context));
    const [first, ...others] = found;
    const best = others.reduce((a, b) => (b.r2 > a.r2 ? b : a));
    const label = ({ codes, pooling, form }: Variant) => `${codes}, ${pooling}, ${form}`;
    return {
      answer:
        `After ${settings.steps} steps the set encoder of words (${label(first)}) has a validation R² of ${first.r2.toFixed(3)}; ` +
        `of what is changed in it one part at a time, ${label(best)} comes nearest with ${best.r2.toFixed(3)}.`,
      details: [
        "All combinations have the same samples, steps and seed; seconds differ, since transformers cost more.",
      ],
      tables: [
        {
          title: `Validation R² after ${settings.steps} steps`,
          header: ["codes from", "pooling", "form", "R²", "seconds"],
          rows: found.map(({ codes, pooling, form, r2, seconds }) => [codes, pooling, form, r2, seconds]),
        },
      ],
      plots: [
        {
          name: "variants",
          plot: await barChart({
            title: `R² after ${settings.steps} steps, not below -1`,
            valueTitle: "Validation R²",
            bars: found.map((variant) => ({ label: label(variant), value: Math.max(-1, variant.r2) })),
          }),
          caption: "All pairs of the validation samples.",
        },
      ],
      numbers: { steps: settings.steps, variants: found.map(({ model: _model, ...rest }) => rest) },
      verdicts: [
        {
          name: "R² of the set encoder less that of averages compared by tanh(d)",
          value: first.r2 - found[found.length - 1].r2,
          relation: ">",
          threshold: 0,
          holds: "sets match UniFrac better than averages",
          fails: "averages match UniFrac as well as sets here",
        },
      ],
    };
  },
};

if (import.meta.main) await runInvestigation(setOrAverage);
