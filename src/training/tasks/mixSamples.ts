import { UserError } from "../../common/userError.ts";
import type { Mixtures } from "../../data/batches/mixtures.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { studiesOf } from "../../data/dataset/joinStudies.ts";
import { fewSamples, metricsOf } from "../config/buildModel.ts";
import type { PretrainConfig } from "../config/config.ts";

/** Mixtures of few samples: docs/benchmarks.md has what they are worth. */
const usualMixtures = 400;

/**
 * The mixtures of training samples that a pretraining has besides, and puts their number into `config` where
 * that was `auto`. Undefined for none.
 * @throws UserError where they are asked for and the data set has no tree to tell their distances.
 */
export function mixSamples(
  config: PretrainConfig,
  dataset: Dataset,
  train: Int32Array,
): Mixtures | undefined {
  const { fromTree } = dataset;
  const missing = metricsOf(config).find((metric) => !fromTree.includes(metric));
  if (config.mixtures === "auto") {
    const areWanted = missing === undefined && config.training.penalty > 0 && train.length <= fewSamples;
    config.mixtures = areWanted ? usualMixtures : 0;
  } else if (config.mixtures > 0 && missing !== undefined)
    throw new UserError(
      studiesOf(dataset)
        ? "--mixtures are made within one study; leave it out with several data sets."
        : `--mixtures needs a tree for ${missing}, and the data set ${dataset.path} has none; prepare it again with --tree, or leave --mixtures out.`,
    );
  const { mixtures: count, training } = config;
  return count > 0 ? { of: train, count, seed: training.seed } : undefined;
}
