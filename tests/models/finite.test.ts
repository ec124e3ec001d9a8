import { expect, test } from "bun:test";
import { denseToRagged, type RaggedBatch } from "../../src/models/batch.ts";
import { SequencePredictor, type SequencePredictorOptions } from "../../src/models/sequencePredictor.ts";
import * as torch from "../../src/torch/index.ts";
import { countLoss, nucleotideLoss, unifracLoss } from "../../src/training/losses.ts";
import { TargetLoss } from "../../src/training/targetLoss.ts";
import { smallEncoder, smallTransformer } from "./smallModels.ts";

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

/** Everything a training step computes, with gradients. */
function step(model: SequencePredictor, batch: RaggedBatch, form: (typeof forms)[number]): torch.Tensor {
  const samples = batch.asvIndex.size(0);
  const compute = () => model.forward(batch, { nucleotides: true });
  const { target, count, base } =
    form === "autocast" ? torch.autocast({ dtype: "bfloat16" }, compute) : compute();
  const unknown = torch.full([samples, samples], Number.NaN);
  const half = torch.where(torch.eye(samples).eq(1), unknown, 0.5);
  const nucleotides = nucleotideLoss(base.nucleotides!, {
    tokens: batch.asvTokens,
    multiplicity: batch.multiplicity,
  });
  return unifracLoss(base.embeddings!, half)
    .add(unifracLoss(base.embeddings!, half, { form: { tanhScale: 3 } }))
    .add(unifracLoss(base.embeddings!, unknown))
    .add(countLoss(count!, batch.counts, batch.asvIndex.ne(0)))
    .add(nucleotides)
    .add(new TargetLoss().regression(target, torch.full([samples, 1], Number.NaN)))
    .add(new TargetLoss({ type: "mse" }).regression(target, torch.ones([samples, 1])));
}

const categories = { cardinalities: { site: 3 }, columnDim: 4, heads: 2, latents: 3, layers: 1 };
const variants: Record<string, Partial<SequencePredictorOptions>> = {
  plain: {},
  "count embedding": { base: smallEncoder({ maskRatio: 0.5, maxBases: 5 }, { countEmbedding: "film" }) },
  perceiver: { categories: { ...categories, fusion: "perceiver" } },
  "cross-attention": { categories: { ...categories, fusion: "cross-attention" } },
};

for (const [variant, options] of Object.entries(variants)) {
  for (const form of forms) {
    test(`${variant}, ${form}: values and gradients stay finite`, () => {
      torch.manualSeed(1);
      const base = smallEncoder({ maskRatio: 0.5, maxBases: 5, maskStrategy: "span" });
      const model = new SequencePredictor({
        base,
        count: smallTransformer,
        target: smallTransformer,
        ...options,
      });
      if (form === "bfloat16") model.to({ dtype: "bfloat16" });
      for (const [kind, tokens] of Object.entries(batches)) {
        for (const training of [true, false]) {
          torch.tidy(() => {
            model.train(training).zeroGrad();
            const loss = step(model, denseToRagged(tokens), form);
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
