import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { secondsText } from "./printReport.ts";

/** One point of a curve. */
export interface Point {
  readonly at: number;
  readonly seconds: number;
  readonly first_seconds: number;
  /** Of the process, so far as the system tells. */
  readonly peak_bytes?: number;
  /** The same before the first step. */
  readonly start_bytes: number;
  /** What tensors took at once in a step. */
  readonly live_bytes?: number;
  /** What the plan says that the backward pass keeps. */
  readonly kept_bytes?: number;
  /** ASVs of all samples together, and how many different ones. */
  readonly occurrences: number;
  readonly distinct: number;
  readonly gflop?: number;
  readonly gflops?: number;
}

export interface ReferencePoint {
  readonly at: number;
  readonly seconds: number;
  readonly peak_bytes: number;
  readonly start_bytes: number;
}

export interface Axis {
  readonly name: "batch" | "richness" | "dim" | "samples";
  readonly points: readonly Point[];
}

export interface ScalingReport {
  readonly subject: "scaling";
  readonly settings: Readonly<Record<string, unknown>>;
  readonly axes: readonly Axis[];
  readonly reference: readonly ReferencePoint[];
  /** The memory that a batch is to fit in. */
  readonly memory_bytes: number;
  /** What batches of growing size keep for the backward pass, by the plan. */
  readonly kept: readonly { readonly at: number; readonly bytes: number }[];
}

/** Reports of several runs as one: the settings of the first, the points of all. */
export function mergeReports([first, ...others]: readonly ScalingReport[]): ScalingReport {
  const all = [first, ...others];
  const names = [...new Set(all.flatMap(({ axes }) => axes.map(({ name }) => name)))];
  const byPlace = <P extends { at: number }>(points: P[]) => points.sort((a, b) => a.at - b.at);
  const pointsOf = (name: Axis["name"]) =>
    byPlace(
      all.flatMap(({ axes }) => axes.filter((axis) => axis.name === name).flatMap(({ points }) => points)),
    );
  return {
    ...first,
    axes: names.map((name) => ({ name, points: pointsOf(name) })),
    reference: byPlace(all.flatMap(({ reference }) => reference)),
  };
}

const titles: Record<Axis["name"], { title: string; x: string }> = {
  batch: { title: "A pretraining step by the samples of its batch", x: "samples of a batch" },
  richness: { title: "A pretraining step by the ASVs of its samples", x: "ASVs of a sample" },
  dim: { title: "A pretraining step by the size of the embedding", x: "size of the embedding" },
  samples: { title: "Embedding a table by its samples", x: "samples" },
};

/** y = intercept + slope x, by least squares. */
export function fitLine(x: readonly number[], y: readonly number[]): { intercept: number; slope: number } {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  const spread = x.reduce((sum, value) => sum + (value - mx) ** 2, 0);
  const slope = x.reduce((sum, value, i) => sum + (value - mx) * (y[i] - my), 0) / spread;
  return { slope, intercept: my - slope * mx };
}

/** The power p of y ~ x^p between the last two points, where fixed costs tell least. */
export function lastPower(points: readonly { x: number; y: number }[]): number {
  const [before, last] = points.slice(-2);
  return Math.log(last.y / before.y) / Math.log(last.x / before.x);
}

export interface Limits {
  /** The largest batch that fits, by a line through what was measured. */
  readonly ours: number;
  /** No batch of this data set would be too large. */
  readonly ours_is_all: boolean;
  readonly reference?: number;
  readonly ratio?: number;
}

/**
 * The largest batches that fit in the memory; null where too little was measured. Ours by a line through what
 * was measured against what the plan says is kept. Memory of an accelerator is not extrapolated.
 */
export function limitsOf({ axes, reference, kept, memory_bytes }: ScalingReport): Limits | null {
  const points = axes.find(({ name }) => name === "batch")?.points.filter((one) => one.peak_bytes) ?? [];
  if (points.length < 2) return null;
  const own = fitLine(
    points.map((one) => one.kept_bytes!),
    points.map((one) => one.peak_bytes!),
  );
  const fits = kept.filter(({ bytes }) => own.intercept + own.slope * bytes <= memory_bytes);
  const largest = fits.at(-1)?.at ?? 0;
  const limits = { ours: largest, ours_is_all: fits.length === kept.length };
  if (reference.length < 2) return limits;
  // Its memory grows ever more slowly at first: the last two tell best, and in its favour.
  const other = fitLine(
    reference.slice(-2).map(({ at }) => at),
    reference.slice(-2).map(({ peak_bytes }) => peak_bytes),
  );
  const theirs = Math.floor((memory_bytes - other.intercept) / other.slope);
  return { ...limits, reference: theirs, ratio: largest / theirs };
}

const gib = (bytes: number | undefined) => (bytes === undefined ? "" : (bytes / 2 ** 30).toFixed(2));

/** Rows of a table in Markdown. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, header.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function axisText({ name, points }: Axis): string {
  const isStep = name !== "samples";
  const header = [
    titles[name].x,
    "ASVs, distinct",
    "time",
    "memory, GiB",
    ...(isStep ? ["tensors, GiB", "kept by the plan, GiB", "GFLOP", "GFLOP/s"] : []),
  ];
  const rows = points.map((one) => [
    String(Math.round(one.at)),
    `${Math.round(one.occurrences)}, ${Math.round(one.distinct)}`,
    secondsText(one.seconds),
    gib(one.peak_bytes),
    ...(isStep
      ? [gib(one.live_bytes), gib(one.kept_bytes), one.gflop!.toFixed(0), one.gflops!.toFixed(0)]
      : []),
  ]);
  const power = (of: (one: Point) => number | undefined) =>
    points.length < 2
      ? ""
      : lastPower(points.map((one) => ({ x: one.at, y: of(one) ?? Number.NaN }))).toFixed(2);
  const memory = points.every((one) => one.peak_bytes)
    ? `, memory as its power ${power((one) => one.peak_bytes)}`
    : "";
  const growth =
    points.length < 2
      ? ""
      : `\nBetween the last two, time grows as the power ${power((one) => one.seconds)} of it${memory}.`;
  return `${titles[name].title}\n\n${table(header, rows)}\n${growth}\n`;
}

function referenceText(points: readonly ReferencePoint[]): string {
  const rows = points.map((one) => [String(one.at), gib(one.peak_bytes)]);
  return `The original AAM, first step\n\n${table(["samples of a batch", "memory, GiB"], rows)}\n`;
}

function limitText(report: ScalingReport): string {
  const limits = limitsOf(report);
  if (!limits) return "";
  const all = limits.ours_is_all ? ", which is all of this data set" : "";
  const other =
    limits.reference === undefined
      ? ""
      : `; the original AAM: ${limits.reference} samples, so ours are ${limits.ratio!.toFixed(0)} times as many`;
  return `By these lines, ${gib(report.memory_bytes)} GiB hold a batch of ${limits.ours} samples${all}${other}.\n`;
}

/** The report for people: tables in Markdown; or one JSON object with the limits in it. */
export function printScaling(report: ScalingReport, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ ...report, limits: limitsOf(report) })}\n`);
    return;
  }
  const settings = Object.entries(report.settings).map(
    ([name, value]) => `${name.replaceAll("_", " ")} ${value}`,
  );
  const parts = [`scaling: ${settings.join(", ")}\n`, ...report.axes.map(axisText)];
  if (report.reference.length > 0) parts.push(referenceText(report.reference));
  parts.push(limitText(report));
  process.stdout.write(parts.join("\n"));
}

/**
 * Writes time and memory of each axis, and the other side's memory beside ours, as `scaling-<axis>-time` and
 * `-memory`, both as SVG and PNG.
 */
export async function savePlots({ axes, reference, settings }: ScalingReport, folder: string): Promise<void> {
  const { lineChart, savePlot } = await import("../../src/display/plots/index.ts");
  mkdirSync(folder, { recursive: true });
  const subtitle = [
    `${settings["data"]}`.split("/").at(-1)!,
    `D = ${settings["dim"]}, ${settings["layers"]} layers`,
  ];
  for (const { name, points } of axes) {
    const { title, x: xTitle } = titles[name];
    const x = points.map((one) => one.at);
    const ours = { name: "ours", x };
    const common = { title, subtitle, xTitle, logX: true, logY: true };
    const time = await lineChart({
      ...common,
      yTitle: "seconds",
      series: [{ ...ours, y: points.map(({ seconds }) => seconds) }],
    });
    await savePlot(time, join(folder, `scaling-${name}-time`));
    if (points.every((one) => one.peak_bytes === undefined)) continue;
    const inGib = (bytes: number | undefined) => (bytes ?? Number.NaN) / 2 ** 30;
    const series = [{ ...ours, y: points.map((one) => inGib(one.peak_bytes)) }];
    if (name === "batch" && reference.length > 0) {
      const y = reference.map((one) => inGib(one.peak_bytes));
      series.push({ name: "the original AAM", x: reference.map(({ at }) => at), y });
    }
    const plot = await lineChart({ ...common, yTitle: "GiB of the process", series });
    await savePlot(plot, join(folder, `scaling-${name}-memory`));
  }
}
