/**
 * Attention All Microbes for Bun: data sets, models, losses and training. The LibTorch toolkit alone is the package's export
 * `./torch`.
 */

import "./reference/predictor.ts"; // the form of converted models

export { type Batch, BatchBuilder, type BatchOptions } from "./data/batches/batch.ts";
export { Loader, type LoaderOptions } from "./data/batches/loader.ts";
export { type Dataset, openDataset, verifyDataset } from "./data/dataset/dataset.ts";
export { readMetadata } from "./data/metadata/read.ts";
export { prepareDataset } from "./data/prepare/prepare.ts";
export { readTable } from "./data/table/read.ts";
export { readTree } from "./data/tree/read.ts";
export { faithPd, type UniFracMetric, type UniFracOptions, uniFracAllPairs } from "./data/unifrac/index.ts";
export { SequenceEncoder, type SequenceEncoderOptions } from "./models/sequenceEncoder.ts";
export * as torch from "./torch/index.ts";
export { Trainer, type TrainerOptions, type TrainingTask } from "./training/loop/trainer.ts";
export { type PretrainOptions, pretrain, type RunSummary } from "./training/tasks/pretrain.ts";
