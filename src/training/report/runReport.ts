import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../common/userError.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { readTaxonomyOf } from "../../data/taxonomy/read.ts";
import { readableNumber } from "../../display/numberText.ts";
import {
  type Comparison,
  type Fact,
  type Figure,
  type ReportPlot,
  type RunReport,
  type SampleTable,
  writePage,
} from "../../display/page/write.ts";
import { lineChart, savePlot } from "../../display/plots/index.ts";
import type { ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { stageReporter } from "../../display/terminal/stageReporter.ts";
import type * as torch from "../../torch/index.ts";
import { type BaselineSummary, baselinesOfRun } from "../baselines/baselinesOfRun.ts";
import {
  type BaselineFigures,
  bestBaseline,
  namedBaselines,
  treeFreeBaselines,
} from "../baselines/treeFree/treeFreeBaselines.ts";
import { metricsOf } from "../config/buildModel.ts";
import { hasMetric, judgeRun } from "../inference/judgeEncoder.ts";
import { predictSamples } from "../inference/predictSamples.ts";
import type { EpochReport, Figures } from "../loop/trainer.ts";
import { chooseJudged, judgedName } from "../objectives/judgedSamples.ts";
import { partsByMetric } from "../objectives/pairEvaluation.ts";
import { RunFolder } from "../run/folder.ts";
import { openRun } from "../run/open.ts";
import { runCategories } from "../run/openSamples.ts";
import { openRunData, type RunRecord } from "../run/record.ts";
import { figuresOf, judgePredictions } from "../targets/predictions.ts";
import { predictionColumns } from "../targets/predictionTable.ts";
import type { Targets } from "../targets/targets.ts";
import { pairPlot } from "../tasks/pairPlot.ts";
import type { RunSummary } from "../tasks/pretrain.ts";
import { targetPlots } from "../tasks/targetPlots.ts";
import { hasAllLosses } from "../tasks/trainingWatch.ts";
import { asvsOfRun } from "./asvsOfRun.ts";
import { columnsToShow, mapOfRun } from "./mapOfRun.ts";

export interface ReportOptions {
  readonly run: string;
  /** Where to write it; default `report.html` in the run's folder. */
  readonly output?: string;
  readonly device: torch.Device;
  /** Compute the baselines where they are not there yet. Default true. */
  readonly baselines?: boolean;
  /** Rank the ASVs that carry a fine-tuned model's predictions. Default true. */
  readonly reasons?: boolean;
  /** Metadata column that colours the maps at first; default the target, or the first column. */
  readonly colour?: string;
  /** File of metadata for the maps, beside those of the data set. */
  readonly metadata?: string;
  /** File of names for the ASVs that carry predictions. */
  readonly taxonomy?: string;
  readonly display: ProgressDisplay;
}

/**
 * Writes the report of a finished run as one HTML page, and returns its path.
 * @throws UserError if the run is not whole.
 */
export async function reportRun(options: ReportOptions): Promise<string> {
  const { device, display } = options;
  const folder = new RunFolder(options.run);
  const opened = openRunData(folder);
  const { record, split } = opened;
  using dataset = opened.dataset;
  // A column that is not there is told before any work is done.
  const columns = columnsToShow(dataset, options, display);
  if (options.taxonomy !== undefined && record.kind !== "fine-tune")
    throw new UserError(
      `--taxonomy names the ASVs that carry predictions, and ${folder.path} predicts nothing; leave it out.`,
    );
  if (options.taxonomy !== undefined && options.reasons === false)
    throw new UserError(
      "--taxonomy names the ASVs that --no-reasons leaves out; leave one of the options out.",
    );
  const taxonomy =
    options.taxonomy === undefined
      ? null
      : readTaxonomyOf(dataset.asvIds(), options.taxonomy, dataset.path, (text) => display.warn(text));
  const history = folder.readJson(folder.history) as EpochReport[];
  const summary = folder.readJson(folder.summary) as Record<string, unknown>;
  const run = openRun(folder.path, device);
  const onProgress = stageReporter(display);
  const plots: ReportPlot[] = [];
  let figures: Figure[];
  let comparison: Comparison | undefined;
  let samples: SampleTable | undefined;
  let asvs: SampleTable | undefined;
  if (run.targets) {
    const categories = runCategories(run.facts, dataset, display);
    const { predictions } = predictSamples(run, dataset, split.validation, {
      device,
      categories,
      onProgress,
    });
    const qualities = judgePredictions(run.targets, dataset, split.validation, predictions);
    const judged = figuresOf(qualities);
    figures = targetFigures(judged, run.targets);
    const input = { dataset, samples: split.validation, predictions, qualities, targets: run.targets };
    for (const { plot } of await targetPlots(input)) plots.push({ plot });
    samples = sampleTable(predictionColumns({ ...input, withActual: true }));
    if (options.reasons ?? true)
      asvs = await asvsOfRun(run, dataset, split, {
        ...{ device, categories, taxonomy, onProgress, seed: record.config.training.seed },
        say: (text) => display.message(`${text}; --no-reasons leaves this out`),
      });
    if (options.baselines ?? true)
      comparison = compare(judged, baselines(folder, display), {
        columns: run.targets.columns,
        isClassifier: run.targets.classes !== null,
        keepsLast: run.facts.kind === "fine-tune" && run.facts.config.bestMetric === "last",
      });
  } else {
    const { unifracMetric: metric, training } = record.config;
    const known = summary["baselines"] as BaselineFigures | undefined;
    const others =
      (options.baselines ?? true) && hasMetric(dataset, metric)
        ? (known ?? treeFreeBaselines(dataset, { metric, ...split, seed: training.seed }))
        : {};
    const { metrics } = summary as { readonly metrics?: RunSummary["metrics"] };
    figures = metrics ? figuresOfMetrics(metrics) : encoderFigures(summary, metric, others);
    if (!metrics) comparison = compareEncoder(summary, others);
    else if (options.baselines ?? true) comparison = compareMetrics(metrics);
  }
  const pairs = judgeRun(run, dataset, split.validation, device, undefined, onProgress);
  for (const [metric, part] of partsByMetric(pairs, record.config.unifracMetric)) {
    const plot = await pairPlot(part, metric);
    if (plot) plots.push({ plot });
  }
  plots.push(...(await rarefactionPlots(dataset)));
  const map = await mapOfRun(run, dataset, split, { device, columns, colour: options.colour, onProgress });
  for (const [i, { plot }] of [...plots, ...(map ? [map.picture] : [])].entries())
    await savePlot(plot, join(folder.plots, `report_${i + 1}`));
  const best = history.findLast((epoch) => epoch.isBest);
  const report: RunReport = {
    title: run.targets
      ? `Prediction of ${run.targets.columns.join(", ")}`
      : `Encoder of ${metricsOf(record.config).map(metricTitle).join(", ")}`,
    subtitle: `${record.data.samples} samples, ${record.data.asvs} ASVs; validation: ${record.split.name}`,
    created: new Date().toISOString(),
    command: typeof record.environment["command"] === "string" ? record.environment["command"] : undefined,
    split: {
      name: record.split.name,
      parts: [
        { name: "training", samples: record.split.train },
        { name: "validation", samples: record.split.validation },
      ],
    },
    figures,
    warnings: cautions(record, dataset),
    comparison,
    learningCurves: { curves: curvesOf(history), bestStep: best ? best.epoch + 1 : undefined },
    plots,
    map,
    data: dataFacts(record),
    configuration: record.config,
    environment: environmentFacts(record, summary),
    asvs,
    samples,
  };
  const path = options.output ?? folder.report;
  await writePage(path, report);
  run.model.dispose();
  return path;
}

function targetFigures(figures: Figures, { columns, quantiles }: Targets): Figure[] {
  const levels = quantiles ?? [];
  const [low, high] = [Math.min(...levels), Math.max(...levels)];
  const wanted: [key: string, label: string, note?: string][] =
    "accuracy" in figures
      ? [
          ["accuracy", "Accuracy"],
          ["macro_f1", "Macro F1", "mean over classes"],
          ["f1", "Weighted F1"],
          ["auc", "AUC"],
        ]
      : [
          ["mae", "MAE", "mean absolute error, in the column's units"],
          ["r2", "R²"],
          ["rmse", "RMSE"],
          ["pearson", "Pearson"],
          [
            "coverage",
            "Coverage",
            `share of true values between the quantiles ${low} and ${high}; ${readableNumber(high - low, 2)} is expected`,
          ],
        ];
  const rows: Figure[] = [];
  for (const [key, label, note] of wanted) {
    if (columns.length > 1) {
      for (const column of columns) {
        const value = figures[`${key}.${column}`];
        if (value !== undefined) rows.push({ label: `${label} of ${column}`, value: rounded(value), note });
      }
    } else if (key in figures) rows.push({ label, value: rounded(figures[key]), note });
  }
  return rows;
}

/** A metric as a reader calls it: `weighted normalized UniFrac`, `Faith's PD`. */
function metricTitle(metric: string): string {
  return metric === "faith_pd" ? "Faith's PD" : `${metric.replaceAll("_", " ")} UniFrac`;
}

function validationOf(summary: Record<string, unknown>): number {
  return (summary["samples"] as { validation?: number } | undefined)?.validation ?? 0;
}

function encoderFigures(
  summary: Record<string, unknown>,
  metric: string,
  baselines: BaselineFigures,
): Figure[] {
  const best = bestBaseline(baselines);
  const validation = validationOf(summary);
  const judged = chooseJudged(validation);
  const whose =
    judged === null ? "validation samples" : `${judged.length} of ${validation} validation samples`;
  const name = metric === "faith_pd" ? `Faith's PD of ${whose}` : `UniFrac, all pairs of ${whose}`;
  const number = (key: string) => (typeof summary[key] === "number" ? rounded(summary[key]) : "not measured");
  return [
    { label: "R²", value: number(`val.unifrac_${judgedName("r2", validation)}`), note: name },
    ...figuresOfStudies(summary),
    ...(best ? [{ label: "R² without training", value: rounded(best.r2), note: best.name }] : []),
    { label: "MAE", value: number(`val.unifrac_${judgedName("mae", validation)}`), note: name },
    { label: "Pearson", value: number(`val.unifrac_${judgedName("pearson", validation)}`), note: name },
    { label: "Hidden nucleotides", value: number("val.nuc_accuracy"), note: "share predicted correctly" },
  ];
}

/** R² of each study that an encoder was trained on together, beside the best baseline's there. */
function figuresOfStudies(summary: Record<string, unknown>): Figure[] {
  const studies = (summary["studies"] ?? {}) as NonNullable<RunSummary["studies"]>;
  return Object.entries(studies).map(([name, { r2, baselines }]) => {
    const best = bestBaseline(baselines);
    const note = best ? `without training ${rounded(best.r2)} (${best.name})` : undefined;
    return { label: `R² of ${name}`, value: rounded(r2), note };
  });
}

const notTrained = "no tree, no training: calibrated by a cubic on training samples";
const chosenOnThem = "All on the same held-out samples. The model's best epoch was chosen on them.";

/** The encoder beside what needs neither tree nor training; nothing where that is not known. */
function compareEncoder(
  summary: Record<string, unknown>,
  baselines: BaselineFigures,
): Comparison | undefined {
  const others = namedBaselines(baselines);
  if (others.length === 0) return undefined;
  const figure = (name: string) => summary[`val.unifrac_${judgedName(name, validationOf(summary))}`];
  const values = (r2: unknown, mae: unknown) =>
    Object.fromEntries(
      Object.entries({ r2, mae }).filter(([, value]) => typeof value === "number"),
    ) as Record<string, number>;
  return {
    metrics: [
      { key: "r2", label: "R²", better: "higher" },
      { key: "mae", label: "MAE", better: "lower" },
    ],
    rows: [
      {
        name: "This model",
        isModel: true,
        values: values(figure("r2"), figure("mae")),
      },
      ...others.map(({ name, r2, mae }) => ({
        name,
        note: notTrained,
        values: values(r2, mae),
      })),
    ],
    note: chosenOnThem,
  };
}

type OfMetrics = NonNullable<RunSummary["metrics"]>;

/** What an encoder of several metrics has for each of them. */
function figuresOfMetrics(metrics: OfMetrics): Figure[] {
  return Object.entries(metrics).flatMap(([name, { r2, mae, pearson, baselines }]) => {
    const best = bestBaseline(baselines);
    return [
      { label: `R² of ${name}`, value: rounded(r2) },
      ...(best
        ? [{ label: `R² of ${name} without training`, value: rounded(best.r2), note: best.name }]
        : []),
      { label: `MAE of ${name}`, value: rounded(mae) },
      { label: `Pearson of ${name}`, value: rounded(pearson) },
    ];
  });
}

/** `compareEncoder` for several metrics; each has baselines of its own. */
function compareMetrics(metrics: OfMetrics): Comparison {
  const keyed = (name: string, figures: { r2: number | null; mae: number | null }) =>
    Object.fromEntries(
      (["r2", "mae"] as const).flatMap((key) =>
        figures[key] === null ? [] : [[`${name}.${key}`, figures[key]] as const],
      ),
    );
  const own: Record<string, number> = {};
  const others = new Map<string, Record<string, number>>();
  for (const [metric, figures] of Object.entries(metrics)) {
    Object.assign(own, keyed(metric, figures));
    for (const one of namedBaselines(figures.baselines))
      others.set(one.name, { ...others.get(one.name), ...keyed(metric, one) });
  }
  return {
    metrics: Object.keys(metrics).flatMap((name) => [
      { key: `${name}.r2`, label: `R² of ${name}`, better: "higher" as const },
      { key: `${name}.mae`, label: `MAE of ${name}`, better: "lower" as const },
    ]),
    rows: [
      { name: "This model", isModel: true, values: own },
      ...Array.from(others, ([name, values]) => ({ name, note: notTrained, values })),
    ],
    note: chosenOnThem,
  };
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

function baselines(folder: RunFolder, display: ProgressDisplay): BaselineSummary[] {
  const path = join(folder.baselines, "summary.json");
  if (existsSync(path)) return JSON.parse(readFileSync(path, "utf8")) as BaselineSummary[];
  display.message("Computing the baselines: a random forest and nearest neighbours");
  return baselinesOfRun(folder, undefined, stageReporter(display));
}

function compare(
  model: Figures,
  others: readonly BaselineSummary[],
  {
    columns,
    isClassifier,
    keepsLast,
  }: { columns: readonly string[]; isClassifier: boolean; keepsLast: boolean },
): Comparison {
  const ofOne: Comparison["metrics"] = isClassifier
    ? [
        { key: "accuracy", label: "Accuracy", better: "higher" },
        { key: "macro_f1", label: "Macro F1", better: "higher" },
      ]
    : [
        { key: "mae", label: "MAE", better: "lower" },
        { key: "rmse", label: "RMSE", better: "lower" },
        { key: "r2", label: "R²", better: "higher" },
      ];
  // Means over columns of different units would say nothing.
  const metrics =
    columns.length === 1
      ? ofOne
      : columns.flatMap((column) =>
          ofOne
            .filter(({ key }) => key !== "rmse")
            .map((metric) => ({
              ...metric,
              key: `${metric.key}.${column}`,
              label: `${metric.label} of ${column}`,
            })),
        );
  const pick = (figures: Figures) =>
    Object.fromEntries(metrics.filter(({ key }) => key in figures).map(({ key }) => [key, figures[key]]));
  return {
    metrics,
    rows: [
      { name: "This model", isModel: true, values: pick(model) },
      ...others.map(({ name, note, figures }) => ({ name, note, values: pick(figures) })),
    ],
    note: `All on the same validation samples, each fitted on the same training samples. ${
      keepsLast
        ? "The model is that of the last epoch: the validation samples decided nothing."
        : "The model's best epoch was chosen on the validation samples."
    }`,
  };
}

/**
 * The columns of predictions, and how far each predicted number is from the true one: `error`, with several
 * targets `error_<column>`.
 */
export function sampleTable(columns: ReturnType<typeof predictionColumns>): SampleTable {
  const errors = columns.flatMap(({ name, values: predicted }) => {
    const suffix = /^prediction(_.*|)$/.exec(name)?.[1];
    const actual = columns.find((other) => other.name === `actual${suffix}`)?.values;
    if (!(predicted instanceof Float64Array && actual instanceof Float64Array)) return [];
    const values = actual.map((value, i) => Math.abs(predicted[i] - value));
    return [{ name: `error${suffix}`, kind: "error", values } as const];
  });
  const all = [
    ...columns.map(
      ({ name, values }) =>
        ({ name, kind: values instanceof Float64Array ? "number" : "text", values }) as const,
    ),
    ...errors,
  ];
  return {
    columns: all.map(({ name, kind }) => ({ name, kind })),
    rows: Array.from({ length: columns[0].values.length }, (_, row) =>
      all.map(({ values }) => {
        const value = values[row];
        return typeof value === "number"
          ? Number.isNaN(value)
            ? null
            : Number(value.toPrecision(5))
          : value;
      }),
    ),
  };
}

/**
 * The rarefaction curve of the table that the data set was made from; nothing where that was not rarefied.
 */
async function rarefactionPlots({ manifest }: Dataset): Promise<ReportPlot[]> {
  const depth = manifest.parameters["rarefyDepth"];
  const curve = manifest.depths?.curve ?? [];
  // A line needs two points.
  if (typeof depth !== "number" || curve.length < 2) return [];
  const x = curve.map((point) => point.depth);
  const kept = manifest.depths?.rows.find((row) => row.depth === depth);
  const plot = await lineChart({
    title: "Rarefaction curve",
    subtitle: [
      `The samples were rarefied to ${depth} counts; ${kept?.samples ?? 0} of ${manifest.depths?.samples ?? 0} have them`,
    ],
    xTitle: "Counts drawn from each sample",
    yTitle: "ASVs of a sample, expected",
    fromZero: true,
    series: [
      { name: "richest tenth", x, y: curve.map((point) => point.p90) },
      { name: "mean", x, y: curve.map((point) => point.mean) },
      { name: "poorest tenth", x, y: curve.map((point) => point.p10) },
    ],
  });
  const caption =
    "ASVs that the kept samples show when this many of their counts are drawn (hypergeometric expectation). If a line still rises at its end, rare ASVs are missed.";
  return [{ plot, caption }];
}

function cautions(record: RunRecord, dataset: Dataset): string[] {
  const warnings = [...dataset.manifest.warnings];
  if (record.kind === "fine-tune" && record.split.name === "random") {
    warnings.push(
      "The split is random: if samples of one subject or study are alike, the figures are too good for new subjects or studies. --split-by holds out whole groups.",
    );
  }
  return warnings;
}

function curvesOf(history: readonly EpochReport[]) {
  const labels: Record<string, string> = {
    total_loss: "Total loss",
    target_loss: "Target loss",
    unifrac_loss: "UniFrac loss",
    nuc_loss: "Nucleotide loss",
    r2: "R²",
    mae: "MAE",
    accuracy: "Accuracy",
  };
  return Object.entries(labels)
    .map(([key, name]) => {
      const points = (part: "train" | "val") =>
        history
          .filter((epoch) => Number.isFinite(epoch[part][key]))
          .filter((epoch) => part === "val" || key !== "total_loss" || hasAllLosses(epoch))
          .map((epoch) => ({ step: epoch.epoch + 1, value: epoch[part][key] }));
      return { name, train: points("train"), validation: points("val") };
    })
    .filter(({ train, validation }) => train.length + validation.length > 0);
}

function dataFacts({ dataset, data }: RunRecord): Fact[] {
  return [
    { label: "Data set", value: dataset.path },
    ...dataset.sources.map(({ role, path }) => ({ label: role, value: path })),
    { label: "Samples", value: data.samples },
    { label: "ASVs", value: data.asvs },
    {
      label: "Bases of an ASV",
      value:
        data.shortestAsv === data.longestAsv ? data.longestAsv : `${data.shortestAsv} to ${data.longestAsv}`,
    },
    {
      label: "Counts of each sample",
      value: data.rarefyDepth === "none" ? "as measured" : `rarefied to ${data.rarefyDepth}`,
    },
  ];
}

function environmentFacts({ environment }: RunRecord, summary: Record<string, unknown>): Fact[] {
  const facts: Fact[] = Object.entries(environment).flatMap(([label, value]) =>
    value === null || label === "command" ? [] : [{ label, value }],
  );
  for (const key of [
    "steps",
    "epochs",
    "best_epoch",
    "mixtures",
    "stopped_by",
    "parameters",
    "train.seconds",
    "train.samples_per_second",
  ]) {
    const value = summary[key];
    if (typeof value === "number") facts.push({ label: key, value: rounded(value) });
    else if (typeof value === "string") facts.push({ label: key, value });
  }
  return facts;
}
