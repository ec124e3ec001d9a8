import type { SequenceEncoder } from "../../src/models/sequenceEncoder.ts";
import * as torch from "../../src/torch/index.ts";
import { buildSequenceEncoder } from "../../src/training/config/buildModel.ts";
import { type PretrainConfig, pretrainSchema } from "../../src/training/config/config.ts";
import type { Subject } from "./subject.ts";

/** What is changed of a subject's configuration for a training of its own. */
export interface Changes {
  readonly model?: Partial<PretrainConfig["model"]>;
  readonly training?: Partial<PretrainConfig["training"]>;
}

/** The UniFrac encoder of a configuration, with fresh weights from the default generator. */
export function freshEncoder(config: PretrainConfig): SequenceEncoder {
  const predictNucleotides = config.training.nucPenalty > 0;
  return buildSequenceEncoder(config, { encoderType: "unifrac", predictNucleotides });
}

/**
 * A subject whose model has fresh weights from a seed, and a configuration with changes.
 * Dispose the model after use.
 */
export function freshWith(subject: Subject, seed: number, { model, training }: Changes): Subject {
  const { config, device } = subject;
  const changed = pretrainSchema.parse({
    ...config,
    model: { ...config.model, ...model },
    training: { ...config.training, seed, ...training },
  });
  torch.manualSeed(seed);
  const encoder = freshEncoder(changed);
  encoder.to(device);
  return { ...subject, config: changed, model: encoder, trained: false, seed };
}
