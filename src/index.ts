/**
 * Attention All Microbes for Bun: data sets, models, losses and training. The LibTorch toolkit alone is the package's export
 * `./torch`.
 */

export { type Batch, BatchBuilder, type BatchOptions } from "./data/batch.ts";
export { type Dataset, openDataset, verifyDataset } from "./data/dataset.ts";
export { Loader, type LoaderOptions } from "./data/loader.ts";
export { readMetadata } from "./data/metadata.ts";
export { prepareDataset } from "./data/prepare.ts";
export { readTable } from "./data/readTable.ts";
export { readTree } from "./data/treeFile.ts";
export { faithPd, type UniFracMetric, type UniFracOptions, uniFracAllPairs } from "./data/unifrac/index.ts";
export { SequenceEncoder, type SequenceEncoderOptions } from "./models/sequenceEncoder.ts";
export * as torch from "./torch/index.ts";
export { type PretrainOptions, pretrain, type RunSummary } from "./training/pretrain.ts";
export { Trainer, type TrainerOptions, type TrainingTask } from "./training/trainer.ts";
