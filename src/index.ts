/**
 * Attention All Microbes for Bun: what the commands do, as functions. `examples/study.ts` goes from files to
 * predictions. The LibTorch toolkit alone is the export `./torch`.
 *
 * @example
 * await prepareDataset({ table: "table.biom", tree: "tree.nwk" }, "set");
 * const dataset = openDataset("set");
 * const { summary } = await pretrain({
 *   dataset, output: "encoder", config: pretrainConfig({ training: { maxMinutes: 2 } }),
 *   device: "cpu", resume: false, display: new ProgressDisplay("quiet"),
 * });
 *
 * @module
 */

import "./reference/predictor.ts"; // the form of converted models

export { UserError } from "./common/userError.ts";
export { type Batch, BatchBuilder, type BatchOptions } from "./data/batches/batch.ts";
export { Loader, type LoaderOptions } from "./data/batches/loader.ts";
export { type Dataset, openDataset, verifyDataset } from "./data/dataset/dataset.ts";
export { readDistances } from "./data/distances/read.ts";
export { readMetadata } from "./data/metadata/read.ts";
export { prepareDataset } from "./data/prepare/prepare.ts";
export { simulate, writeSimulation } from "./data/simulate/simulate.ts";
export {
  type AlphaDiversityOptions,
  type AlphaMetric,
  alphaDiversity,
} from "./data/statistics/alphaDiversity.ts";
export {
  type BetaDiversityOptions,
  type BetaMetric,
  betaDiversity,
} from "./data/statistics/betaDiversity.ts";
export { type Grouping, groupDistances, groupsOf } from "./data/statistics/grouping.ts";
export { anosim, type GroupTest, type GroupTestOptions, permanova } from "./data/statistics/groupTests.ts";
export { type MantelOptions, mantel } from "./data/statistics/mantel.ts";
export { type Ordination, readOrdination, writeOrdination } from "./data/statistics/ordination.ts";
export { type PairTest, pairwise } from "./data/statistics/pairwiseTests.ts";
export { type Pcoa, type PcoaOptions, pcoa } from "./data/statistics/pcoa.ts";
export { type Procrustes, type ProcrustesOptions, procrustes } from "./data/statistics/procrustes.ts";
export {
  type RarefactionCurve,
  type RarefactionOptions,
  rarefactionCurves,
} from "./data/statistics/rarefactionCurves.ts";
export { readTable } from "./data/table/read.ts";
export { readTree } from "./data/tree/read.ts";
export { faithPd, type UniFracMetric, type UniFracOptions, uniFracAllPairs } from "./data/unifrac/index.ts";
export { ProgressDisplay } from "./display/terminal/progressBar.ts";
export { distancesBetween, pairwiseDistances, predictedRows } from "./models/pairwiseDistances.ts";
export { SequenceEncoder, type SequenceEncoderOptions } from "./models/sequenceEncoder.ts";
export { SetEncoder, type SetEncoderOptions } from "./models/setEncoder.ts";
export * as torch from "./torch/index.ts";
export { distanceFormOf } from "./training/config/buildModel.ts";
export type {
  FineTuneConfig,
  FineTuneInput,
  PretrainConfig,
  PretrainInput,
} from "./training/config/config.ts";
export { fineTuneConfig, pretrainConfig } from "./training/config/defaults.ts";
export { embedAsvs, embedSamples } from "./training/inference/embedSamples.ts";
export { judgeRun } from "./training/inference/judgeEncoder.ts";
export { predictSamples, type SamplePredictions } from "./training/inference/predictSamples.ts";
export { Trainer, type TrainerOptions, type TrainingTask } from "./training/loop/trainer.ts";
export { type OpenedRun, openRun } from "./training/run/open.ts";
export { type FineTuneOptions, type FineTuneSummary, fineTune } from "./training/tasks/fineTune.ts";
export { type PretrainOptions, pretrain, type RunSummary } from "./training/tasks/pretrain.ts";
