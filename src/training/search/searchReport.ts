import { join } from "node:path";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { readableNumber } from "../../display/numberText.ts";
import { writePage } from "../../display/page/write.ts";
import { barChart, lineChart } from "../../display/plots/index.ts";
import { intervalText } from "../folds/foldReport.ts";
import { delimitedText, type ResultColumn } from "../targets/predictionTable.ts";
import type { SearchSummary, Trial } from "./outcome.ts";
import type { Dimension } from "./space.ts";
import type { SearchConfig } from "./trial.ts";

const labels = { mae: "MAE", log_loss: "Log loss" };

/** What was found, as the command prints it. */
export function searchText({
  best,
  test,
  figure,
  trials,
  samples,
  ended_by,
  importance,
}: SearchSummary): string {
  const settings = Object.entries(best.settings ?? {}).map(([name, value]) => `${name} ${value ?? "none"}`);
  const { high } = test.difference;
  return [
    `${trials.length} ${trials.length === 1 ? "trial" : "trials"}, ended by ${ended_by}; the best is trial ${best.trial}: ${settings.join(", ") || "the settings that the search started from"}`,
    `${labels[figure]} on inner folds ${readableNumber(best.loss!, 3)}, with the first settings ${readableNumber(trials[0].loss!, 3)}`,
    `${labels[figure]} on ${samples.held_out} samples that no trial has seen: ${intervalText(test.best)}, with the first settings ${intervalText(test.base)}`,
    best.trial === 0
      ? `${trials.length === 1 ? "No others were tried" : "No others were better on the inner folds"}.`
      : `Difference ${intervalText(test.difference)}: ${high < 0 ? "better" : "no gain is shown"}.`,
    `The same of predictors that need no settings: ${test.simple.map(({ name, loss }) => `${name} ${intervalText(loss)}`).join(", ")}`,
    simpleText(test),
    ...(importance
      ? [
          `What mattered: ${ranked(importance)
            .map(([name, size]) => `${name} ${readableNumber(size, 2)}`)
            .join(", ")}`,
        ]
      : []),
  ].join("\n");
}

/** How the best settings compare with the best of the predictors that need none. */
function simpleText({ simple }: SearchSummary["test"]): string {
  const { name, difference } = simple.reduce((a, b) => (b.loss.value < a.loss.value ? b : a));
  const { low, high } = difference;
  const verdict = high < 0 ? "better" : low > 0 ? "worse" : "no difference is shown";
  return `The best settings less the best of these, ${name}: ${intervalText(difference)}, ${verdict}.`;
}

const ranked = (importance: Readonly<Record<string, number>>) =>
  Object.entries(importance).sort(([, a], [, b]) => b - a);

/** Writes all trials: their settings, on how many folds they were judged, and their loss. */
export function writeTrials(path: string, space: readonly Dimension[], trials: readonly Trial[]): void {
  const columns: ResultColumn[] = [
    { name: "trial", values: Float64Array.from(trials, ({ trial }) => trial) },
    ...space.map(({ name }) => ({
      name,
      values: trials.map(({ settings }) => (settings === null ? "" : String(settings[name] ?? "none"))),
    })),
    { name: "folds", values: Float64Array.from(trials, ({ folds }) => folds) },
    { name: "loss", values: Float64Array.from(trials, ({ loss }) => loss ?? Number.NaN) },
    { name: "seconds", values: Float64Array.from(trials, ({ seconds }) => seconds) },
    { name: "error", values: trials.map(({ error }) => error ?? "") },
  ];
  writeFileAtomic(path, delimitedText(columns, "\t"));
}

interface SearchReportInput {
  readonly folder: string;
  readonly dataset: Dataset;
  readonly config: SearchConfig;
  readonly summary: SearchSummary;
  readonly command?: string;
}

/** Writes `report.html`, and returns its path. */
export async function writeSearchReport(input: SearchReportInput): Promise<string> {
  const { folder, dataset, config, summary, command } = input;
  const { best, test, figure, trials, samples, importance } = summary;
  const path = join(folder, "report.html");
  const label = labels[figure];
  const whole = trials.filter(({ folds, loss }) => folds === config.folds && loss !== null);
  let least = Number.POSITIVE_INFINITY;
  const course = whole.map(({ loss }) => (least = Math.min(least, loss!)));
  const row = (name: string, trial: Trial, held: typeof test.best) => ({
    name,
    isModel: true,
    note: `held out: ${intervalText(held)}`,
    values: { inner: trial.loss!, test: held.value },
  });
  await writePage(path, {
    title: `Search of settings for ${summary.column}`,
    subtitle: searchText(summary).split("\n")[0],
    created: new Date().toISOString(),
    command,
    split: {
      name: summary.split,
      parts: [
        { name: "searched on, in folds", samples: samples.searched },
        { name: "held out, judged once", samples: samples.held_out },
      ],
    },
    figures: [
      {
        label: `${label}, held out`,
        value: readableNumber(test.best.value, 3),
        note: intervalText(test.best),
      },
      {
        label: "Less the first settings",
        value: readableNumber(test.difference.value, 3),
        note: intervalText(test.difference),
      },
      {
        label: `${label}, inner folds`,
        value: readableNumber(best.loss!, 3),
        note: "too good, as the settings were chosen by it",
      },
    ],
    warnings: [
      ...(test.difference.high < 0
        ? []
        : ["On samples that no trial has seen, the best settings show no gain over the first ones."]),
      ...(test.simple.every(({ difference }) => difference.high < 0)
        ? []
        : [
            `On these samples the model is not shown to be better than simple predictors. ${simpleText(test)}`,
          ]),
    ],
    comparison: {
      metrics: [
        { key: "test", label: `${label}, held out`, better: "lower" },
        { key: "inner", label: `${label}, inner folds`, better: "lower" },
      ],
      rows: [
        row(`trial ${best.trial}, the best settings`, best, test.best),
        ...(best.trial === 0 ? [] : [row("trial 0, the first settings", trials[0], test.base)]),
        ...test.simple.map(({ name, loss }) => ({
          name,
          note: `held out: ${intervalText(loss)}`,
          values: { test: loss.value },
        })),
      ],
      verdict: `${label}, held out: ${simpleText(test)}`,
      note: "Those without inner folds need no search: they learn from all samples that were searched on. Intervals are 95 %, by bootstrap over groups.",
    },
    plots: [
      ...(importance
        ? [
            {
              plot: await barChart({
                title: "What mattered",
                valueTitle: `mean size of SHAP values, ${label}`,
                bars: ranked(importance).map(([name, value]) => ({ label: name, value })),
              }),
              caption: "How far each setting moves the loss on the first fold, in a forest over all trials.",
            },
          ]
        : []),
      {
        plot: await lineChart({
          title: "Least loss so far",
          xTitle: "trials judged on all folds",
          yTitle: `${label} on inner folds`,
          series: [{ name: "best", x: course.map((_, i) => i), y: course }],
        }),
      },
    ],
    data: [
      { label: "Data set", value: dataset.path },
      { label: "Samples", value: samples.searched + samples.held_out },
    ],
    configuration: { ...config },
    environment: [
      { label: "Trials", value: trials.length },
      { label: "Ended by", value: summary.ended_by },
      {
        label: "Seconds of all training runs",
        value: Math.round(trials.reduce((sum, { seconds }) => sum + seconds, 0)),
      },
    ],
    samples: {
      columns: [
        { name: "trial", kind: "number" },
        ...config.space.map(({ name }) => ({ name, kind: "text" }) as const),
        { name: "folds", kind: "number" },
        { name: "loss", kind: "error" },
      ],
      rows: trials.map(({ trial, settings, folds, loss }) => [
        trial,
        ...config.space.map(({ name }) => (settings === null ? null : String(settings[name] ?? "none"))),
        folds,
        loss,
      ]),
      note: "All trials. Those with fewer folds were dropped early.",
    },
  });
  return path;
}
