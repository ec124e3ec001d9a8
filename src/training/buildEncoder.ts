import { SequenceEncoder } from "../models/sequenceEncoder.ts";
import type { ModelConfig } from "./config.ts";

/** The UniFrac encoder of a configuration, with fresh weights from the default generator. */
export function buildEncoder(config: ModelConfig, options: { predictNucleotides: boolean }): SequenceEncoder {
  const { embeddingDim: dim, layers, heads, dropout, activation } = config;
  const transformer = { dim, layers, heads, dropout, activation };
  return new SequenceEncoder({
    asv: {
      ...transformer,
      maxBases: config.maxBases,
      predictNucleotides: options.predictNucleotides,
      maskRatio: options.predictNucleotides ? config.maskRatio : 0,
      maskStrategy: config.maskStrategy,
    },
    sample: transformer,
    encoder: transformer,
    tokenLimit: config.tokenLimit,
    encoderType: "unifrac",
  });
}
