/** Values of options with which a training comes to something else. */
import { WorkerSource } from "../../src/data/batches/source.ts";
import { TransformerLayer } from "../../src/models/transformer.ts";
import type { PretrainInput } from "../../src/training/config/config.ts";

/** The place of an option, a value of it, and what else must be set for it to matter. */
export type Effect<Config extends object> = readonly [path: string, value: unknown, base?: Config];

/** Words alone predict no nucleotides. */
const set: Pick<PretrainInput, "model" | "training"> = {
  model: { encoder: "set", codeDim: 16 },
  training: { nucPenalty: 0 },
};

/** Options that all trainings have. */
export const commonEffects: readonly Effect<Pick<PretrainInput, "model" | "training">>[] = [
  ["unifracMetric", "weighted_normalized"],
  ["split.testSize", 0.4],
  ["split.by", "plot"],
  ["split.stratify", "site"],
  ["model.encoder", "set", { training: { nucPenalty: 0 } }],
  ["model.codes", "both", set],
  ["model.codeDim", 24, set],
  ["model.words", "4@12", set],
  ["model.wordDim", 20, set],
  ["model.wordBuckets", 64, set],
  ["model.longWords", 8, set],
  ["model.pooling", "share", set],
  ["model.embeddingDim", 16],
  ["model.attentionLayers", 2],
  ["model.attentionHeads", 4],
  ["model.feedForwardDim", 5],
  ["model.dropout", 0.3],
  ["model.activation", "relu"],
  ["model.maxBp", 10],
  ["model.basesPerToken", 3],
  ["model.tokenLimit", 4],
  ["model.asvSampling", "abundance", { model: { tokenLimit: 4 } }],
  ["model.countEmbeddingMethod", "film"],
  ["model.nucMaskRatio", 0.5],
  ["model.nucMaskStrategy", "span"],
  ["model.distanceForm", "raw"],
  ["model.tanhScale", 3],
  ["nucShare", 1],
  ["training.penalty", 0.1],
  ["training.nucPenalty", 0],
  ["training.epochs", 2],
  ["training.minEpochSteps", 5],
  ["training.maxSteps", 2],
  ["training.maxMinutes", 1e-9],
  ["training.batchSize", 6],
  ["training.gradientAccumulationSteps", 2],
  ["training.optimizer", "adam"],
  ["training.momentum", 0.1, { training: { optimizer: "sgd" } }],
  ["training.lr", 0.01],
  ["training.weightDecay", 0.5],
  ["training.decayAll", true, { training: { weightDecay: 0.5 } }],
  ["training.scheduler", "onecycle"],
  ["training.warmup", 0.5],
  ["training.warmupSteps", 3],
  ["training.lrFloor", 0.5],
  ["training.schedulerT0", 3, { training: { scheduler: "cosine_restarts" } }],
  ["training.schedulerTMult", 4, { training: { scheduler: "cosine_restarts", epochs: 3 } }],
  ["training.schedulerPatience", 0, { training: { scheduler: "plateau", epochs: 4, lr: 3 } }],
  [
    "training.schedulerFactor",
    0.9,
    { training: { scheduler: "plateau", epochs: 5, schedulerPatience: 0, lr: 3 } },
  ],
  ["training.maxGradNorm", 0.01],
  ["training.ema", 0.9],
  ["training.mixedPrecision", "bf16"],
  ["training.patience", 1, { training: { epochs: 6, lr: 0.3, scheduler: "constant" } }],
  ["training.seed", 7],
];

/** Options that change how something is computed, but not what comes of it. */
export const unchanging = [
  ["model.asvChunkSize", 3],
  ["model.gradientCheckpointing", true],
  ["training.loaderWorker", true],
] as const;

/** What each of them makes more of. */
export const workOf = {
  "model.asvChunkSize": "layers",
  "model.gradientCheckpointing": "recomputing",
  "training.loaderWorker": "byWorker",
} as const;

interface Work {
  /** Calls of transformer layers. */
  layers: number;
  /** Those that keep no values for the backward pass. */
  recomputing: number;
  /** Epochs whose batches a worker makes. */
  byWorker: number;
}

/** What `run` gives, and how it was computed. */
export async function watchWork<T>(run: () => Promise<T>): Promise<{ result: T; work: Work }> {
  const work: Work = { layers: 0, recomputing: 0, byWorker: 0 };
  const { forward } = TransformerLayer.prototype;
  const { batches } = WorkerSource.prototype;
  TransformerLayer.prototype.forward = function (input, how) {
    work.layers++;
    if ("recompute" in how && how.recompute) work.recomputing++;
    return forward.call(this, input, how);
  };
  WorkerSource.prototype.batches = function (epoch, planned) {
    work.byWorker++;
    return batches.call(this, epoch, planned);
  };
  try {
    return { result: await run(), work };
  } finally {
    TransformerLayer.prototype.forward = forward;
    WorkerSource.prototype.batches = batches;
  }
}

/** A configuration with a value put in its place. */
export function withValue<Config extends object>(base: Config, path: string, value: unknown): Config {
  const copy = structuredClone(base) as Record<string, unknown>;
  const [section, key] = path.split(".");
  if (key === undefined) copy[section] = value;
  else copy[section] = { ...(copy[section] as object), [key]: value };
  return copy as Config;
}
