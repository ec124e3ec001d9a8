import { join } from "node:path";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { readableNumber } from "../../display/numberText.ts";
import type { ReportPlot, SampleTable } from "../../display/page/types.ts";
import { writePage } from "../../display/page/write.ts";
import { barChart, histogramPlot, lineChart, predictionScatter } from "../../display/plots/index.ts";
import { writeArtifact } from "../../formats/qiime2/write.ts";
import type { Interval } from "../../metrics/intervals.ts";
import { titleOf } from "../predictors/index.ts";
import { delimitedText, type ResultColumn } from "../targets/predictionTable.ts";
import { fewestGroups, type Plan } from "./plan.ts";
import { reasonNotes, undividedText } from "./reasonNotes.ts";
import { rankedByContributions, reasonSection } from "./reasonSection.ts";
import type { ReasonRow } from "./reasonTable.ts";
import type { JobResult } from "./runJob.ts";
import { classOf, type FoldSummary, figureNames, lowestOf, predictionsOf } from "./summarize.ts";

/** What figures are called. */
export const figureLabels: Readonly<Record<string, string>> = {
  mae: "MAE",
  rmse: "RMSE",
  r2: "R²",
  error: "Wrong classes",
  log_loss: "Log loss",
  auc: "AUC",
};

/** `2.81 (2.53 to 3.12)` */
export function intervalText({ value, low, high }: Interval): string {
  return `${readableNumber(value, 3)} (${readableNumber(low, 3)} to ${readableNumber(high, 3)})`;
}

/** Whether anything was learned, and against what. */
export function verdictText(summary: FoldSummary): string {
  const { kind, column, differences, main, isReal, meanOf } = summary;
  const deciding = figureNames[kind][0];
  const base = kind === "numbers" ? "the median" : "the classes' shares";
  const found = differences.find(({ against, figure }) => against === "constant" && figure === deciding);
  if (!found) return "";
  const text = intervalText(found.difference);
  const plain = main === "auto" ? meanOf.find(({ of }) => of === "constant") : undefined;
  const all = meanOf.reduce((sum, { folds }) => sum + folds, 0);
  const how = plain
    ? ` In ${plain.folds} of ${all} folds auto is ${base}: nothing was better by the inner folds.`
    : "";
  if (summary.groups < fewestGroups)
    return `${column}: ${summary.groups} groups are too few to tell whether ${main} is better than ${base} for others (${figureLabels[deciding]} differs by ${text} here).${how}`;
  return isReal
    ? `${column}: ${main} is better than ${base} (${figureLabels[deciding]} ${text}).${how}`
    : `${column}: ${main} is no better than ${base} (${figureLabels[deciding]} differs by ${text}).${how}`;
}

/** How the main predictor compares with the best of the others. */
export function pairedText({ kind, main, predictors, differences }: FoldSummary): string {
  const [deciding] = figureNames[kind];
  const others = predictors.filter(({ name }) => name !== main);
  const best = others.reduce((a, b) => (b.figures[deciding].value < a.figures[deciding].value ? b : a));
  const { difference, verdict } = differences.find(
    ({ against, figure }) => against === best.name && figure === deciding,
  )!;
  return `${figureLabels[deciding]} of ${main} minus that of the best other predictor, ${best.title}: ${intervalText(difference)}, ${verdict}.`;
}

/** Table of the figures as plain text. */
export function summaryText(summary: FoldSummary): string {
  const keys = figureNames[summary.kind];
  const rows = [
    ["", ...keys.map((key) => figureLabels[key]), "coverage"],
    ...summary.predictors.map(({ title, figures, coverage }) => [
      title,
      ...keys.map((key) => intervalText(figures[key])),
      intervalText(coverage),
    ]),
  ];
  const widths = rows[0].map((_, c) => Math.max(...rows.map((row) => row[c].length)));
  const table = rows.map((row) =>
    row
      .map((cell, c) => cell.padEnd(widths[c]))
      .join("  ")
      .trimEnd(),
  );
  const deciding = keys[0];
  const title = (name: string) => titleOf(name, summary.kind === "classes");
  const paired = summary.differences
    .filter(({ figure }) => figure === deciding)
    .map(
      ({ name, against, difference, verdict }) =>
        `${title(name)} minus ${title(against)}, ${figureLabels[deciding]}: ${intervalText(difference)}, ${verdict}`,
    );
  return [...table, "", ...paired, "", verdictText(summary)].join("\n");
}

/** Writes the predictions of every fold, one row for each sample and repeat. */
export function writeFoldPredictions(
  path: string,
  dataset: Dataset,
  plan: Plan,
  results: readonly JobResult[],
): void {
  const { target, groupOf, groupColumn } = plan;
  const whole = results.filter(({ share }) => share === 1);
  const rows = whole.flatMap((result) => result.test.map((sample, row) => ({ result, sample, row })));
  const k = target.classes.length;
  const number = (name: string, of: (row: (typeof rows)[number]) => number): ResultColumn => ({
    name,
    values: Float64Array.from(rows, of),
  });
  const text = (name: string, of: (row: (typeof rows)[number]) => string): ResultColumn => ({
    name,
    values: rows.map(of),
  });
  const groupNames = groupColumn === null ? null : dataset.column(groupColumn);
  const groupName = (sample: number) => {
    if (!groupNames) return "";
    return groupNames.kind === "numeric"
      ? String(groupNames.values[sample])
      : groupNames.categories[groupNames.codes[sample]];
  };
  const columns: ResultColumn[] = [
    text("sample-id", ({ sample }) => dataset.sampleIds[sample]),
    number("repeat", ({ result }) => result.repeat + 1),
    number("fold", ({ result }) => result.fold + 1),
    ...(groupOf ? [text(groupColumn!, ({ sample }) => groupName(sample))] : []),
    target.kind === "numbers"
      ? number("actual", ({ sample }) => target.values[sample])
      : text("actual", ({ sample }) => target.classes[target.values[sample]]),
  ];
  const lowest = lowestOf(plan);
  for (const name of Object.keys(whole[0].predictors)) {
    const of = (result: JobResult) => result.predictors[name];
    if (target.kind === "numbers") {
      columns.push(
        number(name, ({ result, row }) => of(result).predicted[row]),
        number(`${name} lower`, ({ result, row }) =>
          Math.max(lowest, of(result).predicted[row] - of(result).radius[row]),
        ),
        number(`${name} upper`, ({ result, row }) => of(result).predicted[row] + of(result).radius[row]),
      );
    } else {
      columns.push(
        text(name, ({ result, row }) => target.classes[classOf(of(result).predicted, row, k)]),
        ...target.classes.map((className, c) =>
          number(`${name} ${className}`, ({ result, row }) => of(result).predicted[row * k + c]),
        ),
      );
    }
  }
  if (whole[0].likeness) columns.push(number("likeness", ({ result, row }) => result.likeness![row]));
  writeFileAtomic(path, delimitedText(columns, "\t"));
}

/** Writes the table of ASVs that carry the predictions. */
export function writeReasons(path: string, rows: readonly ReasonRow[]): void {
  const number = (name: string, of: (row: ReasonRow) => number): ResultColumn => ({
    name,
    values: Float64Array.from(rows, of),
  });
  const columns: ResultColumn[] = [
    { name: "feature-id", values: rows.map(({ id }) => id) },
    number("importance", (row) => row.importance),
    number("importance lower", (row) => row.importanceLow),
    number("importance upper", (row) => row.importanceHigh),
    number("effect", (row) => row.effect),
    number("effect lower", (row) => row.low),
    number("effect upper", (row) => row.high),
    ...(rows.some(({ className }) => className !== null)
      ? [{ name: "effect on class", values: rows.map(({ className }) => className ?? "") }]
      : []),
    number("folds", (row) => row.folds),
    ...(rows.some(({ taxon }) => taxon !== null)
      ? [{ name: "Taxon", values: rows.map(({ taxon }) => taxon ?? "") }]
      : []),
  ];
  writeFileAtomic(path, delimitedText(columns, "\t"));
}

/** Writes the ASVs' importance as a QIIME 2 artifact, `FeatureData[Importance]` of q2-sample-classifier. */
export function writeImportanceArtifact(path: string, rows: readonly ReasonRow[]): void {
  const columns: ResultColumn[] = [
    { name: "feature-id", values: rows.map(({ id }) => id) },
    { name: "importance", values: Float64Array.from(rows, ({ importance }) => importance) },
  ];
  writeArtifact(path, "FeatureData[Importance]", delimitedText(columns, "\t"));
}

export interface FoldReportInput {
  readonly folder: string;
  readonly dataset: Dataset;
  readonly plan: Plan;
  readonly results: readonly JobResult[];
  readonly summary: FoldSummary;
  readonly reasons: readonly ReasonRow[];
  readonly contributions: Readonly<Record<string, readonly ReasonRow[]>>;
  readonly command?: string;
}

/** Writes `report.html`, and returns its path. */
export async function writeFoldReport(input: FoldReportInput): Promise<string> {
  const { folder, dataset, plan, results, summary, command } = input;
  const { target, config } = plan;
  const keys = figureNames[target.kind];
  const main = summary.predictors.find(({ name }) => name === summary.main)!;
  const plots: ReportPlot[] = await plotsOf(input);
  const samples = await reasonsTable(input);
  const path = join(folder, "report.html");
  await writePage(path, {
    title: `Cross-validation of ${target.column}`,
    // What is not real is said as a warning.
    ...(summary.isReal && { subtitle: verdictText(summary) }),
    created: new Date().toISOString(),
    command,
    split: {
      name: plan.split,
      parts: [{ name: "predicted", samples: summary.samples }],
    },
    figures: [
      ...keys.map((key) => ({
        label: figureLabels[key],
        value: readableNumber(main.figures[key].value, 3),
        note: `95 % interval ${readableNumber(main.figures[key].low, 3)} to ${readableNumber(main.figures[key].high, 3)}`,
      })),
      {
        label: `Coverage, ${readableNumber(100 * config.coverage, 3)} % wanted`,
        value: `${readableNumber(100 * main.coverage.value, 3)} %`,
        note: `${target.kind === "numbers" ? "mean width" : "mean classes in a set"} ${readableNumber(main.width, 3)}`,
      },
    ],
    warnings: [
      ...plan.warnings,
      ...(summary.isReal ? [] : [verdictText(summary)]),
      ...(samples ? [] : reasonNotes(summary)),
      ...(summary.unlike !== null && summary.unlike > 0.15
        ? [
            `${readableNumber(100 * summary.unlike, 2)} % of the held-out samples are unlike the training samples (5 % would be usual): predictions and intervals may not hold for them.`,
          ]
        : []),
    ],
    comparison: {
      metrics: keys.map((key) => ({
        key,
        label: figureLabels[key],
        better: key === "r2" || key === "auc" ? "higher" : "lower",
      })),
      rows: summary.predictors.map((one) => {
        const paired = summary.differences.find(
          ({ against, figure }) => against === one.name && figure === keys[0],
        );
        return {
          name: one.title,
          isModel: one.name === summary.main,
          note: paired
            ? `${summary.main} minus this: ${figureLabels[keys[0]]} ${intervalText(paired.difference)}, ${paired.verdict}`
            : `${figureLabels[keys[0]]} ${intervalText(one.figures[keys[0]])}`,
          values: Object.fromEntries(keys.map((key) => [key, one.figures[key].value])),
        };
      }),
      verdict: pairedText(summary),
      note: `Intervals are 95 %, by bootstrap over ${unitsOf(summary)}; they allow for the choice of samples, not for chance in training.`,
    },
    plots,
    data: [
      { label: "Data set", value: dataset.path },
      { label: "Samples", value: summary.samples },
      ...(summary.groupColumn === null ? [] : [{ label: "Groups", value: summary.groups }]),
      { label: "ASVs", value: dataset.asvCount },
      ...leftOut(dataset),
    ],
    configuration: config,
    environment: [
      { label: "Folds", value: results.length },
      ...partsOfAuto(summary),
      {
        label: "Seconds of all folds",
        value: Math.round(results.reduce((sum, { seconds }) => sum + seconds, 0)),
      },
    ],
    samples,
  });
  return path;
}

/** Samples that the data set lacks, such as those with fewer counts than it was rarefied to. */
function leftOut({ manifest }: Dataset): { label: string; value: string }[] {
  return manifest.dropped
    .filter(({ what }) => what === "samples")
    .map(({ count, reason }) => ({ label: "Samples left out before", value: `${count} (${reason})` }));
}

/** In how many folds each predictor is part of the mean that `auto` is. */
function partsOfAuto({ kind, meanOf, folds }: FoldSummary): { label: string; value: string }[] {
  const parts = new Map<string, number>();
  for (const { of, folds: own } of meanOf)
    for (const name of of.split(", ")) parts.set(name, (parts.get(name) ?? 0) + own);
  return [...parts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, own]) => ({
      label: `Folds in which auto has ${titleOf(name, kind === "classes")}`,
      value: `${own} of ${folds}`,
    }));
}

/** What the bootstrap draws. */
function unitsOf({ groupColumn }: FoldSummary): string {
  return groupColumn === null ? "samples" : "groups";
}

/** The foremost ASVs of every way of asking, in plots and as a table. */
function reasonsTable({
  plan,
  reasons,
  contributions,
  summary,
}: FoldReportInput): Promise<SampleTable | undefined> {
  const permuted = {
    by: "permutation",
    title: "Ridge on presence, permuted",
    ranked: "Ranked by permutation importance within groups.",
    rows: reasons,
  };
  const others = Object.entries(contributions).map(([by, rows]) => {
    const undivided = undividedText(summary, by);
    const rest = undivided ? `; ${undivided}, which is not divided` : "";
    const ranked = rankedByContributions(summary.contributionGaps[by], rest);
    return { by, title: titleOf(by, false), ranked, rows };
  });
  return reasonSection([...others, permuted], {
    title: `ASVs that carry ${plan.target.column}`,
    wayName: "by",
    overFolds: true,
    note: [
      ...reasonNotes(summary),
      "permutation: growth of the error in ridge regression on presence, permuted within groups, and what presence adds.",
      `Others: mean size of what the ASV adds to this predictor's ${summary.kind === "classes" ? "probabilities" : "predictions"}, and the mean in samples with the ASV less that in samples without.`,
      "Lower and upper: the folds' central 95 % of the effect.",
    ].join(" "),
  });
}

async function plotsOf({ plan, results, summary }: FoldReportInput): Promise<ReportPlot[]> {
  const { target } = plan;
  const deciding = figureNames[target.kind][0];
  const plots: ReportPlot[] = [];
  plots.push({
    plot: await barChart({
      title: "Predictors on the same folds",
      valueTitle: figureLabels[deciding],
      bars: summary.predictors.map(({ title, name, figures }) => ({
        label: title,
        value: figures[deciding].value,
        error: (figures[deciding].high - figures[deciding].low) / 2,
        muted: name === "constant",
      })),
    }),
    caption: `Bars: 95 % intervals over ${unitsOf(summary)}. The paired differences tell whether two predictors differ.`,
  });
  const main = predictionsOf(results).find(({ name }) => name === summary.main)!;
  if (target.kind === "numbers") {
    plots.push({
      plot: await predictionScatter({
        title: "Held-out samples",
        quantity: target.column,
        actual: Float64Array.from(main.samples, (sample) => target.values[sample]),
        predicted: main.predicted,
      }),
    });
  } else plots.push({ plot: await reliabilityPlot(target.classes.length, main, target.values) });
  const likeness = results.flatMap((result) => result.likeness ?? []);
  if (likeness.length > 0)
    plots.push({
      plot: await histogramPlot({
        title: "Likeness to the training data",
        xTitle: "share of training samples that are at least as far from the others",
        series: [{ name: "held-out samples", values: likeness }],
        bins: 20,
      }),
      caption:
        "Flat if held-out samples are like the training samples; a peak near 0 shows that many are not.",
    });
  if (summary.curve.length > 0) {
    const names = [...new Set(summary.curve.map(({ name }) => name))].slice(0, 7);
    plots.push({
      plot: await lineChart({
        title: "Learning curve",
        xTitle: "training samples",
        yTitle: figureLabels[deciding],
        series: names.map((name) => {
          const own = summary.curve.filter((point) => point.name === name);
          return { name, x: own.map(({ trained }) => trained), y: own.map(({ value }) => value) };
        }),
      }),
    });
  }
  return plots;
}

const bins = 10;

/** How often a class is the true one where it was given a probability, over all classes. */
function reliabilityPlot(
  classes: number,
  { samples, predicted }: ReturnType<typeof predictionsOf>[number],
  values: Float64Array,
) {
  const sums = Array.from({ length: bins }, () => ({ n: 0, said: 0, true: 0 }));
  predicted.forEach((share, at) => {
    const bin = sums[Math.min(bins - 1, Math.floor(share * bins))];
    bin.n++;
    bin.said += share;
    if (values[samples[Math.floor(at / classes)]] === at % classes) bin.true++;
  });
  const filled = sums.filter(({ n }) => n > 0);
  return lineChart({
    title: "Reliability of probabilities",
    xTitle: "probability that was given",
    yTitle: "share of times it was true",
    series: [
      {
        name: "predictions",
        x: filled.map(({ said, n }) => said / n),
        y: filled.map((bin) => bin.true / bin.n),
      },
      { name: "ideal", x: [0, 1], y: [0, 1] },
    ],
  });
}
