/**
 * Where along the layers do this project's numbers leave those of the plain form first? The plain form
 * (lib/denseForm.ts) is dense, written for this purpose, and in float64; with `--case` the numbers of the
 * original AAM are compared too. A checkpoint of the reference is made a run by `bun run convert` first.
 */

import { Random } from "../src/common/random/random.ts";
import { UserError } from "../src/common/userError.ts";
import { BatchBuilder } from "../src/data/batches/batch.ts";
import { lineChart } from "../src/display/plots/index.ts";
import { unpack } from "../src/models/packing.ts";
import { denseToRagged, type RaggedBatch } from "../src/models/raggedBatch.ts";
import { SequenceEncoder } from "../src/models/sequenceEncoder.ts";
import { sequenceEncoderOptions } from "../src/reference/config.ts";
import { loadCase, withPrefix } from "../src/reference/parity/caseFile.ts";
import * as torch from "../src/torch/index.ts";
import { chosenCountEmbedding } from "../src/training/config/buildModel.ts";
import { onForward } from "../src/training/loop/forwardHooks.ts";
import { type DenseOptions, denseForward, denseTokens, transformersOf } from "./lib/denseForm.ts";
import { type Finding, numberText } from "./lib/finding.ts";
import { type Investigation, runInvestigation } from "./lib/investigation.ts";
import { atLeast } from "./lib/settingValues.ts";
import type { Subject } from "./lib/subject.ts";
import type { Verdict } from "./lib/verdict.ts";

export type DriftSettings = { batchSize: number; case: string };

type Precision = "float32" | "float64";

/** A model with inputs that both forms take. */
export interface Compared {
  readonly model: SequenceEncoder;
  readonly transformers: DenseOptions["transformers"];
  /** [B, S, L] int64 */
  readonly tokens: torch.Tensor;
  /** Of the reference, by name (`embeddings`, `sample_embeddings`); empty without a case. */
  readonly expected: ReadonlyMap<string, torch.Tensor>;
  readonly about: string;
}

/** Largest difference of two tensors in units of the largest value. */
export interface Drift {
  readonly path: string;
  readonly ours32: number;
  readonly ours64: number;
  /** Of the plain form itself in float32: what rounding alone comes to. */
  readonly plain32: number;
}

const exactTolerance = 1e-9;
const singleTolerance = 1e-4;

function fromSubject(subject: Subject, batchSize: number): Compared {
  const { dataset, config, model, seed } = subject;
  if (chosenCountEmbedding(config) !== null)
    throw new UserError("The plain form has no count embedding; give a run without --count-embedding.");
  const { tokenLimit, maxBp } = config.model;
  const builder = new BatchBuilder(dataset, { tokenLimit, maxBp });
  const samples = new Random(seed).permutation(dataset.sampleCount).slice(0, batchSize);
  const tokens = denseTokens(builder.build(samples, new Random(0)));
  const about = `${samples.length} samples of the data`;
  return { model, transformers: transformersOf(config.model), tokens, expected: new Map(), about };
}

function fromCase(folder: string): Compared {
  const { name, description, tensors } = loadCase(folder);
  if (description.kind !== "model" || description.module !== "SequenceEncoder")
    throw new UserError(`${folder} is no case of a SequenceEncoder; give another.`);
  const options = sequenceEncoderOptions(description.config, `case ${name}`);
  if ((options.encoderType ?? "unifrac") !== "unifrac" || options.countEmbedding)
    throw new UserError(`${folder} is not a unifrac encoder without counts; give another case.`);
  const model = new SequenceEncoder(options);
  model.loadStateDict(withPrefix(tensors, "weights/"));
  return {
    model: model.eval(),
    transformers: { asv: options.asv, sample: options.sample, encoder: options.encoder },
    tokens: tensors.get("inputs/tokens")!.to("int64"),
    expected: withPrefix(tensors, "outputs/"),
    about: `case ${name} of the original AAM`,
  };
}

/** Results by path and gradients by weight, as float64 numbers in one layout; padding is 0. */
interface Trace {
  readonly values: ReadonlyMap<string, Float64Array>;
  readonly gradients: ReadonlyMap<string, Float64Array>;
}

/** What both forms must agree on: results where there is something, one row for each distinct ASV. */
class Layout {
  readonly #firstSlot: torch.Tensor;
  readonly #asvFilled: torch.Tensor;
  readonly #sampleFilled: torch.Tensor;

  constructor(readonly batch: RaggedBatch) {
    const index = batch.asvIndex.toFloat64Array();
    const first = new BigInt64Array(batch.asvTokens.size(0)).fill(-1n);
    index.forEach((row, slot) => {
      if (row > 0 && first[row - 1] < 0n) first[row - 1] = BigInt(slot);
    });
    this.#firstSlot = torch.tensor(first);
    this.#asvFilled = batch.asvTokens.ne(0).unsqueeze(-1);
    this.#sampleFilled = batch.asvIndex.ne(0).unsqueeze(-1);
  }

  plain(path: string, value: torch.Tensor): Float64Array {
    return this.#numbers(path, isOfAsvs(path) ? value.indexSelect(0, this.#firstSlot) : value);
  }

  /** Ours come as [rows * T, D] from layers, or packed without padding. */
  ours(path: string, value: torch.Tensor): Float64Array {
    if (path.endsWith("attention_pooling")) return this.#numbers(path, value);
    const { asvTokens, asvIndex, asvPacking, samplePacking } = this.batch;
    const [rows, packing] = isOfAsvs(path) ? [asvTokens, asvPacking] : [asvIndex, samplePacking];
    const isPacked = packing && value.size(0) === packing.positions.numel && value.ndim === 2;
    const padded = isPacked ? unpack(value, packing, rows.numel) : value;
    return this.#numbers(path, padded.reshape([...rows.shape, -1]));
  }

  #numbers(path: string, value: torch.Tensor): Float64Array {
    const pooled = path.endsWith("attention_pooling");
    const kept = pooled ? value : value.mul(isOfAsvs(path) ? this.#asvFilled : this.#sampleFilled);
    return kept.detach().to("float64").toFloat64Array();
  }
}

const isOfAsvs = (path: string) => path.startsWith("sample_encoder.asv_encoder");

function gradientsOf(model: SequenceEncoder): Map<string, Float64Array> {
  const gradients = new Map<string, Float64Array>();
  for (const [path, value] of model.namedParameters()) {
    using gradient = value.grad;
    if (gradient) gradients.set(path, gradient.toFloat64Array());
  }
  model.zeroGrad();
  return gradients;
}

/** A fixed weight of each value of the embeddings, so that the gradient is that of their weighted sum. */
function weigh(embeddings: torch.Tensor): torch.Tensor {
  const random = new Random(11);
  const values = Float64Array.from({ length: embeddings.numel }, () => random.normal());
  return embeddings.mul(torch.tensor(values, { shape: embeddings.shape }).to(embeddings.dtype)).sum();
}

function tracePlain({ model, tokens, transformers }: Compared, layout: Layout): Trace {
  return torch.tidy(() => {
    const values = new Map<string, Float64Array>();
    const onValue = (path: string, value: torch.Tensor) => values.set(path, layout.plain(path, value));
    model.zeroGrad();
    weigh(denseForward(model.stateDict(), tokens, { transformers, onValue })).backward();
    return { values, gradients: gradientsOf(model) };
  });
}

function traceOurs(model: SequenceEncoder, layout: Layout, wanted: ReadonlySet<string>): Trace {
  return torch.tidy(() => {
    const values = new Map<string, Float64Array>();
    using _hooks = onForward(model, (path, _module, result) => {
      if (wanted.has(path)) values.set(path, layout.ours(path, result as torch.Tensor));
    });
    model.zeroGrad();
    weigh(model.forward(layout.batch).embeddings!).backward();
    return { values, gradients: gradientsOf(model) };
  });
}

function relative(left: Float64Array | undefined, right: Float64Array): number {
  if (left === undefined) return Number.POSITIVE_INFINITY;
  let [difference, largest] = [0, 0];
  for (let i = 0; i < right.length; i++) {
    if (!Number.isFinite(left[i]) || !Number.isFinite(right[i])) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, Math.abs(left[i] - right[i]));
    largest = Math.max(largest, Math.abs(right[i]));
  }
  return largest > 0 ? difference / largest : difference;
}

/**
 * Ours and the plain form in both precisions, against the plain form in float64. Leaves the model as it was.
 */
export function compareForms(compared: Compared): { values: Drift[]; gradients: Drift[] } {
  using _scope = torch.scope();
  const { model } = compared;
  const layout = new Layout(denseToRagged(compared.tokens));
  const kept = new Map([...model.stateDict()].map(([name, value]) => [name, value.detach().clone()]));
  const traces = {} as Record<Precision, { plain: Trace; ours: Trace }>;
  for (const dtype of ["float64", "float32"] as const) {
    model.to({ dtype });
    const plain = tracePlain(compared, layout);
    traces[dtype] = { plain, ours: traceOurs(model, layout, new Set(plain.values.keys())) };
  }
  model.loadStateDict(kept);
  const drifts = (part: keyof Trace) =>
    [...traces.float64.plain[part]].map(([path, truth]) => ({
      path,
      ours32: relative(traces.float32.ours[part].get(path), truth),
      ours64: relative(traces.float64.ours[part].get(path), truth),
      plain32: relative(traces.float32.plain[part].get(path), truth),
    }));
  return { values: drifts("values"), gradients: drifts("gradients") };
}

/** Ours against the reference's stored results, in float32. */
function compareExpected({ model, tokens, expected }: Compared): { name: string; drift: number }[] {
  return torch.tidy(() => {
    const encoding = torch.noGrad(() => model.forward(denseToRagged(tokens)));
    const ours: Record<string, torch.Tensor | null> = {
      embeddings: encoding.embeddings,
      sample_embeddings: encoding.sampleEmbeddings,
    };
    return [...expected].flatMap(([name, value]) =>
      ours[name] ? [{ name, drift: relative(ours[name].toFloat64Array(), value.toFloat64Array()) }] : [],
    );
  });
}

/** The first result beyond a tolerance; `none`. */
function firstBeyond(drifts: readonly Drift[], column: "ours32" | "ours64", tolerance: number): string {
  return drifts.find((drift) => !(drift[column] <= tolerance))?.path ?? "none";
}

const worstOf = (drifts: readonly Drift[], column: "ours32" | "ours64" | "plain32") =>
  drifts.reduce((worst, drift) => (drift[column] > worst ? drift[column] : worst), 0);

export const parityDrift: Investigation<DriftSettings> = {
  name: "parity-drift",
  question:
    "Where along the layers does the product leave the plain dense form of the same weights (and the original AAM) first, per tensor, in float32 and float64, forward and backward?",
  needs: "data",
  settings: {
    batchSize: { default: 3, is: "samples that are compared", parse: atLeast(1) },
    case: { default: "", is: "folder of a parity case of a SequenceEncoder, compared as well" },
  },
  demo: { batchSize: 6 },

  async investigate(subject, settings, { say }): Promise<Finding> {
    const compared = fromSubject(subject, settings.batchSize);
    const reference = settings.case ? fromCase(settings.case) : null;
    say(`Comparing on ${compared.about}${reference ? ` and on ${reference.about}` : ""} ...`);
    const { values, gradients } = compareForms(compared);
    const expected = reference ? compareExpected(reference) : [];
    const first64 = firstBeyond(values, "ours64", exactTolerance);
    const first32 = firstBeyond(values, "ours32", singleTolerance);
    const worst = {
      ours64: Math.max(worstOf(values, "ours64"), worstOf(gradients, "ours64")),
      ours32: Math.max(worstOf(values, "ours32"), worstOf(gradients, "ours32")),
      plain32: Math.max(worstOf(values, "plain32"), worstOf(gradients, "plain32")),
    };
    const steepest = [...gradients].sort((a, b) => b.ours32 - a.ours32).slice(0, 6);
    const verdicts: Verdict[] = [
      {
        name: "largest deviation in float64, results and gradients",
        value: worst.ours64,
        relation: "<",
        threshold: exactTolerance,
        holds: "The product computes the same function as the plain form.",
        fails: `The product computes something else, first in ${first64}.`,
      },
      {
        name: "largest deviation in float32, results and gradients",
        value: worst.ours32,
        relation: "<",
        threshold: singleTolerance,
        holds: "Rounding in float32 stays small.",
        fails: `Rounding in float32 is large, first in ${first32}.`,
      },
    ];
    if (expected.length > 0) {
      verdicts.push({
        name: "largest deviation from the original AAM's results",
        value: Math.max(...expected.map(({ drift }) => drift)),
        relation: "<",
        threshold: singleTolerance,
        holds: "The product gives the reference's numbers.",
        fails: "The product does not give the reference's numbers.",
      });
    }
    return {
      answer:
        `In float64 ours and the plain form differ by at most ${worst.ours64.toExponential(1)} of the largest value (first beyond ${exactTolerance}: ${first64}), in float32 by ` +
        `${worst.ours32.toExponential(1)}, where rounding of the plain form alone comes to ${worst.plain32.toExponential(1)}.`,
      details: [
        ...expected.map(
          ({ name, drift }) => `Against the original AAM's ${name}: ${drift.toExponential(2)}.`,
        ),
        "A fault in one module shows in float64 as a jump from 1e-15 at the first result that it touches; rounding grows gently along the layers.",
      ],
      tables: [
        {
          title: "Results in the order of the forward pass, deviation from the plain form in float64",
          header: ["module", "ours, float64", "ours, float32", "plain form, float32"],
          rows: values.map(({ path, ours64, ours32, plain32 }) => [path, ours64, ours32, plain32]),
        },
        {
          title: "The gradients that deviate most in float32",
          header: ["weight", "ours, float64", "ours, float32", "plain form, float32"],
          rows: steepest.map(({ path, ours64, ours32, plain32 }) => [path, ours64, ours32, plain32]),
        },
      ],
      plots: [
        {
          name: "drift",
          plot: await lineChart({
            title: "Deviation along the layers",
            subtitle: ["From the plain form in float64, in units of each result's largest value"],
            xTitle: "Results in the order of the forward pass",
            yTitle: "Deviation",
            logY: true,
            series: (["ours32", "plain32", "ours64"] as const).map((column) => ({
              name: { ours32: "ours, float32", plain32: "plain form, float32", ours64: "ours, float64" }[
                column
              ],
              x: values.map((_, i) => i + 1),
              y: values.map((drift) => drift[column]),
            })),
          }),
          caption: values.map(({ path }, i) => `${i + 1} ${path}`).join(", "),
        },
      ],
      numbers: {
        compared: compared.about,
        reference: reference?.about ?? null,
        values,
        gradients,
        expected,
        worst: Object.fromEntries(Object.entries(worst).map(([k, v]) => [k, numberText(v)])),
      },
      verdicts,
    };
  },
};

if (import.meta.main) await runInvestigation(parityDrift);
