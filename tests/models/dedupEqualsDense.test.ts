import { expect, test } from "bun:test";
import { onTestDevice, testDevice } from "../../lab/material/testDevice.ts";
import { Random } from "../../src/common/random/random.ts";
import { maskToken } from "../../src/common/tokens.ts";
import { denseToRagged } from "../../src/models/raggedBatch.ts";
import { SequenceEncoder } from "../../src/models/sequenceEncoder.ts";
import * as torch from "../../src/torch/index.ts";
import { nucleotideLoss, unifracLoss } from "../../src/training/objectives/losses.ts";
import { denseForward } from "../helpers/denseForward.ts";
import { perturb, randomDenseBatch, smallEncoder, smallTransformer } from "../helpers/smallModels.ts";

// Small tensors: a second thread would only wait.
torch.setNumThreads(1);
const { layers, heads } = smallTransformer;

/** Largest difference as a share of `scale` (default: the largest expected value, at least 1). */
function difference(actual: torch.Tensor, expected: torch.Tensor, scale?: number): number {
  if (expected.numel === 0) return 0;
  const largest = scale ?? Math.max(expected.abs().max().item(), 1);
  return actual.sub(expected).abs().max().item() / largest;
}

/**
 * Hides bases of a dense batch, the same wherever an ASV occurs: every base at a place
 * that is a multiple of 3.
 */
function maskOf(tokens: torch.Tensor): torch.Tensor {
  const places = torch.arange(tokens.size(2), { device: tokens.device }).remainder(3).eq(1);
  return tokens.ge(1).logicalAnd(tokens.le(4)).logicalAnd(places);
}

function randomTargets(samples: number, random: Random): torch.Tensor {
  const values = new Float32Array(samples * samples);
  for (let i = 0; i < values.length; i++) values[i] = random.integer(5) === 0 ? Number.NaN : random.float();
  return onTestDevice(torch.tensor(values, { shape: [samples, samples] }));
}

/** The mean over known pairs above the diagonal, and over the chosen positions, by selecting them. */
function denseLoss(
  result: ReturnType<typeof denseForward>,
  tokens: torch.Tensor,
  mask: torch.Tensor | null,
  target: torch.Tensor,
): torch.Tensor {
  const chosen = mask ? tokens.gt(0).logicalAnd(mask) : tokens.gt(0);
  const pairs = target.isnan().logicalNot().triu(1);
  const { embeddings } = result;
  const squared = embeddings.unsqueeze(1).sub(embeddings.unsqueeze(0)).square().sum(-1);
  const errors = squared.clampMin(1e-8).sqrt().maskedSelect(pairs).sub(target.maskedSelect(pairs)).square();
  const zero = embeddings.sum().mul(0);
  const unifrac = errors.numel > 0 ? errors.mean() : zero;
  if (!chosen.any().itemBool()) return unifrac;
  const logits = result.logits.at(chosen);
  return unifrac.add(torch.nn.functional.crossEntropy(logits, tokens.at(chosen)));
}

/**
 * In float32 pairs of samples this near do not count: the derivative of a small distance enlarges the
 * rounding of both forms. In float64 all count.
 */
const nearest = 0.05;

const precisions = [
  { dtype: "float32", outputs: 1e-5, gradients: 1e-4 },
  { dtype: "float64", outputs: 1e-12, gradients: 1e-9 },
] as const;

test.each(precisions)(
  "200 random batches in $dtype: each ASV once equals every occurrence on its own",
  (bound) => {
    const { dtype } = bound;
    const model = new SequenceEncoder(smallEncoder());
    perturb(model, 3);
    model.to({ device: testDevice, dtype });
    const dense = { state: model.stateDict(), layers, heads };
    const names = [...model.namedParameters()];
    const random = new Random(11);
    const seen = { empty: 0, single: 0, repeated: 0, unknown: 0, masked: 0, one: 0 };
    for (let round = 0; round < 200; round++) {
      torch.tidy(() => {
        const { tokens, samples } = randomDenseBatch(random);
        const allTargets = randomTargets(samples, random).to(dtype);
        const mask = random.integer(2) === 0 ? maskOf(tokens) : null;
        model.train(mask !== null);
        const batch = onTestDevice(denseToRagged(tokens, null, mask));
        model.zeroGrad();
        const result = model.forward(batch, { nucleotides: true, mask: batch.mask });
        const expected = denseForward(dense, tokens, mask ? tokens.maskedFill(mask, maskToken) : tokens);
        const distances = torch.cdist(expected.embeddings, expected.embeddings, 2, 2).detach();
        const target =
          dtype === "float64" ? allTargets : allTargets.maskedFill(distances.lt(nearest), Number.NaN);
        const loss = unifracLoss(result.embeddings!, target).add(
          nucleotideLoss(result.nucleotides!, { tokens: batch.asvTokens, multiplicity: batch.multiplicity }),
        );
        loss.backward();

        expect(difference(result.embeddings!, expected.embeddings)).toBeLessThan(bound.outputs);
        expect(difference(result.sampleEmbeddings, expected.sampleEmbeddings)).toBeLessThan(bound.outputs);
        const wanted = denseLoss(expected, tokens, mask, target);
        expect(difference(loss, wanted)).toBeLessThan(bound.outputs);
        const gradients = torch.grad(
          wanted,
          names.map(([, value]) => value),
          { allowUnused: true },
        );
        const all = names.map(([, parameter], i) => gradients[i] ?? torch.zerosLike(parameter));
        const sizes = all.map((gradient) => (gradient.numel > 0 ? gradient.abs().max().item() : 0));
        // Gradients that cancel to next to nothing keep the rounding of what they are sums of.
        const least = Math.max(1e-2, Math.max(...sizes) / 10);
        names.forEach(([name, parameter], i) => {
          const scale = Math.max(sizes[i], least);
          const error = difference(parameter.grad ?? torch.zerosLike(parameter), all[i], scale);
          expect({ round, name, fits: error < bound.gradients }).toEqual({ round, name, fits: true });
        });

        const filled = tokens.select(2, 0).gt(0).sum(1).toFloat64Array();
        if (filled.includes(0)) seen.empty++;
        if (filled.includes(1)) seen.single++;
        if (batch.multiplicity.numel > 0 && batch.multiplicity.max().item() > 1) seen.repeated++;
        if (batch.hasAsvPadding) seen.unknown++;
        if (mask) seen.masked++;
        if (samples === 1) seen.one++;
      });
    }
    // The batches were as varied as they were meant to be.
    for (const [what, count] of Object.entries(seen))
      expect({ what, enough: count >= 15 }).toEqual({ what, enough: true });
  },
  240_000,
);
