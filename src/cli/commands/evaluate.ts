import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { makeFolder, writeFileAtomic } from "../../common/files/atomicFile.ts";
import { UserError } from "../../common/userError.ts";
import { studiesOf } from "../../data/dataset/joinStudies.ts";
import { savePlot } from "../../display/plots/index.ts";
import { spearman } from "../../metrics/metrics.ts";
import { notBetterThan, treeFreeBaselines } from "../../training/baselines/treeFree/treeFreeBaselines.ts";
import { hasMetric, judgeRun } from "../../training/inference/judgeEncoder.ts";
import { predictSamples } from "../../training/inference/predictSamples.ts";
import { judgedName } from "../../training/objectives/judgedSamples.ts";
import { type PairEvaluation, partsByMetric } from "../../training/objectives/pairEvaluation.ts";
import { RunFolder } from "../../training/run/folder.ts";
import { runCategories } from "../../training/run/openSamples.ts";
import { trainedOn } from "../../training/run/trainedOn.ts";
import { figuresOf, judgePredictions, unknownClassWarning } from "../../training/targets/predictions.ts";
import { writePredictions } from "../../training/targets/predictionTable.ts";
import { pairPlot } from "../../training/tasks/pairPlot.ts";
import { plotPredictions } from "../../training/tasks/targetPlots.ts";
import {
  addModelOptions,
  addRunningOptions,
  type ModelAndSamples,
  type ModelFlags,
  openModelAndSamples,
} from "../options/modelOptions.ts";
import { addStudyOptions, chosenForm, type StudyFlags } from "../options/studyOptions.ts";

interface EvaluateFlags extends ModelFlags, StudyFlags {
  readonly output?: string;
}

export function makeCommand(): Command {
  const command = addModelOptions(
    new Command("evaluate").description(
      "Judge a model on samples whose metadata (for its predictions) or tree (for its distances) are known",
    ),
  )
    .option("--metadata <file>", "TSV, CSV or QIIME 2 metadata with the true values")
    .option("--tree <file>", "Newick or QIIME 2 tree, to judge the encoder's distances")
    .optionsGroup("Output:")
    .option("-o, --output <folder>", "write metrics.json, predictions.tsv and plots there");
  addStudyOptions(command);
  return addRunningOptions(command, "warnings and the figures").action(run);
}

async function run(flags: EvaluateFlags): Promise<void> {
  using use = await openModelAndSamples(flags, flags.output);
  if (flags.output !== undefined) makeFolder(flags.output);
  warnOfTrainingSamples(use, flags.model);
  const metrics: Record<string, unknown> = {};
  if (use.run.facts.kind === "fine-tune") await judgeTargets(use, flags, metrics);
  await judgeDistances(use, flags, metrics);
  if (Object.keys(metrics).length === 0) {
    throw new UserError(
      "There is nothing to judge the encoder by: give --tree, or a data set with distances of the metric it was trained on.",
    );
  }
  if (flags.output !== undefined)
    writeFileAtomic(join(flags.output, "metrics.json"), `${JSON.stringify(metrics, null, 2)}\n`);
  if (flags.json) console.log(JSON.stringify({ event: "metrics", ...metrics }));
  else console.log(asText(metrics));
  if (flags.output !== undefined) use.display.message(`Metrics and plots are in ${resolve(flags.output)}`);
}

/** Figures on samples that a model was trained on flatter it. */
function warnOfTrainingSamples({ dataset, samples, display }: ModelAndSamples, model: string): void {
  const seen = trainedOn(model, dataset, samples);
  if (seen === 0) return;
  const { validationIds } = new RunFolder(model);
  const cure = existsSync(validationIds)
    ? `--samples ${validationIds} takes those held out`
    : "judge it on others";
  display.warn(
    `The model was trained on ${seen} of these ${samples.length} samples, which flatters the figures; ${cure}.`,
  );
}

async function judgeTargets(
  use: ModelAndSamples,
  flags: EvaluateFlags,
  metrics: Record<string, unknown>,
): Promise<void> {
  const { run: opened, dataset, samples, device, display, onProgress } = use;
  const targets = opened.targets!;
  const known = new Set(dataset.manifest.metadata.map(({ name }) => name));
  const missing = targets.columns.filter((name) => !known.has(name));
  if (missing.length > 0)
    throw new UserError(`The true values of ${missing.join(", ")} are not known; give --metadata with them.`);
  const categories = runCategories(opened.facts, dataset, display);
  const { predictions } = predictSamples(opened, dataset, samples, { device, categories, onProgress });
  const qualities = judgePredictions(targets, dataset, samples, predictions);
  const unknown = unknownClassWarning(targets, dataset, samples);
  if (qualities.every(({ n }) => n === 0))
    throw new UserError(
      unknown ?? `None of the ${samples.length} samples has a value of ${targets.columns.join(", ")}.`,
    );
  if (unknown !== null) display.warn(unknown);
  metrics["figures"] = figuresOf(qualities);
  metrics["targets"] = qualities;
  if (flags.output === undefined) return;
  const input = { dataset, samples, predictions, targets, qualities };
  writePredictions(join(flags.output, "predictions.tsv"), { ...input, withActual: true });
  await plotPredictions(flags.output, input);
}

async function judgeDistances(
  use: ModelAndSamples,
  flags: EvaluateFlags,
  metrics: Record<string, unknown>,
): Promise<void> {
  const { run: opened, dataset, device, onProgress } = use;
  const { unifracMetric: metric } = opened.facts.config;
  const chosen = hasMetric(dataset, metric) ? chosenForm(use, flags) : null;
  const samples = chosen?.rest ?? use.samples;
  const pairs = judgeRun(opened, dataset, samples, device, chosen?.form, onProgress);
  if (!pairs) return;
  const all = Int32Array.from({ length: dataset.sampleCount }, (_, i) => i);
  const whole = { samples, among: all, whose: "the data set's other samples" };
  const baselines = (part: JudgedPart) =>
    opened.facts.kind === "pretrain" ? { baselines: baselinesOf(use, part) } : {};
  const { r2 } = pairs.result;
  for (const [name, part] of Object.entries(pairs.metrics ?? {}))
    metrics[judgedName(name, samples.length)] = {
      ...withSpearman(part),
      ...baselines({ ...whole, name, metric: name, r2: part.result.r2 }),
    };
  if (!pairs.metrics)
    metrics[judgedName(metric === "faith_pd" ? "faith_pd" : "unifrac", samples.length)] = withSpearman(pairs);
  if (pairs.studies) {
    const { names, of } = studiesOf(dataset)!;
    const ofStudies = Object.entries(pairs.studies).map(([name, result]) => {
      const isOwn = (sample: number) => names[of[sample]] === name;
      const part = { samples: samples.filter(isOwn), among: all.filter(isOwn), whose: "its other samples" };
      return [name, { ...result, ...baselines({ ...part, name, metric, r2: result.r2 }) }] as const;
    });
    metrics["studies"] = Object.fromEntries(ofStudies);
  } else if (!pairs.metrics) Object.assign(metrics, baselines({ ...whole, metric, r2 }));
  if (flags.output === undefined) return;
  for (const [name, part] of partsByMetric(pairs, metric)) {
    const plot = await pairPlot(part, name, "samples");
    if (plot)
      await savePlot(plot, join(flags.output, name === metric ? "unifrac_plot" : `unifrac_plot_${name}`));
  }
}

function withSpearman({ result, predicted, actual }: PairEvaluation) {
  return { ...result, spearman: spearman(predicted, actual) };
}

/** Samples and how well a model does on them. */
interface JudgedPart {
  /** The study or metric, where there are several. */
  readonly name?: string;
  readonly metric: string;
  readonly r2: number;
  readonly samples: Int32Array;
  /** The samples of which those besides the judged ones calibrate baselines, and what these are called. */
  readonly among: Int32Array;
  readonly whose: string;
}

/** The baselines on the same samples, with a warning where the model is not better than they are. */
function baselinesOf({ run, dataset, display }: ModelAndSamples, part: JudgedPart) {
  const { name, metric, r2, samples, among, whose } = part;
  const judged = new Set(samples);
  const others = among.filter((sample) => !judged.has(sample));
  const enough = others.length >= fewestCalibrating;
  const { seed } = run.facts.config.training;
  const figures = treeFreeBaselines(dataset, {
    metric,
    train: enough ? others : samples,
    validation: samples,
    seed,
  });
  const warning = notBetterThan(figures, r2);
  if (warning) display.warn(name === undefined ? warning : `${name}: ${warning}`);
  return { ...figures, calibrated_on: enough ? whose : "these samples themselves" };
}

/**
 * Samples that baselines are calibrated on at least; with fewer, the judged ones do,
 * in the baselines' favour.
 */
const fewestCalibrating = 20;

function asText(metrics: Record<string, unknown>): string {
  const { targets: _targets, figures, ...others } = metrics;
  return linesOf({ ...(figures !== undefined && { targets: figures }), ...others }, "").join("\n");
}

/** Figures by name, those of a part under its name; a fit's, which nobody reads, are left out. */
function linesOf(figures: Record<string, unknown>, indent: string): string[] {
  return Object.entries(figures).flatMap(([name, value]) => {
    if (typeof value === "number") return [`${indent}${name.padEnd(12)} ${Number(value.toPrecision(6))}`];
    if (typeof value === "string") return [`${indent}${name.padEnd(12)} ${value}`];
    if (value === null || typeof value !== "object" || name === "fit") return [];
    return [`${indent}${name}`, ...linesOf(value as Record<string, unknown>, `${indent}  `)];
  });
}
