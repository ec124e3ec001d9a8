import { z } from "zod";

const share = z.number().min(0).max(1);
const positive = z.number().positive();
const whole = z.number().int().positive();

/** The shape of an encoder and how it learns from masked sequences. */
export const modelSchema = z.strictObject({
  embeddingDim: whole.default(64).describe("size of the embeddings"),
  layers: whole.default(2).describe("layers of each of the three transformers"),
  heads: whole.default(4).describe("attention heads of every layer"),
  dropout: share
    .default(0)
    .describe("dropout in all layers; noise makes predicted distances too small, so 0 is best for them"),
  activation: z
    .enum(["gelu", "gelu_tanh", "relu"])
    .default("gelu")
    .describe("activation of the feed-forward networks"),
  maxBases: whole.default(150).describe("bases of a sequence that are read"),
  tokenLimit: whole.default(1024).describe("ASVs of a sample that are read"),
  asvSampling: z
    .enum(["first", "abundance", "random"])
    .default("first")
    .describe("which ASVs stay above the limit"),
  maskRatio: share.default(0.15).describe("share of the nucleotides that are hidden and predicted"),
  maskStrategy: z
    .enum(["random", "span"])
    .default("random")
    .describe("single nucleotides or spans of 3 to 5"),
  distance: z
    .enum(["raw", "tanh"])
    .default("raw")
    .describe("how a Euclidean distance becomes a predicted one"),
  tanhScale: positive.default(10).describe("distance at which tanh(distance / scale) bends"),
});

/** How training proceeds. */
export const trainingSchema = z.strictObject({
  epochs: whole.default(100).describe("the most passes over the training samples"),
  maxSteps: whole.nullable().default(null).describe("stop after so many steps"),
  maxMinutes: positive
    .nullable()
    .default(null)
    .describe("stop after so many minutes of training; the schedule is fitted to them"),
  batchSize: z
    .number()
    .int()
    .min(2)
    .default(32)
    .describe("samples in a batch; all their pairs are learned from"),
  learningRate: positive.default(1e-3).describe("highest learning rate"),
  weightDecay: z
    .number()
    .min(0)
    .default(0.01)
    .describe("AdamW's decay of weight matrices (not of norms, biases, embeddings)"),
  warmup: share.default(0.05).describe("share of the training in which the rate rises"),
  floor: share.default(0.01).describe("final learning rate as a share of the highest"),
  maxGradNorm: positive
    .nullable()
    .default(1)
    .describe("gradients are scaled down to this norm; null leaves them"),
  patience: whole.default(10).describe("epochs without improvement before training ends"),
  uniFracPenalty: z.number().min(0).default(1).describe("weight of the UniFrac loss"),
  nucPenalty: z.number().min(0).default(0.02).describe("weight of the nucleotide loss; 0 leaves it out"),
  validationShare: share.default(0.2).describe("share of the samples held out for validation"),
  seed: z.number().int().min(0).default(42).describe("decides weights, order, masks, split and rarefaction"),
});

/** A pretraining run in full; written to its folder as config.json. */
export const pretrainSchema = z.strictObject({
  metric: z
    .enum(["unweighted", "weighted_normalized", "weighted_unnormalized", "generalized"])
    .default("unweighted")
    .describe("UniFrac metric that the distances shall match"),
  model: modelSchema.prefault({}),
  training: trainingSchema.prefault({}),
});

export type ModelConfig = z.infer<typeof modelSchema>;
export type TrainingConfig = z.infer<typeof trainingSchema>;
export type PretrainConfig = z.infer<typeof pretrainSchema>;
export type PretrainInput = z.input<typeof pretrainSchema>;
