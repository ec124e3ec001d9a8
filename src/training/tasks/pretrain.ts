import { UserError } from "../../common/userError.ts";
import { studiesOf } from "../../data/dataset/joinStudies.ts";
import type { Split } from "../../data/split/split.ts";
import { tags } from "../../display/tensorboard/tags.ts";
import * as torch from "../../torch/index.ts";
import {
  type BaselineFigures,
  notBetterThan,
  treeFreeBaselines,
} from "../baselines/treeFree/treeFreeBaselines.ts";
import {
  batchOptionsOf,
  buildEncoder,
  decideAuto,
  fewSamples,
  metricsOf,
  objectiveForms,
} from "../config/buildModel.ts";
import { checkMetrics, checkModel } from "../config/checkModel.ts";
import { type PretrainConfig, pretrainSchema } from "../config/config.ts";
import type { TrainingResult } from "../loop/trainer.ts";
import {
  encoderTypeOf,
  fitBaseScaling,
  hasConstantDistances,
  makeBaseObjective,
} from "../objectives/baseObjective.ts";
import { judgedName } from "../objectives/judgedSamples.ts";
import { partsByMetric } from "../objectives/pairEvaluation.ts";
import { isMainRank } from "../ranks/share.ts";
import { dataFactsOf, type PretrainFacts } from "../run/facts.ts";
import { RunFolder } from "../run/folder.ts";
import { builtinNotes, pretrainFactsOf } from "../run/open.ts";
import { sequenceWarnings } from "../run/openSamples.ts";
import { trainedOn } from "../run/trainedOn.ts";
import { mixSamples } from "./mixSamples.ts";
import { pairPlot } from "./pairPlot.ts";
import { chosenStart, loadSequences, startingFrom } from "./pretrained.ts";
import { PretrainTask } from "./pretrainTask.ts";
import { checkTraining, type RunOptions, runTraining, trainingFigures } from "./runTraining.ts";
import { splitStudies } from "./splitSamples.ts";
import { startEncoder, startOnTree } from "./startEncoder.ts";

export type PretrainOptions = RunOptions<PretrainConfig>;

/** What `summary.json` says. */
export interface RunSummary extends ReturnType<typeof trainingFigures> {
  /**
   * `r2`, `mae` and `pearson`; of many samples they bear the number of those that were
   * judged, see `judgedName`.
   */
  [figure: `val.unifrac_${string}`]: number;
  readonly "val.nuc_accuracy": number | null;
  /** What needs neither tree nor training, on the same pairs; none where distances are not learned. */
  readonly baselines: BaselineFigures;
  /**
   * Mixtures of the training samples in each pass, which count as samples in `train.samples_per_second`;
   * absent for none.
   */
  readonly mixtures?: number;
  /** Of several metrics: the figures of each, of which those above are the first one's. */
  readonly metrics?: Record<string, PartFigures>;
  /** Of several data sets: the figures of each one's validation samples, whose means are those above. */
  readonly studies?: Record<string, PartFigures>;
}

/** Figures of one of several studies or metrics, on its validation samples. */
export interface PartFigures {
  readonly r2: number;
  readonly mae: number;
  readonly pearson: number;
  readonly baselines: BaselineFigures;
}

/**
 * Trains an encoder whose distances between sample embeddings match UniFrac (or which predicts Faith's PD),
 * and writes the run into a folder: configuration, best and last checkpoint, TensorBoard events, log, plot,
 * summary. SIGINT and SIGTERM end it after the present step, saved.
 * @throws UserError for options, data or folders that do not do.
 */
export async function pretrain(
  options: PretrainOptions,
): Promise<{ summary: RunSummary; result: TrainingResult }> {
  const { dataset, device, display } = options;
  const given = pretrainSchema.parse(options.config);
  // What goes on has its shape already.
  const isNew = !options.resume;
  const split = splitStudies(dataset, given.split, given.training.seed);
  const startFrom = isNew ? chosenStart(given, dataset, split) : given.startFrom;
  const config = { ...(isNew && startFrom !== null ? startingFrom(given, startFrom) : given), startFrom };
  const { training, model: shape, unifracMetric: metric } = config;
  const metrics = metricsOf(config);
  checkModel(shape, training);
  checkTraining(training, device);
  if (training.penalty === 0 && training.nucPenalty === 0) {
    throw new UserError("With --penalty 0 and --nuc-penalty 0 there is nothing to learn; raise one of them.");
  }
  const studies = studiesOf(dataset);
  if (studies && (shape.encoder !== "set" || metric === "faith_pd"))
    throw new UserError(
      "Several data sets are learned together by --encoder set and a metric of distances only; give one --dataset.",
    );
  checkMetrics(config, studies !== null);
  const folder = RunFolder.ofTraining(options.output);
  decideAuto(config, split.train.length);
  const wantsMixtures = config.mixtures === "auto" && training.penalty > 0;
  const mixtures = mixSamples(config, dataset, split.train);
  const baseScaling = fitBaseScaling(dataset, metrics, split.train);
  const constant = metrics.filter((name) => hasConstantDistances(dataset, name, split.train));
  using _lock = folder.create({ resume: options.resume });
  // A run that goes on has started already, perhaps from what is gone by now.
  const start = isNew ? startFrom : null;
  const isAuto = start !== null && given.startFrom === "auto";
  const unfit =
    start === null || isAuto
      ? []
      : [...builtinNotes(start), ...sequenceWarnings(pretrainFactsOf(start).facts, dataset)];
  for (const warning of [...split.warnings, ...unfit]) display.warn(warning);
  if (isAuto)
    display.message(
      `${split.train.length} samples train (up to ${fewSamples} count as few), so the encoder starts from the built-in one, which knows such sequences; --start-from none begins anew.`,
    );
  else if (start !== null) {
    const seen = trainedOn(start, dataset, split.validation);
    if (seen > 0)
      display.warn(
        `The encoder in ${start} was trained on ${seen} of the ${split.validation.length} validation samples, which flatters the figures; --start-from none begins anew.`,
      );
  }
  if (wantsMixtures && mixtures > 0)
    display.message(
      `Each pass over the ${split.train.length} training samples also has ${mixtures} mixtures of them, whose distances the tree gives; --mixtures 0 leaves them out.`,
    );
  if (wantsMixtures && mixtures === 0 && !studies)
    display.message(
      "The data set has no tree that gives its distances, so samples are not mixed into more (--mixtures), which usually raises R²; prepare it from a tree for that.",
    );
  for (const name of constant)
    display.warn(
      `All ${name} ${name === "faith_pd" ? "values" : "distances"} of the training samples are the same; there is nothing to learn from them.`,
    );
  const facts: PretrainFacts = {
    kind: "pretrain",
    config,
    data: dataFactsOf(dataset, split.train, shape.maxBp),
    encoderType: encoderTypeOf(metrics),
    predictNucleotides: training.nucPenalty > 0,
    baseScaling,
    studies: studies?.names,
    split: { name: split.name, train: split.train.length, validation: split.validation.length },
  };

  torch.manualSeed(training.seed);
  const model = buildEncoder(config, facts);
  model.to(device);
  const objective = makeBaseObjective(dataset, metric, {
    ...objectiveForms(config, model),
    scaling: baseScaling,
    train: split.train,
  });
  const batch = { ...batchOptionsOf(shape), ...objective.needs };
  if (isNew) {
    const from = { batch, device, seed: training.seed, scaling: baseScaling };
    if (startFrom === null) startEncoder(model, dataset, split.train, from);
    else {
      loadSequences(model, startFrom);
      startOnTree(model, dataset, split.train, { ...from, unifracMetric: metric, model: shape });
    }
  }
  const { validation } = split;
  // Without distances to learn, layers above the ASVs have nothing to do.
  const sampleEpochs = training.penalty > 0 ? config.sampleEpochs : 0;
  using task = new PretrainTask(model, {
    dataset,
    objective,
    validation,
    device,
    model: shape,
    training,
    sampleEpochs,
    nucShare: config.nucShare,
    train: split.train,
  });
  try {
    let summary: RunSummary | undefined;
    const result = await runTraining({
      folder,
      dataset,
      split,
      task,
      training,
      batch,
      mixtures,
      facts,
      losses: [
        "total_loss",
        ...(training.penalty > 0 ? (["unifrac_loss"] as const) : []),
        ...(training.nucPenalty > 0 ? (["nuc_loss", "nuc_accuracy"] as const) : []),
      ],
      monitor: { name: training.penalty > 0 ? "unifrac_loss" : "nuc_loss", direction: "min" },
      device,
      resume: options.resume,
      display,
      debugNan: options.debugNan ?? false,
      command: options.command,
      conclude: async (ended, keep) => {
        const figures = task.validate();
        const learns = training.penalty > 0;
        const judge = (of: Split, r2: number, name?: string, metric = config.unifracMetric) => {
          const baselines = learns ? treeFreeBaselines(dataset, { metric, ...of, seed: training.seed }) : {};
          const warning = notBetterThan(baselines, r2);
          if (warning) display.warn(name === undefined ? warning : `${name}: ${warning}`);
          return baselines;
        };
        const pairs = task.lastPairs!;
        const ofMetrics =
          pairs.metrics &&
          Object.fromEntries(
            Object.entries(pairs.metrics).map(
              ([
                name,
                {
                  result: { r2, mae, pearson },
                },
              ]) => [name, { r2, mae, pearson, baselines: judge(split, r2, name, name as typeof metric) }],
            ),
          );
        const own = pairs.studies;
        const partOf = (study: number): Split => ({
          train: split.train.filter((sample) => studies!.of[sample] === study),
          validation: validation.filter((sample) => studies!.of[sample] === study),
        });
        const ofStudies =
          own &&
          Object.fromEntries(
            Object.entries(own).map(([name, { r2, mae, pearson }]) => {
              const part = partOf(studies!.names.indexOf(name));
              return [name, { r2, mae, pearson, baselines: judge(part, r2, name) }];
            }),
          );
        summary = {
          ...Object.fromEntries(
            ["r2", "mae", "pearson"].map((figure) => {
              const name = judgedName(figure, validation.length);
              return [`val.unifrac_${name}`, figures[name]];
            }),
          ),
          "val.nuc_accuracy": figures["nuc_accuracy"] ?? null,
          baselines: ofStudies
            ? {}
            : (ofMetrics?.[metric].baselines ?? judge(split, figures[judgedName("r2", validation.length)])),
          ...(ofMetrics && { metrics: ofMetrics }),
          ...(ofStudies && { studies: ofStudies }),
          ...trainingFigures(ended, model, device, split),
          ...(mixtures > 0 && { mixtures }),
        };
        folder.writeJson(folder.summary, summary);
        if (!(options.plots ?? true) || !isMainRank()) return;
        for (const [name, part] of partsByMetric(pairs, metric)) {
          const suffix = name === metric ? "" : `_${name}`;
          const tag = `${tags.uniFracPlot}${suffix}`;
          await keep(`unifrac_plot_best${suffix}`, await pairPlot(part, name), tag);
        }
      },
    });
    return { summary: summary!, result };
  } finally {
    model.dispose();
  }
}
