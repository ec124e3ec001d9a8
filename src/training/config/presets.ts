import { referenceTanhScale } from "../../models/pairwiseDistances.ts";
import type { FineTuneInput, PretrainInput } from "./config.ts";

/** States of the original AAM whose models and losses can be had; the defaults are those that train best. */
export const presetNames = ["seed", "latest"] as const;
export type PresetName = (typeof presetNames)[number];

type Preset = Pick<FineTuneInput, "model" | "training" | "target"> &
  Pick<PretrainInput, "sampleEpochs" | "nucShare">;

const shape = {
  encoder: "aam",
  embeddingDim: 128,
  attentionLayers: 4,
  attentionHeads: 4,
  dropout: 0.1,
  referenceForm: true,
} as const;
/** Not its warm-up of 10,000 steps, which is longer than most runs: that stays a share of the training. */
const optimization = {
  batchSize: 8,
  lr: 1e-4,
  decayAll: true,
  lrFloor: 0,
  maxGradNorm: null,
  penalty: 1,
  nucPenalty: 1,
} as const;

/** Every step trains everything, from one pass. */
const onePass = { sampleEpochs: 0, nucShare: 1 } as const;

/**
 * `seed` (December 2025): raw distances, no masking and a vocabulary without the mask, squared errors,
 * counts as they are from a linear head. `latest` (January 2026): tanh(d / 10), 15 % of the bases hidden,
 * Huber's loss, scaled counts.
 */
export const presets: Readonly<Record<PresetName, Preset>> = {
  seed: {
    ...onePass,
    model: { ...shape, vocabulary: 6, nucMaskRatio: 0, distanceForm: "raw" },
    training: optimization,
    target: { transform: "none", lossType: "mse", layerNorm: false, countPrediction: true, countForm: "raw" },
  },
  latest: {
    ...onePass,
    model: { ...shape, nucMaskRatio: 0.15, distanceForm: "tanh", tanhScale: referenceTanhScale },
    training: optimization,
    target: { transform: "minmax", lossType: "huber", countPrediction: true },
  },
};

/** A preset's settings for a configuration with these sections. A copy, to be changed freely. */
export function presetSettings(name: PresetName, sections: readonly string[]): Record<string, unknown> {
  const own = Object.entries(presets[name]).filter(([section]) => sections.includes(section));
  return structuredClone(Object.fromEntries(own));
}
