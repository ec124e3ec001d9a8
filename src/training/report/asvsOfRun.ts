import type { ReportProgress } from "../../common/progress.ts";
import { Random } from "../../common/random/random.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import type { Split } from "../../data/split/split.ts";
import type { Taxonomy } from "../../data/taxonomy/read.ts";
import type { SampleTable } from "../../display/page/types.ts";
import type * as torch from "../../torch/index.ts";
import { batchOptionsOf } from "../config/buildModel.ts";
import { baseOfSamples } from "../contributions/asvBase.ts";
import { addsAsvsUp, explainSamples, type SampleContributions } from "../contributions/explainSamples.ts";
import { rankedByContributions, reasonSection } from "../folds/reasonSection.ts";
import { reasonTable } from "../folds/reasonTable.ts";
import { contributedReasons } from "../predictors/contributedReasons.ts";
import type { Learned, LearnTarget } from "../predictors/learner.ts";
import type { OpenedRun } from "../run/open.ts";
import type { SampleCategories } from "../targets/sampleCategories.ts";

/** Held-out samples that are explained at most; fewer where each takes seconds. */
const [mostExplained, mostOfSlots] = [100, 50];

/**
 * The ASVs that carry a fine-tuned model's predictions of held-out samples, as a section of its report;
 * undefined where none does.
 */
export async function asvsOfRun(
  run: OpenedRun,
  dataset: Dataset,
  { train, validation }: Split,
  options: {
    readonly device: torch.Device;
    readonly categories: SampleCategories | null;
    readonly taxonomy: Taxonomy | null;
    /** Draws the samples to explain, where there are more. */
    readonly seed: number;
    /** Is told which samples are explained, before that begins. */
    readonly say?: (text: string) => void;
    readonly onProgress?: ReportProgress;
  },
): Promise<SampleTable | undefined> {
  const targets = run.targets!;
  const isSum = addsAsvsUp(run.predictor!);
  const most = isSum ? mostExplained : mostOfSlots;
  const drawn = new Random(options.seed).derive("explained").shuffle(validation.slice());
  const samples = validation.length > most ? drawn.subarray(0, most).sort() : validation;
  const all = validation.length;
  const howMany =
    samples.length < all
      ? `${samples.length} of the ${all} held-out samples (drawn by the run's seed)`
      : `the ${all} held-out samples`;
  options.say?.(`Computing what each ASV adds to the predictions of ${howMany}`);
  const base = baseOfSamples(dataset, train, batchOptionsOf(run.facts.config.model));
  const explained = [...explainSamples(run, dataset, base, samples, options)];
  const { classes, columns } = targets;
  const ways = columns.map((column, k) => {
    const none = new Float64Array(0);
    const target: LearnTarget = classes
      ? { kind: "classes", column, values: none, classes }
      : { kind: "numbers", column, values: none, classes: [] };
    const own = classes ? explained : explained.map((one) => outputOf(one, k));
    const width = classes ? classes.length : 1;
    const learned: Learned = {
      settings: {},
      unseen: none,
      predict: () =>
        Float64Array.from(
          { length: own.length * width },
          (_, i) => own[Math.floor(i / width)].predicted[i % width],
        ),
      explain: () => own,
    };
    const task = { study: { dataset }, train, target };
    const { model: reasons } = contributedReasons(task, { model: learned }, samples);
    return {
      by: column,
      title: columns.length > 1 ? column : "Effects of ASVs",
      ranked: rankedByContributions(reasons.gap ?? 0),
      rows: reasonTable(dataset, target, [reasons], options.taxonomy),
    };
  });
  const against = isSum
    ? "with a sample that has each ASV to the degree in which training samples have it"
    : "with the sample itself if all of its ASVs were the mean one of the training samples";
  return reasonSection(ways, {
    title: `ASVs that carry ${columns.join(", ")}`,
    note: `What the model's predictions of ${howMany} owe to each ASV, compared ${against}. importance: mean size of what the ASV adds${classes ? ", to probabilities" : ", in the target's unit"}. effect: the mean in samples with the ASV less that in samples without. ASVs in fewer than three training samples are left out; none of this proves a cause.`,
    wayName: columns.length > 1 ? "target" : null,
    overFolds: false,
  });
}

/** Contributions to one of several outputs. */
function outputOf({ values, base, predicted }: SampleContributions, output: number): SampleContributions {
  const width = base.length;
  const pick = (all: Float64Array) => all.filter((_, i) => i % width === output);
  return { values: pick(values), base: pick(base), predicted: pick(predicted) };
}
