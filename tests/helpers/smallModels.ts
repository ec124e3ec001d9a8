import { onTestDevice } from "../../lab/material/testDevice.ts";
import type { Random } from "../../src/common/random/random.ts";
import { startToken } from "../../src/common/tokens.ts";
import type { SequenceEncoderOptions } from "../../src/models/sequenceEncoder.ts";
import type { TransformerOptions } from "../../src/models/transformer.ts";
import * as torch from "../../src/torch/index.ts";

export const smallTransformer: TransformerOptions = { layers: 2, heads: 2, dim: 8, dropout: 0 };

/** An encoder that computes in milliseconds, with a nucleotide head and without dropout. */
export function smallEncoder(
  asv: Partial<SequenceEncoderOptions["asv"]> = {},
  rest: Partial<SequenceEncoderOptions> = {},
): SequenceEncoderOptions {
  return {
    asv: { ...smallTransformer, maxBp: 12, predictNucleotides: true, ...asv },
    sample: smallTransformer,
    encoder: smallTransformer,
    tokenLimit: 8,
    ...rest,
  };
}

/** Moves all parameters off their symmetric start: biases, norms and equal layers. */
export function perturb(model: torch.nn.Module, seed: number, by = 0.15): void {
  const generator = new torch.Generator("cpu").manualSeed(seed);
  torch.noGrad(() => {
    for (const parameter of model.parameters()) {
      torch.tidy(() => {
        const { shape, dtype, device } = parameter;
        parameter.add_(torch.randn(shape, { generator }).mul(by).to({ dtype, device }));
      });
    }
  });
}

/**
 * A random dense batch [B, S, L]: sequences of different length from a small pool, some with unknown bases,
 * so that ASVs occur several times, also within a sample; empty samples and samples of one ASV are frequent.
 */
export function randomDenseBatch(random: Random): { tokens: torch.Tensor; samples: number } {
  const samples = 1 + random.integer(5);
  const slots = 1 + random.integer(6);
  const length = 3 + random.integer(10);
  const pool = Array.from({ length: 1 + random.integer(6) }, () => {
    const bases = random.integer(length);
    return Array.from({ length }, (_, position) => {
      if (position === 0) return startToken;
      if (position > bases) return 0;
      return random.integer(10) === 0 ? 0 : 1 + random.integer(4);
    });
  });
  const tokens = new Uint8Array(samples * slots * length);
  for (let sample = 0; sample < samples; sample++) {
    const kind = random.integer(4);
    const filled = kind === 0 ? 0 : kind === 1 ? 1 : 1 + random.integer(slots);
    for (let slot = 0; slot < filled; slot++) {
      tokens.set(pool[random.integer(pool.length)], (sample * slots + slot) * length);
    }
  }
  const shape = [samples, slots, length];
  return { tokens: onTestDevice(torch.tensor(tokens, { shape, dtype: "int64" })), samples };
}
