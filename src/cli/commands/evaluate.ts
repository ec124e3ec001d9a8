import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { makeFolder, writeFileAtomic } from "../../common/files/atomicFile.ts";
import { UserError } from "../../common/userError.ts";
import { studiesOf } from "../../data/dataset/joinStudies.ts";
import { readIdFile } from "../../data/split/files.ts";
import { savePlot } from "../../display/plots/index.ts";
import { spearman } from "../../metrics/metrics.ts";
import { notBetterThan, treeFreeBaselines } from "../../training/baselines/treeFree/treeFreeBaselines.ts";
import { hasMetric, judgeRun } from "../../training/inference/judgeEncoder.ts";
import { predictSamples } from "../../training/inference/predictSamples.ts";
import { judgedName } from "../../training/objectives/judgedSamples.ts";
import { type PairEvaluation, partsByMetric } from "../../training/objectives/pairEvaluation.ts";
import { RunFolder } from "../../training/run/folder.ts";
import { runCategories } from "../../training/run/openSamples.ts";
import { figuresOf, judgePredictions } from "../../training/targets/predictions.ts";
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

/** Figures on samples that a model was trained on flatter it; a run knows which these are. */
function warnOfTrainingSamples({ dataset, samples, display }: ModelAndSamples, model: string): void {
  const { trainIds, validationIds } = new RunFolder(model);
  if (!existsSync(trainIds)) return;
  const trained = new Set(readIdFile(trainIds));
  const seen = samples.filter((sample) => trained.has(dataset.sampleIds[sample])).length;
  if (seen > 0)
    display.warn(
      `The model was trained on ${seen} of these ${samples.length} samples, which flatters the figures; --samples ${validationIds} takes those held out.`,
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
  if (qualities.every(({ n }) => n === 0))
    throw new UserError(
      `None of the ${samples.length} samples has a value of ${targets.columns.join(", ")}.`,
    );
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
  const { run: opened, dataset, device, display, onProgress } = use;
  const { metric, training } = opened.facts.config;
  const chosen = hasMetric(dataset, metric) ? chosenForm(use, flags) : null;
  const samples = chosen?.rest ?? use.samples;
  const pairs = judgeRun(opened, dataset, samples, device, chosen?.form, onProgress);
  if (!pairs) return;
  const isEncoder = opened.facts.kind === "pretrain";
  const figuresOf = ({ result, predicted, actual }: PairEvaluation) => ({
    ...result,
    spearman: spearman(predicted, actual),
  });
  /** The baselines of `judged`, calibrated on others of `known`, with a warning where they are better. */
  const baselinesOf = (
    name: string,
    r2: number,
    judged = samples,
    known: Int32Array | null = null,
    of = "",
  ) => {
    const others = othersThan(judged, known ?? Int32Array.from({ length: dataset.sampleCount }, (_, i) => i));
    const enough = others.length >= fewestCalibrating;
    const train = enough ? others : judged;
    const options = { metric: name, train, validation: judged, seed: training.seed };
    const baselines = treeFreeBaselines(dataset, options);
    const warning = notBetterThan(baselines, r2);
    if (warning) display.warn(of === "" ? warning : `${of}: ${warning}`);
    const whose = known ? "its other samples" : "the data set's other samples";
    return { ...baselines, calibrated_on: enough ? whose : "these samples themselves" };
  };
  if (pairs.metrics) {
    for (const [name, part] of Object.entries(pairs.metrics))
      metrics[judgedName(name, samples.length)] = {
        ...figuresOf(part),
        ...(isEncoder && { baselines: baselinesOf(name, part.result.r2, samples, null, name) }),
      };
  } else {
    const name = metric === "faith_pd" ? "faith_pd" : "unifrac";
    metrics[judgedName(name, samples.length)] = figuresOf(pairs);
    if (pairs.studies) {
      const { names, of } = studiesOf(dataset)!;
      metrics["studies"] = Object.fromEntries(
        Object.entries(pairs.studies).map(([study, result]) => {
          const isOwn = (sample: number) => names[of[sample]] === study;
          const own = Int32Array.from(of.keys()).filter(isOwn);
          const judged = samples.filter(isOwn);
          const baselines = isEncoder && baselinesOf(metric, result.r2, judged, own, study);
          return [study, { ...result, ...(baselines && { baselines }) }];
        }),
      );
    } else if (isEncoder) metrics["baselines"] = baselinesOf(metric, pairs.result.r2);
  }
  if (flags.output === undefined) return;
  for (const [name, part] of partsByMetric(pairs, metric)) {
    const plot = await pairPlot(part, name, "samples");
    if (plot)
      await savePlot(plot, join(flags.output, name === metric ? "unifrac_plot" : `unifrac_plot_${name}`));
  }
}

/**
 * Samples that baselines are calibrated on at least; with fewer, the judged ones do,
 * in the baselines' favour.
 */
const fewestCalibrating = 20;

/** Those of `all` samples that are not among `samples`. */
function othersThan(samples: Int32Array, all: Int32Array): Int32Array {
  const judged = new Set(samples);
  return all.filter((sample) => !judged.has(sample));
}

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
