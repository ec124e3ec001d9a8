import { z } from "zod";
import { targetTransformNames } from "../../data/encoding/targetTransforms.ts";
import { distanceStorages } from "../../data/prepare/distanceStorage.ts";
import { codeSources } from "../../models/asvCodes.ts";
import { setPoolings } from "../../models/setPooling.ts";
import { isWordKinds } from "../../models/words/wordKinds.ts";

const share = z.number().min(0).max(1);
const positive = z.number().positive();
const weight = z.number().min(0);
const whole = z.number().int().positive();
const path = z.string().min(1);
const names = z.array(z.string().min(1));

/** Where the samples come from: a prepared data set, or the files to prepare one from. */
export const dataSchema = z.strictObject({
  dataset: z
    .union([path, z.array(path).min(2)])
    .nullable()
    .default(null)
    .describe("a data set that `prep` wrote; for several studies, repeat the option (pretraining only)"),
  table: path
    .nullable()
    .default(null)
    .describe("BIOM, TSV or QIIME 2 table; it is prepared, and kept for the next run"),
  tree: path.nullable().default(null).describe("Newick or QIIME 2 tree whose tips are the table's ASVs"),
  repSeqs: path
    .nullable()
    .default(null)
    .describe("FASTA or QIIME 2 sequences, for tables whose ids are hashes"),
  metadata: path.nullable().default(null).describe("TSV, CSV or QIIME 2 metadata"),
  distances: path
    .nullable()
    .default(null)
    .describe(
      "distances or values per sample that exist already (.npy, .npz, .h5, .tsv, .csv, .qza), instead of a tree",
    ),
  distanceIds: path
    .nullable()
    .default(null)
    .describe("ids for a distance file that has none, one on each line; `table`: in the table's order"),
  distanceStorage: z
    .enum(distanceStorages)
    .default("auto")
    .describe(
      "store the distances of all pairs, or compute those of each batch from the tree; auto: by the free disk and memory",
    ),
  rarefyDepth: z
    .union([whole, z.enum(["auto", "none"])])
    .default("auto")
    .describe("counts to draw from each sample: a number, auto or none"),
  rarefySeed: z
    .number()
    .int()
    .min(0)
    .nullable()
    .default(null)
    .describe("decides the rarefaction; by default the seed of the run"),
});

/** Which samples are held out for validation. */
export const splitSchema = z.strictObject({
  testSize: share.default(0.2).describe("share of the samples, or of the groups, held out"),
  by: z
    .string()
    .nullable()
    .default(null)
    .describe(
      "hold out whole groups: samples with the same value of this metadata column; with files of ids: check that they do",
    ),
  stratify: z
    .string()
    .nullable()
    .default(null)
    .describe("keep the proportions of this metadata column's values in both parts"),
  trainSamples: path
    .nullable()
    .default(null)
    .describe("ids of the training samples, one on each line; goes with --val-samples"),
  valSamples: path
    .nullable()
    .default(null)
    .describe("ids of the validation samples, one on each line; goes with --train-samples"),
});

const activation = z.enum(["gelu", "gelu_tanh", "relu"]);

/** The transformers of a model; `count` and `target` are those of a predictor. */
export const transformerNames = ["asv", "sample", "encoder", "count", "target"] as const;
export type TransformerName = (typeof transformerNames)[number];

/** What one transformer may have of its own. */
const ownTransformer = z
  .strictObject({
    attentionLayers: whole,
    attentionHeads: whole,
    feedForwardDim: whole,
    dropout: share,
    activation,
  })
  .partial();

/** The shape of an encoder and how it learns from masked sequences. */
export const modelSchema = z.strictObject({
  encoder: z
    .enum(["set", "aam"])
    // Of runs from before there was a choice; new ones start from defaults.ts.
    .default("aam")
    .describe("what encodes samples: as sets of codes (set), or by the original AAM's transformers (aam)"),
  codes: z
    .enum(codeSources)
    .default("kmer")
    .describe("what codes of the set encoder are made from: words of bases, a transformer of bases, or both"),
  codeDim: whole
    .nullable()
    .default(null)
    .describe(
      "codes of the set encoder, the size of its embeddings; by default 512, or 256 for weighted metrics",
    ),
  words: z
    .string()
    .default("6")
    .refine(
      isWordKinds,
      "expected lengths from 1 to 12 with commas, as 6, or with the stretch that tells places apart, as 8@25",
    )
    .describe(
      "words of bases (k-mers): their lengths, with commas; 8@25 tells words apart by stretches of 25 bases",
    ),
  wordDim: whole.default(128).describe("size of a word's vector"),
  wordBuckets: whole
    .default(65536)
    .describe(
      "the most vectors for words of one length; if there are more words, some share a vector (by hash)",
    ),
  longWords: z
    .union([z.enum(["auto", "none"]), z.int().min(7).max(12)])
    // Of runs from before there were any; new ones start from defaults.ts.
    .default("none")
    .describe(
      "length of additional, longer words by which samples are compared, for presence-based metrics (7 to 12, none; auto: 10 with at most 200 training samples)",
    ),
  pooling: z
    .enum(["auto", "attention", ...setPoolings])
    .default("auto")
    .describe(
      "how ASVs become a sample: the codes that are present (union), their shares of the counts (share) or the roots of these (root), or an average (attention); auto: by encoder and metric",
    ),
  embeddingDim: whole.default(64).describe("size of the embeddings"),
  attentionLayers: whole.default(2).describe("layers of each transformer"),
  attentionHeads: whole.default(4).describe("attention heads of every layer"),
  feedForwardDim: whole
    .nullable()
    .default(null)
    .describe("width of the feed-forward networks; by default 4 times the embeddings'"),
  dropout: share
    .default(0)
    .describe("dropout in all layers; noise makes predicted distances too small, so 0 is best for them"),
  activation: activation.default("gelu").describe("activation of the feed-forward networks"),
  transformers: z
    .partialRecord(z.enum(transformerNames), ownTransformer)
    .default({})
    .describe("what some of the transformers have otherwise"),
  vocabulary: z
    .number()
    .int()
    .min(6)
    .max(7)
    .default(7)
    .describe("tokens that exist; with 6 there is no mask"),
  referenceForm: z
    .boolean()
    .default(false)
    .describe("the original AAMs where they are defects, for converted models"),
  maxBp: whole.default(150).describe("read at most this many bases of a sequence, from its start"),
  basesPerToken: whole.max(4).default(1).describe("bases that a transformer of bases reads as one token"),
  tokenLimit: whole.default(1024).describe("read at most this many ASVs of a sample"),
  asvSampling: z
    .enum(["first", "abundance", "random"])
    .default("first")
    .describe("which ASVs are read if a sample has more than --token-limit"),
  countEmbeddingMethod: z
    .enum(["auto", "none", "add", "concat", "film"])
    .default("auto")
    .describe(
      "how an ASV's count enters the encoder; none: only the presence of ASVs counts; auto: film for weighted metrics",
    ),
  nucMaskRatio: share
    .default(0.15)
    .describe("share of the nucleotides that are hidden in training, to be predicted"),
  nucMaskStrategy: z
    .enum(["random", "span"])
    .default("random")
    .describe("hide single nucleotides, or spans of 3 to 5"),
  distanceForm: z
    .enum(["auto", "tanimoto", "l1", "tanh", "raw"])
    .default("auto")
    .describe(
      "the distance predicted from two embeddings: of sets (tanimoto, l1), Euclidean (raw), or tanh(Euclidean / --tanh-scale); auto: by encoder and metric",
    ),
  tanhScale: positive.default(1).describe("scale of tanh distances; the original AAM's is 10"),
  gradientCheckpointing: z
    .boolean()
    .default(false)
    .describe("compute activations twice instead of keeping them: less memory, more time"),
  asvChunkSize: whole
    .nullable()
    .default(null)
    .describe("ASVs encoded at a time: limits memory without changing results; by default all of a batch"),
});

/** How training proceeds. */
export const trainingSchema = z.strictObject({
  epochs: whole
    .default(100)
    .describe("train for at most this many epochs (passes over the training samples)"),
  minEpochSteps: whole
    .default(1)
    .describe("least number of steps in an epoch: a small data set is passed over several times"),
  maxSteps: whole.nullable().default(null).describe("stop after this many steps"),
  maxMinutes: positive
    .nullable()
    .default(null)
    .describe("stop after this many minutes of training; the schedule is fitted to that time"),
  batchSize: z
    .number()
    .int()
    .min(2)
    .default(32)
    .describe("samples in a batch; all their pairs are learned from"),
  autoBatchSize: z
    .boolean()
    .default(false)
    .describe("take the largest batch that fits in memory: at most 256 samples, never more than there are"),
  maxMemoryFraction: positive
    .max(1)
    .default(0.8)
    .describe("share of the free memory that --auto-batch-size may use"),
  targetEffectiveBatchSize: z
    .number()
    .int()
    .min(2)
    .nullable()
    .default(null)
    .describe(
      "samples of a step that --auto-batch-size aims at, with smaller batches or by accumulating several",
    ),
  gradientAccumulationSteps: whole
    .default(1)
    .describe("batches whose gradients are averaged for one step (pairs are formed within a batch)"),
  optimizer: z.enum(["adamw", "adam", "sgd"]).default("adamw").describe("how gradients change the weights"),
  shardOptimizer: z
    .boolean()
    .default(false)
    .describe("divide the optimizer's state among ranks: less memory for each (see docs/cluster.md)"),
  momentum: share.default(0.9).describe("momentum of sgd"),
  lr: positive.default(1e-3).describe("highest learning rate of the schedule"),
  weightDecay: weight
    .default(0.01)
    .describe("decay of weight matrices (not of norms, biases, embeddings unless --decay-all)"),
  decayAll: z
    .boolean()
    .default(false)
    .describe("decay norms, biases and embeddings too, as the original AAM does"),
  scheduler: z
    .enum(["warmup_cosine", "cosine", "cosine_restarts", "plateau", "onecycle", "constant"])
    .default("warmup_cosine")
    .describe("course of the learning rate"),
  warmup: share.default(0.05).describe("share of the training run during which warmup_cosine rises"),
  warmupSteps: z
    .number()
    .int()
    .min(0)
    .nullable()
    .default(null)
    .describe("length of this rise in steps, instead of --warmup"),
  lrFloor: share.default(0.01).describe("lowest learning rate, as a share of the highest"),
  schedulerT0: whole
    .nullable()
    .default(null)
    .describe("steps of cosine_restarts' first cosine; by default a quarter of all"),
  schedulerTMult: whole.default(2).describe("how many times longer each next cosine is"),
  schedulerPatience: z
    .number()
    .int()
    .min(0)
    .default(5)
    .describe("epochs without improvement before plateau lowers the rate"),
  schedulerFactor: positive.max(1).default(0.3).describe("what plateau multiplies the rate by"),
  maxGradNorm: positive
    .nullable()
    .default(1)
    .describe("scale gradients down to this norm; none leaves them as they are"),
  ema: z
    .number()
    .gt(0)
    .lt(1)
    .nullable()
    .default(null)
    .describe("decay of a moving average of the weights, such as 0.999; the average is then judged and kept"),
  mixedPrecision: z
    .enum(["auto", "none", "bf16", "fp16"])
    .default("auto")
    .describe(
      "compute matrix products in a shorter, faster type; auto: bf16 on CUDA, none elsewhere; fp16 needs a GPU",
    ),
  tf32: z
    .boolean()
    .nullable()
    .default(null)
    .describe(
      "let the GPU multiply float32 matrices as TF32: faster, about 3 digits exact; by default on CUDA",
    ),
  patience: whole.default(10).describe("epochs without improvement before training ends"),
  saveMinutes: positive.default(10).describe("minutes between checkpoints within an epoch"),
  penalty: weight.default(1).describe("weight of the UniFrac loss"),
  nucPenalty: weight.default(0.02).describe("weight of the nucleotide loss; 0 leaves it out"),
  loaderWorker: z.boolean().default(false).describe("prepare batches in a separate thread"),
  seed: z.number().int().min(0).default(42).describe("decides weights, order, masks, split and rarefaction"),
});

/** What an encoder can learn to predict: distances between samples, or Faith's PD of each. */
export const pretrainMetrics = [
  "unweighted",
  "weighted_normalized",
  "weighted_unnormalized",
  "generalized",
  "faith_pd",
] as const;
const metric = z.enum(pretrainMetrics).default("unweighted");
const furtherMetrics = z.array(z.enum(pretrainMetrics)).default([]);

const nucShare = share
  .default(0.25)
  .describe(
    "share of a batch's ASVs whose nucleotides are predicted, in a separate pass; 1: in one pass with the rest, as in the original AAM",
  );

/** The encoder that training is told to start from; null where there is none, or `auto` decides. */
export function givenStart({ startFrom }: { readonly startFrom: string | null }): string | null {
  return startFrom === "auto" || startFrom === "none" ? null : startFrom;
}

/** A pretraining run in full; written to its folder as config.json. */
export const pretrainSchema = z.strictObject({
  unifracMetric: metric.describe("UniFrac metric that the distances should match, or faith_pd"),
  furtherMetrics: furtherMetrics.describe(
    "further metrics for the same encoder to learn, with commas; a --dataset must have them all",
  ),
  startFrom: path
    .nullable()
    .default(null)
    .describe(
      "start from what a pretraining run on other data, or builtin, knows of sequences; none: from nothing; auto: from builtin where few samples train, if it knows such sequences but none of the samples",
    ),
  data: dataSchema.prefault({}),
  split: splitSchema.prefault({}),
  model: modelSchema.prefault({}),
  training: trainingSchema.prefault({}),
  mixtures: z
    .union([z.enum(["auto"]), z.int().min(0).max(10_000_000)])
    .default(0)
    .describe(
      "samples in each pass that are mixed anew from the training samples, with distances from the data set's tree; auto: four for each, from 400 to 8000",
    ),
  sampleEpochs: z
    .number()
    .int()
    .min(0)
    .default(1)
    .describe("cheap epochs after each full one, which train only the layers above the ASVs"),
  nucShare,
});

const weightRule = z.union([z.literal("auto"), z.record(z.string(), positive)]);

/** What is predicted, and how errors count. */
export const targetSchema = z.strictObject({
  metadataColumn: names.default([]).describe("metadata column to predict; several with commas"),
  classifier: z
    .boolean()
    .nullable()
    .default(null)
    .describe("predict classes; by default where the column holds text"),
  transform: z
    .enum([...targetTransformNames, "auto"])
    .default("zscore")
    .describe(
      "how numbers are transformed for training; predictions come back in the column's units; auto (with --target-pooling blocks): zscore or power-zscore, by inner folds of the training samples",
    ),
  normalizeBy: names
    .default([])
    .describe("columns, with commas, whose categories zscore-category normalizes by"),
  lossType: z
    .enum(["huber", "mse", "mae", "quantile", "asymmetric"])
    .default("huber")
    .describe("loss of predicted numbers; classes have cross-entropy"),
  quantiles: z
    .array(z.number().gt(0).lt(1))
    .nullable()
    .default(null)
    .describe("levels that --loss-type quantile predicts, with commas; by default 0.1,0.5,0.9"),
  huberDelta: positive
    .default(1)
    .describe("with --loss-type huber: errors beyond this count by their size, no longer by their square"),
  power: positive
    .max(1)
    .default(0.75)
    .describe("with --target-transform power-zscore: the power of numbers that is learned"),
  overPenalty: positive
    .default(1)
    .describe("with --loss-type asymmetric: weight of predictions above the truth"),
  underPenalty: positive
    .default(1)
    .describe("with --loss-type asymmetric: weight of predictions below the truth"),
  lossConfig: z
    .record(z.string(), z.enum(["mse", "mae", "huber"]))
    .nullable()
    .default(null)
    .describe("other losses for some columns: name=mse, mae or huber, several with commas, or JSON"),
  classWeights: z
    .union([weightRule, z.array(positive)])
    .nullable()
    .default(null)
    .describe(
      "weights of classes in the loss: auto (rarer ones count more), numbers in the classes' sorted order, or name=weight, with commas",
    ),
  penalty: weight.default(1).describe("weight of the target loss"),
  pooling: z
    .enum(["auto", "codes", "attention", "sum", "blocks"])
    .default("auto")
    .describe(
      "what the target is predicted from: the codes of a set encoder, ASVs pooled by attention, the sum of their effects (with --freeze-base; for few samples), or blocks of features, with an own effect of each ASV of the training samples (with --freeze-base); auto: codes where there are any",
    ),
  sumFeatures: whole
    .default(1024)
    .describe("features of each ASV that --target-pooling sum or blocks adds up"),
  ridge: z
    .union([z.enum(["auto"]), z.number().min(0)])
    .default("auto")
    .describe(
      "with --target-pooling blocks: weight decay of the head times the number of training samples and of columns, as the penalty of a ridge regression; auto: by inner folds of the training samples",
    ),

  layerNorm: z.boolean().default(true).describe("a layer norm before the target head"),
  boundedTargets: z
    .boolean()
    .default(false)
    .describe("keep predictions within the range of the training targets"),
  learnableOutputScale: z.boolean().default(false).describe("learn a factor and an offset for each output"),
  outputActivation: z
    .enum(["none", "relu", "softplus", "exp"])
    .default("none")
    .describe("function at the end of the target head, to keep numbers above 0"),
  regressorHiddenDims: z
    .array(whole)
    .default([])
    .describe("sizes of hidden layers in the target head, with commas (64,32)"),
  regressorDropout: share.lt(1).default(0).describe("dropout between the hidden layers of the target head"),
  residualRegressionHead: z.boolean().default(false).describe("add a linear layer beside the hidden ones"),
  countPrediction: z.boolean().default(false).describe("let the model predict the ASVs' counts as well"),
  countForm: z
    .enum(["scaled", "raw"])
    .default("scaled")
    .describe("the counts to predict: logarithms scaled to 0 ... 1, or as they are"),
  countPenalty: weight.default(1).describe("weight of the count loss"),
});

/** Categories of samples that help to predict. */
export const categoriesSchema = z.strictObject({
  columns: names.default([]).describe("metadata columns, with commas, whose categories the model is told"),
  embedDim: whole.default(16).describe("size of a category's vector"),
  fusion: z
    .enum(["concat", "add", "gmu", "cross-attention", "perceiver"])
    .default("concat")
    .describe("how categories enter the prediction"),
  dropout: share.default(0.1).describe("dropout on the categories' vectors"),
  crossAttnHeads: whole.default(8).describe("heads of cross-attention and perceiver"),
  perceiverNumLatents: whole.default(64).describe("latent vectors of the perceiver"),
  perceiverNumLayers: z.number().int().min(0).default(2).describe("layers of the perceiver"),
  conditionalOutputScaling: names
    .default([])
    .describe("columns, with commas, whose categories scale the output"),
  lossWeights: weightRule
    .nullable()
    .default(null)
    .describe(
      "weights of samples by category: auto (rarer ones count more), or category=weight, with commas",
    ),
  lossWeightColumn: names
    .default([])
    .describe("columns of these weights; by default the first categorical one"),
  lr: positive
    .nullable()
    .default(null)
    .describe("learning rate of the parts that process categories; by default --lr"),
});

/** A figure of the validation that may decide which weights are kept. */
export const bestMetrics = [
  "val_loss",
  "target_loss",
  "r2",
  "mae",
  "rmse",
  "accuracy",
  "f1",
  "auc",
  "last",
] as const;

/** A fine-tuning run in full. */
export const fineTuneSchema = z.strictObject({
  unifracMetric: metric.describe("UniFrac metric that the encoder continues to match, or faith_pd"),
  furtherMetrics: furtherMetrics.describe(
    "those of the pretrained encoder, which it goes on to match where the data set has them",
  ),
  pretrainedEncoder: path
    .nullable()
    .default(null)
    .describe("a pretraining run, or one of its checkpoints, to start from"),
  freezeBase: z
    .boolean()
    .default(false)
    .describe("leave the pretrained encoder as it is; its part is then computed once only"),
  target: targetSchema.prefault({}),
  categorical: categoriesSchema.prefault({}),
  bestMetric: z
    .enum(bestMetrics)
    .default("target_loss")
    .describe(
      "validation figure by which the best weights are chosen; last: none, the last epoch's weights are kept",
    ),
  valPredictionPasses: whole
    .default(1)
    .describe("with --asv-sampling random: validation predictions are means over so many choices of ASVs"),
  data: dataSchema.prefault({}),
  split: splitSchema.prefault({}),
  model: modelSchema.prefault({}),
  training: trainingSchema.prefault({}),
  nucShare,
});

export type DataConfig = z.infer<typeof dataSchema>;
export type SplitConfig = z.infer<typeof splitSchema>;
export type ModelConfig = z.infer<typeof modelSchema>;
export type TrainingConfig = z.infer<typeof trainingSchema>;
export type PretrainConfig = z.infer<typeof pretrainSchema>;
export type PretrainInput = z.input<typeof pretrainSchema>;
export type TargetConfig = z.infer<typeof targetSchema>;
export type CategoriesConfig = z.infer<typeof categoriesSchema>;
export type FineTuneConfig = z.infer<typeof fineTuneSchema>;
export type FineTuneInput = z.input<typeof fineTuneSchema>;
