import { Loader } from "../../data/batches/loader.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { studiesOf } from "../../data/dataset/joinStudies.ts";
import * as torch from "../../torch/index.ts";
import { batchOptionsOf, buildEncoder, decideAuto, metricsOf, objectiveForms } from "../config/buildModel.ts";
import { checkMetrics } from "../config/checkModel.ts";
import type { PretrainConfig } from "../config/config.ts";
import { type LearningRateSearch, searchLearningRate } from "../loop/learningRateSearch.ts";
import { precisionOn } from "../loop/mixedPrecision.ts";
import { makeOptimizer, parameterGroups } from "../loop/paramGroups.ts";
import { encoderTypeOf, fitBaseScaling, makeBaseObjective } from "../objectives/baseObjective.ts";
import { mixSamples } from "./mixSamples.ts";
import { PretrainTask } from "./pretrainTask.ts";
import { checkTraining, setMatmulPrecision } from "./runTraining.ts";
import { splitStudies } from "./splitSamples.ts";
import { startEncoder } from "./startEncoder.ts";

export interface FindOptions {
  readonly dataset: Dataset;
  readonly config: PretrainConfig;
  readonly device: torch.Device;
  readonly from: number;
  readonly to: number;
  readonly steps: number;
  /** Is told how many steps are done, and the loss of the last. */
  readonly onStep?: (done: number, loss: number) => void;
}

/** Searches the learning rate of a pretraining, with its own model, data and optimizer. */
export async function findLearningRate(options: FindOptions): Promise<LearningRateSearch> {
  const { dataset, config, device, from, to, steps, onStep } = options;
  const { training, model: shape, unifracMetric: metric } = config;
  checkTraining(training, device);
  setMatmulPrecision(training, device);
  const studies = studiesOf(dataset);
  checkMetrics(config, studies !== null);
  const split = splitStudies(dataset, config.split, training.seed);
  decideAuto(config, split.train.length);
  const mixtures = mixSamples(config, dataset, split.train);
  const scaling = fitBaseScaling(dataset, metricsOf(config), split.train);
  torch.manualSeed(training.seed);
  const model = buildEncoder(config, {
    encoderType: encoderTypeOf(metricsOf(config)),
    predictNucleotides: training.nucPenalty > 0,
    studies: studies?.names,
  });
  model.to(device);
  const objective = makeBaseObjective(dataset, metric, {
    ...objectiveForms(config, model),
    scaling,
    train: split.train,
  });
  const { validation, train } = split;
  const batch = { ...batchOptionsOf(shape), ...objective.needs };
  startEncoder(model, dataset, train, { batch, device, seed: training.seed, scaling });
  const task = new PretrainTask(model, {
    dataset,
    objective,
    validation,
    device,
    model: shape,
    training,
    sampleEpochs: 0,
    nucShare: config.nucShare,
    train: split.train,
  });
  const optimizer = makeOptimizer(parameterGroups(model, training), training);
  using loader = new Loader(dataset, {
    ...batch,
    batchSize: Math.max(2, Math.min(training.batchSize, train.length + mixtures)),
    samples: train,
    mixtures,
    groups: studies?.of,
    seed: training.seed,
    worker: training.loaderWorker,
  });
  try {
    const { maxGradNorm } = training;
    const { mixedPrecision } = precisionOn(training, device);
    const search = { optimizer, loader, from, to, steps, maxGradNorm, mixedPrecision, onStep };
    return await searchLearningRate(task, search);
  } finally {
    optimizer.dispose();
    model.dispose();
  }
}
