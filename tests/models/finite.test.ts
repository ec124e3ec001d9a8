import { expect, test } from "bun:test";
import { denseToRagged, type RaggedBatch } from "../../src/models/raggedBatch.ts";
import { SequencePredictor, type SequencePredictorOptions } from "../../src/models/sequencePredictor.ts";
import * as torch from "../../src/torch/index.ts";
import { countLoss, nucleotideLoss, unifracLoss } from "../../src/training/objectives/losses.ts";
import { TargetLoss } from "../../src/training/objectives/targetLoss.ts";
import { smallEncoder, smallTransformer } from "../helpers/smallModels.ts";

torch.setNumThreads(1);

function dense(rows: readonly (readonly (readonly number[])[])[]): torch.Tensor {
  return torch.tensor(rows as number[][][], { dtype: "int64" });
}
const A = [5, 1, 2, 3, 4, 1];
const C = [5, 2, 2, 0, 0, 0];
const none = [0, 0, 0, 0, 0, 0];
const startOnly = [5, 0, 0, 0, 0, 0];

const batches: Record<string, torch.Tensor> = {
  "all padding": dense([
    [none, none],
    [none, none],
  ]),
  "no slot at all": torch.zeros([2, 0, 6], { dtype: "int64" }),
  "an empty sample": dense([
    [A, C],
    [none, none],
  ]),
  "one sample": dense([[A, C]]),
  "one empty sample": dense([[none]]),
  "identical samples": dense([
    [A, C],
    [A, C],
    [A, C],
  ]),
  "sequences without a base": dense([[startOnly], [startOnly]]),
};

const forms = ["float32", "bfloat16", "autocast"] as const;
const devices = ["cpu", "cuda"] as const;

function toDevice(batch: RaggedBatch, device: torch.Device): RaggedBatch {
  const { asvTokens, asvIndex, counts, multiplicity, ...flags } = batch;
  const [tokens, index, number, often] = [asvTokens, asvIndex, counts, multiplicity].map((value) =>
    value.to(device),
  );
  return { asvTokens: tokens, asvIndex: index, counts: number, multiplicity: often, ...flags };
}

/** Everything a training step computes, with gradients. */
function step(model: SequencePredictor, batch: RaggedBatch, form: (typeof forms)[number]): torch.Tensor {
  const samples = batch.asvIndex.size(0);
  const compute = () => model.forward(batch, { nucleotides: true });
  const { target, count, base } =
    form === "autocast"
      ? torch.autocast({ device: batch.asvTokens.device, dtype: "bfloat16" }, compute)
      : compute();
  const { device } = batch.asvTokens;
  const unknown = torch.full([samples, samples], Number.NaN, { device });
  const half = torch.where(torch.eye(samples, { device }).eq(1), unknown, 0.5);
  const nucleotides = nucleotideLoss(base.nucleotides!, {
    tokens: batch.asvTokens,
    multiplicity: batch.multiplicity,
  });
  return unifracLoss(base.embeddings!, half)
    .add(unifracLoss(base.embeddings!, half, { form: { tanhScale: 3 } }))
    .add(unifracLoss(base.embeddings!, unknown))
    .add(countLoss(count!, batch.counts, batch.asvIndex.ne(0)))
    .add(nucleotides)
    .add(new TargetLoss().regression(target, torch.full([samples, 1], Number.NaN, { device })))
    .add(new TargetLoss({ type: "mse" }).regression(target, torch.ones([samples, 1], { device })));
}

const categories = { cardinalities: { site: 3 }, columnDim: 4, heads: 2, latents: 3, layers: 1 };
const variants: Record<string, Partial<SequencePredictorOptions>> = {
  plain: {},
  "count embedding": { base: smallEncoder({ maskRatio: 0.5, maxBp: 5 }, { countEmbedding: "film" }) },
  perceiver: { categories: { ...categories, fusion: "perceiver" } },
  "cross-attention": { categories: { ...categories, fusion: "cross-attention" } },
};

const kinds = Object.entries(variants).flatMap(([variant, options]) =>
  forms.map((form) => ({ variant, options, form })),
);

for (const device of devices) {
  for (const { variant, options, form } of kinds) {
    const isThere = device === "cpu" || torch.isCudaAvailable();
    test.skipIf(!isThere)(`${device}, ${variant}, ${form}: values and gradients stay finite`, () => {
      torch.manualSeed(1);
      const base = smallEncoder({ maskRatio: 0.5, maxBp: 5, maskStrategy: "span" });
      const model = new SequencePredictor({
        base,
        count: smallTransformer,
        target: smallTransformer,
        ...options,
      });
      model.to({ device, dtype: form === "bfloat16" ? "bfloat16" : "float32" });
      for (const [kind, tokens] of Object.entries(batches)) {
        for (const training of [true, false]) {
          torch.tidy(() => {
            model.train(training).zeroGrad();
            const loss = step(model, toDevice(denseToRagged(tokens), device), form);
            expect({ kind, training, finite: Number.isFinite(loss.item()) }).toEqual({
              kind,
              training,
              finite: true,
            });
            loss.backward();
            for (const [name, parameter] of model.namedParameters()) {
              const finite = parameter.grad?.isfinite().all().itemBool() ?? true;
              expect({ kind, training, name, finite }).toEqual({ kind, training, name, finite: true });
            }
          });
        }
      }
    });
  }
}
