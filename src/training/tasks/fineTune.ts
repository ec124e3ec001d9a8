import { UserError } from "../../common/userError.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { categoryKeys, textValues } from "../../data/encoding/categories.ts";
import { CategoryWeights } from "../../data/encoding/categoryWeights.ts";
import { classWeights } from "../../data/encoding/classLabels.ts";
import { tags } from "../../display/tensorboard/tags.ts";
import type { SequencePredictor } from "../../models/sequencePredictor.ts";
import * as torch from "../../torch/index.ts";
import {
  batchOptionsOf,
  buildEncoder,
  buildPredictor,
  decideAuto,
  metricsOf,
  objectiveForms,
} from "../config/buildModel.ts";
import { checkFineTune } from "../config/checkFineTune.ts";
import { checkMetrics, checkModel } from "../config/checkModel.ts";
import { type FineTuneConfig, fineTuneSchema } from "../config/config.ts";
import { baseOfSamples, writeBase } from "../contributions/asvBase.ts";
import { AsvBlocksCache, knownAsvs } from "../encoding/asvBlocksCache.ts";
import { AsvSumCache } from "../encoding/asvSumCache.ts";
import { FrozenEncoderCache } from "../encoding/frozenEncoderCache.ts";
import type { SampleSetOptions } from "../encoding/mapSampleSet.ts";
import { hasMetric } from "../inference/judgeEncoder.ts";
import { type Figures, lastEpoch, type TrainingResult } from "../loop/trainer.ts";
import { encoderTypeOf, fitBaseScaling, makeBaseObjective } from "../objectives/baseObjective.ts";
import { TargetLoss } from "../objectives/targetLoss.ts";
import { isMainRank } from "../ranks/share.ts";
import { dataFactsOf, type FineTuneFacts } from "../run/facts.ts";
import { RunFolder } from "../run/folder.ts";
import { builtinNotes, pretrainFactsOf } from "../run/open.ts";
import { sequenceWarnings } from "../run/openSamples.ts";
import { encoderKnows } from "../run/trainedOn.ts";
import { oneClassWarning } from "../targets/predictions.ts";
import { writePredictions } from "../targets/predictionTable.ts";
import { SampleCategories } from "../targets/sampleCategories.ts";
import { isClassifier, labelledSamples, leftOut, Targets } from "../targets/targets.ts";
import { settleRidge } from "./chooseRidge.ts";
import { FineTuneTask } from "./fineTuneTask.ts";
import { frozenText } from "./frozenText.ts";
import { countPlot, pairPlot } from "./pairPlot.ts";
import { loadEncoder, withShapeOf } from "./pretrained.ts";
import { repeatedHosts } from "./repeatedHosts.ts";
import { checkTraining, type RunOptions, runTraining, trainingFigures } from "./runTraining.ts";
import { type NamedSplit, splitSamples } from "./splitSamples.ts";
import { startEncoder } from "./startEncoder.ts";
import { targetPlots } from "./targetPlots.ts";

export type FineTuneOptions = RunOptions<FineTuneConfig>;

/** What `summary.json` says. */
export interface FineTuneSummary extends ReturnType<typeof trainingFigures> {
  readonly targets: string[];
  readonly kind: "numbers" | "classes";
  /** Of the validation samples at the best epoch, in the targets' own units. */
  readonly validation: Figures;
}

/** A warning if validation samples have classes that are in no training sample: these cannot be predicted. */
function unseenClasses(dataset: Dataset, targets: Targets, validation: Int32Array): string[] {
  const { classes, columns } = targets;
  if (classes === null) return [];
  const { values } = textValues(dataset.column(columns[0]));
  const unseen = validation.filter((sample) => {
    const value = values[sample];
    return value !== null && !classes.includes(value);
  });
  if (unseen.length === 0) return [];
  return [
    `${unseen.length} of the ${validation.length} validation samples have classes of "${columns[0]}" that no training sample has ("${values[unseen[0]]}", say), so they cannot be predicted rightly; take a column whose classes recur, or give --stratify ${columns[0]}.`,
  ];
}

/** Figures of which more is better. */
const higherIsBetter = new Set([lastEpoch, "r2", "accuracy", "f1", "auc"]);

/**
 * Trains a predictor of sample metadata on an encoder, fresh or pretrained, and writes the run into
 * a folder like `pretrain`, with the predictions of the validation samples. All statistics come
 * from the training samples.
 * @throws UserError for options, data or folders that do not do.
 */
export async function fineTune(
  options: FineTuneOptions,
): Promise<{ summary: FineTuneSummary; result: TrainingResult }> {
  const { dataset, device, display } = options;
  const given = fineTuneSchema.parse(options.config);
  const start = given.pretrainedEncoder === null ? null : pretrainFactsOf(given.pretrainedEncoder);
  // The encoder's shape is that of its pretraining.
  const config = start ? withShapeOf(given, start) : given;
  const { training, target, model: shape } = config;
  checkModel(shape, training);
  if (start && given.furtherMetrics.some((name) => !config.furtherMetrics.includes(name)))
    throw new UserError(
      `furtherMetrics are those of the encoder in ${given.pretrainedEncoder}; leave them out.`,
    );
  checkMetrics(config);
  checkTraining(training, device);
  checkFineTune(config, { isClassifier: isClassifier(dataset, target) });
  const labelled = labelledSamples(dataset, target.metadataColumn);
  const split = splitSamples(dataset, config.split, training.seed, labelled);
  decideAuto(config, split.train.length);
  const asvs = target.pooling === "blocks" ? knownAsvs(dataset, split.train, shape.maxBp) : null;
  const givenTargets = Targets.fit(dataset, split.train, target);
  const categories = SampleCategories.fit(dataset, config.categorical.columns, split.train);
  const baseScaling =
    start?.facts.baseScaling ??
    (hasMetric(dataset, config.unifracMetric)
      ? fitBaseScaling(dataset, metricsOf(config), split.train)
      : null);
  const encoderType =
    start?.facts.encoderType ??
    (learnsMetric(dataset, config) ? encoderTypeOf(metricsOf(config)) : "unifrac");
  const { weights: sampleWeights, warnings } = weighSamples(dataset, config, split);
  const loss = makeLoss(dataset, config, givenTargets, split);
  const largestCount = largestCountOf(dataset, split.train);

  const folder = RunFolder.ofTraining(options.output);
  using _lock = folder.create({ resume: options.resume });
  const unseen = unseenClasses(dataset, givenTargets, split.validation);
  const encoder = given.pretrainedEncoder;
  const unfit =
    start && encoder !== null
      ? [
          ...builtinNotes(encoder),
          ...sequenceWarnings(start.facts, dataset),
          ...encoderKnows(encoder, dataset, split.validation, "validation samples"),
        ]
      : [];
  const { by, trainSamples, valSamples } = config.split;
  const isRandom = by === null && trainSamples === null && valSamples === null;
  const hosts = isRandom ? repeatedHosts(dataset, labelled, target.metadataColumn, "the split is") : [];
  const ofSamples = [
    ...leftOut(dataset.sampleCount, labelled.length, target.metadataColumn),
    ...split.warnings,
    ...hosts,
  ];
  for (const warning of [...ofSamples, ...givenTargets.warnings, ...unseen, ...warnings, ...unfit])
    display.warn(warning);
  const encoderChoice = {
    encoderType,
    predictNucleotides: training.nucPenalty > 0 || (start?.facts.predictNucleotides ?? false),
    studies: start?.facts.studies,
  };

  const batch = batchOptionsOf(shape);
  writeBase(folder.trainAsvs, dataset, baseOfSamples(dataset, split.train, batch), shape.maxBp);
  torch.manualSeed(training.seed);
  const base = buildEncoder(config, encoderChoice);
  if (start) loadEncoder(start, base, encoderChoice.predictNucleotides);
  const { form, metrics } = objectiveForms(config, base);
  // Of a pretrained encoder's metrics those go on that the data set has.
  const known = metrics?.filter((one) => hasMetric(dataset, one.metric));
  const hasNone = start !== null && !metricsOf(config).some((metric) => hasMetric(dataset, metric));
  const learns = learnsMetric(dataset, config);
  if (learns && hasNone)
    display.warn(
      `The data set lacks what the encoder in ${given.pretrainedEncoder} learned (${metricsOf(config).join(", ")}); it learns no distances here.`,
    );
  const objective =
    learns && !hasNone
      ? makeBaseObjective(dataset, config.unifracMetric, {
          form,
          metrics: known,
          scaling: baseScaling,
          train: split.train,
        })
      : null;
  const model = buildPredictor(shape, target, config.categorical, {
    base,
    freezeBase: config.freezeBase,
    outputs: givenTargets.outputs,
    classifier: givenTargets.classes !== null,
    quantiles: givenTargets.quantiles?.length ?? null,
    cardinalities: categories?.cardinalities ?? null,
    knownAsvs: asvs?.length,
  });
  model.to(device);
  if (!start && !options.resume) {
    const given = {
      batch: { ...batch, ...objective?.needs },
      device,
      seed: training.seed,
      scaling: baseScaling,
    };
    startEncoder(base, dataset, split.train, given);
  }
  base.eval();
  if (config.freezeBase) {
    display.message(frozenText(config, givenTargets.classes !== null));
    display.message("Encoding all samples once with the frozen encoder");
  }
  const frozen = config.freezeBase
    ? freeze(model, dataset, { train: split.train, known: asvs ?? [] }, { device, batch })
    : null;
  if (frozen instanceof AsvBlocksCache) settleRidge(frozen, dataset, config, givenTargets, split.train);
  // The transform may have been chosen just now.
  const targets = Targets.fit(dataset, split.train, target);
  const facts: FineTuneFacts = {
    kind: "fine-tune",
    config,
    data: dataFactsOf(dataset, split.train, shape.maxBp),
    ...encoderChoice,
    baseScaling,
    split: { name: split.name, train: split.train.length, validation: split.validation.length },
    targets: targets.state,
    categories: categories?.encoder.state ?? null,
    largestCount,
    ...(asvs && { knownAsvs: asvs.length }),
  };
  const { validation } = split;
  const task = new FineTuneTask(model, {
    dataset,
    validation,
    device,
    config,
    targets,
    loss,
    categories,
    objective: frozen ? null : objective,
    sampleWeights,
    frozen,
    largestCount,
  });
  const monitor = config.bestMetric === "val_loss" ? "total_loss" : config.bestMetric;
  try {
    let summary: FineTuneSummary | undefined;
    const result = await runTraining({
      folder,
      dataset,
      split,
      task,
      training,
      batch: { ...batch, ...(frozen ? { withoutTokens: true } : objective?.needs) },
      facts,
      losses: [
        "total_loss",
        "target_loss",
        ...(target.countPrediction ? (["count_loss"] as const) : []),
        ...(objective && !frozen ? (["unifrac_loss"] as const) : []),
        ...(!frozen && training.nucPenalty > 0 ? (["nuc_loss", "nuc_accuracy"] as const) : []),
      ],
      monitor: { name: monitor, direction: higherIsBetter.has(monitor) ? "max" : "min" },
      categoricalRate: config.categorical.lr,
      device,
      resume: options.resume,
      display,
      debugNan: options.debugNan ?? false,
      command: options.command,
      conclude: async (ended, keep) => {
        const figures = task.validate();
        summary = {
          targets: targets.columns,
          kind: targets.state.kind,
          validation: figures,
          ...trainingFigures(ended, model, device, split),
        };
        folder.writeJson(folder.summary, summary);
        const { predictions, qualities, pairs, counts } = task.last!;
        const shown = { dataset, samples: validation, predictions, qualities, targets };
        writePredictions(folder.predictions, { ...shown, withActual: true });
        for (const warning of qualities.map(oneClassWarning)) if (warning) display.warn(warning);
        if (!(options.plots ?? true) || !isMainRank()) return;
        for (const { name, plot } of await targetPlots(shown)) await keep(name, plot, tagOfPlot(name));
        if (pairs)
          await keep("unifrac_plot_best", await pairPlot(pairs, config.unifracMetric), tags.uniFracPlot);
        if (counts) await keep("count_plot_best", await countPlot(counts, target.countForm), tags.countPlot);
      },
    });
    return { summary: summary!, result };
  } finally {
    frozen?.dispose();
    model.dispose();
  }
}

/** `prediction_plot_best_ph` -> `validation/prediction_plot_ph`: with several targets each has a plot. */
function tagOfPlot(name: string): string | undefined {
  if (!name.startsWith("prediction_plot")) return undefined;
  return name.replace("prediction_plot_best", tags.predictionPlot);
}

function freeze(
  model: SequencePredictor,
  dataset: Dataset,
  { train, known }: { readonly train: Int32Array; readonly known: readonly Uint8Array[] },
  options: SampleSetOptions,
): FrozenEncoderCache | AsvSumCache | AsvBlocksCache {
  if (model.asvBlocks)
    return new AsvBlocksCache(model.baseModel, model.asvBlocks, dataset, { train, known }, options);
  return model.asvSum
    ? new AsvSumCache(model.baseModel, model.asvSum, dataset, train, options)
    : new FrozenEncoderCache(model.baseModel, dataset, options);
}

/**
 * Whether the encoder goes on to learn its metric: not without a weight, nor where the data set
 * has no distances at all.
 */
function learnsMetric({ manifest }: Dataset, { training, freezeBase }: FineTuneConfig): boolean {
  if (training.penalty === 0 || freezeBase) return false;
  return manifest.distances.length > 0 || manifest.vectors.length > 0;
}

function weighSamples(
  dataset: Dataset,
  { categorical: categories }: FineTuneConfig,
  split: NamedSplit,
): { weights: Float32Array | null; warnings: readonly string[] } {
  const { lossWeights: rule, lossWeightColumn: lossWeightColumns, columns } = categories;
  if (rule === null) return { weights: null, warnings: [] };
  const by = lossWeightColumns.length > 0 ? lossWeightColumns : columns.slice(0, 1);
  const keys = categoryKeys(by.map((name) => textValues(dataset.column(name))));
  const fitted = CategoryWeights.fit(
    rule === "auto" ? rule : new Map(Object.entries(rule)),
    Array.from(split.train, (sample) => keys[sample]),
    by,
  );
  return { weights: fitted.weights(keys), warnings: fitted.warnings };
}

function makeLoss(
  dataset: Dataset,
  { target }: FineTuneConfig,
  targets: Targets,
  split: NamedSplit,
): TargetLoss {
  const { classes, quantiles, columns } = targets;
  if (!classes) {
    const { lossType: type, huberDelta, overPenalty, underPenalty, lossConfig: perColumn } = target;
    const unknown = Object.keys(perColumn ?? {}).find((name) => !columns.includes(name));
    if (unknown !== undefined)
      throw new UserError(
        `--loss-config names "${unknown}", which is not predicted; predicted are ${columns.join(", ")}.`,
      );
    return new TargetLoss({ type, huberDelta, quantiles, overPenalty, underPenalty, perColumn, columns });
  }
  const rule = target.classWeights;
  if (rule === null) return new TargetLoss();
  const numbers = targets.classNumbers(dataset);
  const own = split.train.map((sample) => numbers[sample]);
  const given = rule === "auto" || Array.isArray(rule) ? rule : new Map(Object.entries(rule));
  return new TargetLoss({ classWeights: [...classWeights(given, classes, own, "--class-weights")] });
}

function largestCountOf(dataset: Dataset, train: Int32Array): number {
  let largest = 1;
  for (const sample of train)
    for (const count of dataset.sample(sample).counts) largest = Math.max(largest, count);
  return largest;
}
