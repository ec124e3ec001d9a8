import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { studiesOf } from "../../data/dataset/joinStudies.ts";
import { textValues } from "../../data/encoding/categories.ts";
import { splitFromFiles } from "../../data/split/files.ts";
import { groupedSplit, randomSplit, type Split, stratifiedSplit } from "../../data/split/split.ts";
import type { SplitConfig } from "../config/config.ts";

export interface NamedSplit extends Split {
  /** `random`, `whole host_subject_id held out`, ... */
  readonly name: string;
  readonly warnings: string[];
}

const wholeGroups = (by: string) => `whole ${by} held out`;

/**
 * Divides each study of joined data sets by itself, so that all are in both parts; one that lacks the
 * column of `by` or `stratify` at random, with a warning. Split files, and data sets of one study,
 * are as in `splitSamples`.
 */
export function splitStudies(dataset: Dataset, config: SplitConfig, seed: number): NamedSplit {
  const studies = studiesOf(dataset);
  if (!studies || config.trainSamples !== null || config.valSamples !== null)
    return splitSamples(dataset, config, seed);
  const column = config.by ?? config.stratify;
  const known = column === null ? null : textValues(dataset.column(column)).values;
  const warnings: string[] = [];
  const parts = studies.names.map((name, study) => {
    const own = Int32Array.from(studies.of.keys()).filter((sample) => studies.of[sample] === study);
    const lacks = known !== null && own.every((sample) => known[sample] === null);
    if (lacks) warnings.push(`${name} has no values of "${column}": its samples are divided at random.`);
    const split = splitSamples(dataset, lacks ? { ...config, by: null, stratify: null } : config, seed, own);
    warnings.push(...split.warnings);
    return split;
  });
  const join = (part: "train" | "validation") =>
    Int32Array.from(parts.flatMap((split) => [...split[part]])).sort();
  const names = [...new Set(parts.map(({ name }) => name))];
  return { train: join("train"), validation: join("validation"), name: names.join("; "), warnings };
}

/** Files may hold out whole groups, too; then no group may be in both. */
function refuseSharedGroups(groups: readonly (string | null)[], split: Split, by: string): void {
  const trained = new Set(Array.from(split.train, (i) => groups[i]));
  const shared = Array.from(split.validation, (i) => groups[i]).find((group) => trained.has(group));
  if (shared === undefined) return;
  throw new UserError(
    `--split-by ${by} holds out whole groups, but the files have ${shared === null ? "samples without a value" : quote(shared)} ` +
      "on both sides; move these samples, or leave --split-by out.",
  );
}

/**
 * Divides the `eligible` samples of a data set (all by default) as configured.
 * @throws UserError for ways that exclude each other, columns that do not do, and parts
 * with fewer than 2 samples.
 */
export function splitSamples(
  dataset: Dataset,
  config: SplitConfig,
  seed: number,
  eligible: Int32Array = Int32Array.from({ length: dataset.sampleCount }, (_, i) => i),
): NamedSplit {
  const { testSize: share, by, stratify, trainSamples, valSamples } = config;
  const fromFiles = trainSamples !== null || valSamples !== null;
  if (by !== null && stratify !== null) {
    throw new UserError(
      "--split-by and --stratify exclude each other: groups are held out whole; leave one out.",
    );
  }
  if (fromFiles && stratify !== null) {
    throw new UserError("--train-samples and --val-samples say what the split is; leave --stratify out.");
  }
  const ids = Array.from(eligible, (sample) => dataset.sampleIds[sample]);
  const labels = (column: string) => {
    const { values } = textValues(dataset.column(column));
    return Array.from(eligible, (sample) => values[sample]);
  };
  const warnings: string[] = [];
  let name = "random";
  let split: Split;
  if (fromFiles) {
    const files = { train: trainSamples ?? undefined, validation: valSamples ?? undefined };
    const read = splitFromFiles(ids, files);
    split = read.split;
    name = "from files";
    if (by !== null) {
      refuseSharedGroups(labels(by), split, by);
      name = wholeGroups(by);
    }
    if (read.unknownIds.length > 0) {
      warnings.push(
        `${read.unknownIds.length} ids of the split files are no samples that can be used (the first is "${read.unknownIds[0]}").`,
      );
    }
  } else if (by !== null) {
    split = groupedSplit(labels(by), share, seed, by);
    name = wholeGroups(by);
  } else if (stratify !== null) {
    split = stratifiedSplit(labels(stratify), share, seed, stratify);
    name = `random, stratified by ${stratify}`;
  } else split = randomSplit(ids.length, share, seed);
  const toSamples = (part: Int32Array) => part.map((i) => eligible[i]);
  const parts = { train: toSamples(split.train), validation: toSamples(split.validation) };
  if (parts.train.length < 2 || parts.validation.length < 2) {
    throw new UserError(
      `The ${ids.length} samples that can be used are too few for a training and a validation part of at least 2 samples each ` +
        `(they have ${parts.train.length} and ${parts.validation.length}); use more samples or another split.`,
    );
  }
  return { ...parts, name, warnings };
}
