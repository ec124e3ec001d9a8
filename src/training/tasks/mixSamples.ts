import { UserError } from "../../common/userError.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { studiesOf } from "../../data/dataset/joinStudies.ts";
import { metricsOf } from "../config/buildModel.ts";
import type { PretrainConfig } from "../config/config.ts";

/** `auto`: mixtures for each training sample, but not fewer or more than these (docs/benchmarks.md). */
const perSample = 4;
const fewest = 400;
const most = 8000;

/**
 * How many mixtures of training samples each pass has besides; puts it into `config` where that is `auto`.
 * @throws UserError where mixtures are asked for and the data set has no tree to tell their distances.
 */
export function mixSamples(config: PretrainConfig, dataset: Dataset, train: Int32Array): number {
  const { fromTree } = dataset;
  const missing = metricsOf(config).find((metric) => !fromTree.includes(metric));
  if (config.mixtures === "auto") {
    const usual = Math.min(most, Math.max(fewest, perSample * train.length));
    config.mixtures = missing === undefined && config.training.penalty > 0 ? usual : 0;
  } else if (config.mixtures > 0 && missing !== undefined)
    throw new UserError(
      studiesOf(dataset)
        ? "--mixtures are made within one study; leave it out with several data sets."
        : `--mixtures needs a tree that gives ${missing}, and the data set ${dataset.path} has none; prepare it from one, or leave --mixtures out.`,
    );
  return config.mixtures;
}
