import { z } from "zod";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { textValues } from "../../data/encoding/categories.ts";
import { encodeClasses, fitClasses } from "../../data/encoding/classLabels.ts";
import { isConstant } from "../../data/encoding/scaling.ts";
import { type Fold, makeFolds } from "../../data/split/folds.ts";
import { type FineTuneConfig, fineTuneSchema, splitSchema, targetSchema } from "../config/config.ts";
import { fineTuneConfig } from "../config/defaults.ts";
import { predictorNames, usesEncoder } from "../predictors/index.ts";
import type { LearnTarget } from "../predictors/learner.ts";
import { isClassifier, labelledSamples, leftOut } from "../targets/targets.ts";
import { repeatedHosts } from "../tasks/repeatedHosts.ts";
import { metricToLearn, newEncoder } from "./newEncoder.ts";

/** With fewer groups a bootstrap over them says little. */
const fewGroups = 10;

/**
 * Of groups or samples. With fewer, even a difference of one sign in all groups has a probability above 0.05:
 * 2 / 2^5 by signs.
 */
export const fewestGroups = 6;

/** Settings are chosen in at least two inner folds, of two samples each. */
const fewestToLearn = 4;

/** Steps of a fold's own encoder (docs/benchmarks.md#an-encoder-of-each-folds-own). */
export const usualSteps = 500;

/** All that decides the numbers of a cross-validation, besides the data. */
export const planSchema = z.object({
  column: z.string(),
  /** Classes or numbers; null: as the column holds text or numbers. */
  classifier: z.boolean().nullable().default(null),
  predictors: z.array(z.enum(predictorNames)).default(["auto"]),
  /**
   * A pretraining run, `builtin` or `new`, for the predictor `encoder` and those that are made of all others.
   */
  encoder: z.string().nullable().default(null),
  /** The most steps of each fold's own encoder. */
  encoderSteps: z.number().int().min(1).default(usualSteps),
  /** Settings of `train` for `finetuned`; column, split and, where it has one, encoder are the plan's. */
  fineTune: fineTuneSchema.optional(),
  folds: z.number().int().min(2).default(5),
  repeats: z.number().int().min(1).default(1),
  splitBy: z.string().nullable().default(null),
  stratify: z.string().nullable().default(null),
  leaveOut: z.string().nullable().default(null),
  /** Parts of the inner folds, by which settings are chosen. */
  innerFolds: z.number().int().min(2).default(5),
  trees: z.number().int().min(1).default(500),
  /** Share of true values that prediction intervals are to hold. */
  coverage: z.number().gt(0).lt(1).default(0.9),
  /** Shares of the training samples (or groups) that the learning curve has, besides 1. */
  curve: z.array(z.number().gt(0).lt(1)).default([]),
  /** Which ASVs carry the predictions. */
  reasons: z.boolean().default(true),
  seed: z.number().int().min(0).default(0),
});
export type PlanConfig = z.infer<typeof planSchema>;

/** One unit of work: a fold, at a share of its training samples. */
export interface Job extends Fold {
  /** `repeat-1-fold-2`, `repeat-1-fold-2-share-0.5`: the name of its file. */
  readonly name: string;
  readonly share: number;
}

export interface Plan {
  readonly config: PlanConfig;
  readonly samples: Int32Array;
  readonly target: LearnTarget;
  /** By sample of the data set; null where samples stand alone. */
  readonly groupOf: Int32Array | null;
  readonly groupColumn: string | null;
  readonly jobs: readonly Job[];
  /** `whole host held out, 5 folds, 10 repeats`. */
  readonly split: string;
  readonly warnings: readonly string[];
}

/**
 * Divides the samples whose target is known.
 * @throws UserError for columns that are missing or do not do, and for folds that cannot be made.
 */
export function makePlan(dataset: Dataset, config: PlanConfig): Plan {
  const { column, leaveOut, folds, repeats, seed, predictors, encoder } = config;
  if (encoder === null && predictors.includes("encoder"))
    throw new UserError(
      "The predictor encoder needs an encoder; give --encoder builtin or new, or a pretraining run.",
    );
  if (encoder !== null && !usesEncoder(predictors))
    throw new UserError(
      `No predictor of ${predictors.join(", ")} uses an encoder; leave --encoder out, or add --predictor encoder.`,
    );
  if (encoder === newEncoder) metricToLearn(dataset);
  const asTarget = targetSchema.parse({ metadataColumn: [column], classifier: config.classifier });
  const classifies = isClassifier(dataset, asTarget);
  const labelled = labelledSamples(dataset, [column]);
  const by = leaveOut ?? config.splitBy;
  const labels = (name: string) => ({ column: name, values: textValues(dataset.column(name)).values });
  const groups = by === null ? null : labels(by);
  const strata = config.stratify === null ? null : labels(config.stratify);
  const samples = labelled.filter((i) => !groups || groups.values[i] !== null);
  const warnings = leftOut(dataset.sampleCount, labelled.length, [column]);
  if (by !== null) warnings.push(...leftOut(labelled.length, samples.length, [by]));
  if (samples.length === 0)
    throw new UserError(
      `No sample has values of both ${quote(column)} and ${quote(by!)}; choose another column.`,
    );
  if (classifies && predictors.includes("median-forest"))
    throw new UserError(
      `${quote(column)} holds classes, which have no median; leave median-forest out, or take forest.`,
    );
  if (samples.length < fewestGroups)
    throw new UserError(
      `Only ${samples.length} samples have values of ${[column, by]
        .filter((name) => name !== null)
        .map(quote)
        .join(
          " and ",
        )}, too few to cross-validate, which takes at least ${fewestGroups}; fill in more, or choose another column.`,
    );
  const target = targetOf(dataset, column, classifies, samples);
  if (!classifies && isConstant(Array.from(samples, (sample) => target.values[sample])))
    throw new UserError(
      `All ${samples.length} samples have the same value of ${quote(column)}; there is nothing to learn from it, so choose another column.`,
    );
  const names = groups && [...new Set(Array.from(samples, (i) => groups.values[i]!))].sort();
  const outer = makeFolds(samples, {
    folds,
    repeats,
    seed,
    ...(leaveOut !== null ? { leaveOut: groups! } : groups ? { groups } : {}),
    ...(strata && { strata }),
  });
  refuseSmallParts(outer);
  if (classifies) warnings.push(...classWarnings(target, outer));
  const groupOf = groups && encodeClasses(groups.values, names!);
  const jobs = [1, ...config.curve].flatMap((share) =>
    outer.map((fold): Job => {
      const name = `repeat-${fold.repeat + 1}-fold-${fold.fold + 1}${share < 1 ? `-share-${share}` : ""}`;
      return { ...fold, name, share };
    }),
  );
  const how =
    leaveOut !== null ? `each ${leaveOut} left out once` : by !== null ? `whole ${by} held out` : "random";
  const parts =
    leaveOut !== null
      ? `${outer.length} folds`
      : `${folds} folds, ${repeats} repeat${repeats > 1 ? "s" : ""}`;
  const split = `${how}${strata ? `, stratified by ${strata.column}` : ""}, ${parts}`;
  if (names && names.length < fewGroups)
    warnings.push(
      `${quote(by!)} has only ${names.length} values: intervals over so few groups are too narrow; look at each one's figures.`,
    );
  if (by === null) warnings.push(...repeatedHosts(dataset, samples, [column], "folds are"));
  return { config, samples, target, groupOf, groupColumn: by, jobs, split, warnings };
}

/** What `finetuned` is trained with; undefined where it is not wanted. @param encoder the one of the plan. */
export function fineTuneOf(config: PlanConfig, encoder = config.encoder): FineTuneConfig | undefined {
  const { predictors, column, classifier, leaveOut, splitBy } = config;
  if (!predictors.includes("finetuned")) return undefined;
  const given = config.fineTune ?? fineTuneConfig();
  return {
    ...given,
    target: { ...given.target, metadataColumn: [column], classifier },
    pretrainedEncoder: encoder ?? given.pretrainedEncoder,
    // Which training samples tell when to stop.
    split: { ...splitSchema.parse({ testSize: given.split.testSize }), by: leaveOut ?? splitBy },
  };
}

/** @throws UserError where a fold has too few samples to learn from. */
function refuseSmallParts(outer: readonly Fold[]): void {
  const fewest = Math.min(...outer.map(({ train }) => train.length));
  if (fewest >= fewestToLearn) return;
  throw new UserError(
    `One of the ${outer.length} folds has ${fewest} samples to learn from, and each needs at least ${fewestToLearn}; divide the samples otherwise, or use more of them.`,
  );
}

/**
 * A warning where held-out samples have classes that their fold has not learned.
 * @throws UserError where all do, such as those of a column of names.
 */
function classWarnings({ column, classes, values }: LearnTarget, outer: readonly Fold[]): string[] {
  const unseen = outer.flatMap(({ train, test }) => {
    const seen = new Set(Array.from(train, (sample) => values[sample]));
    return Array.from(test).filter((sample) => !seen.has(values[sample]));
  });
  if (unseen.length === 0) return [];
  const held = outer.flatMap(({ test }) => [...test]);
  const isAll = unseen.length === held.length;
  const who = isAll ? "All" : `${new Set(unseen).size} of the`;
  const text = `${who} ${new Set(held).size} held-out samples have classes of ${quote(column)} that no training sample of their fold has (${quote(classes[values[unseen[0]]])}, say), so they cannot be predicted rightly; take a column whose classes recur${isAll ? "" : `, or give --stratify ${column}`}.`;
  if (isAll) throw new UserError(text);
  return [text];
}

function targetOf(dataset: Dataset, column: string, classifies: boolean, samples: Int32Array): LearnTarget {
  if (classifies) {
    const { values } = textValues(dataset.column(column));
    const classes = fitClasses(values, samples, column);
    const numbers = encodeClasses(values, classes);
    return {
      kind: "classes",
      column,
      classes,
      values: Float64Array.from(numbers, (value) => (value < 0 ? Number.NaN : value)),
    };
  }
  const known = dataset.column(column);
  if (known.kind !== "numeric")
    throw new UserError(`${quote(column)} holds text, not numbers; leave --no-classifier out.`);
  return { kind: "numbers", column, classes: [], values: known.values };
}
