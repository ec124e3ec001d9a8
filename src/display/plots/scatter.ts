import { RegressionMetrics, type RegressionResult } from "../../metrics/metrics.ts";
import { readableNumber } from "../numberText.ts";
import { type ChartSpec, drawChart, type Plot, requirePoints } from "./chart.ts";
import { inkColours, trainColour, validationColour } from "./palette.ts";
import { finiteRows, roomyDomain } from "./rows.ts";

/** More points than this are counted in cells instead of being drawn one over the other. */
const mostPoints = 2000;
const side = 420;
const cells = 60;

export interface ScatterInput {
  readonly title: string;
  /** What is predicted, with its unit: `age (months)`, `UniFrac distance`. */
  readonly quantity: string;
  readonly actual: ArrayLike<number>;
  readonly predicted: ArrayLike<number>;
  /** What each point is called, shown under the pointer in the report. */
  readonly labels?: readonly string[];
  /** Ends of each prediction's interval, if the model gives quantiles. */
  readonly lower?: ArrayLike<number>;
  readonly upper?: ArrayLike<number>;
  /** What these intervals are, as the subtitle tells: `quantiles 0.1 to 0.9`. */
  readonly interval?: string;
  /** Metrics of all values, if the points are only a sample of them; else they are computed here. */
  readonly metrics?: RegressionResult;
  /** What one point is. */
  readonly pointName?: "samples" | "pairs" | "ASVs";
  /**
   * Axis titles where `actual` and `predicted` are two quantities of which none predicts the other: then only
   * their correlation is told.
   */
  readonly axes?: { readonly actual: string; readonly predicted: string };
}

/**
 * Predicted against true values on equal axes, with the 1:1 line and the least-squares line; n, R², MAE and
 * Pearson in the subtitle. Points with a value that is not finite are left out.
 */
export function predictionScatter(input: ScatterInput): Promise<Plot> {
  const { title, quantity, actual, predicted, axes, pointName = "samples" } = input;
  const shown = finiteRows(actual, predicted);
  requirePoints(shown.length, title);
  const metrics = input.metrics ?? regressionOf(shown, actual, predicted);
  const domain = roomyDomain([
    ...shown.map((i) => actual[i]),
    ...shown.map((i) => predicted[i]),
    ...(shown.length <= mostPoints && input.lower && input.upper
      ? shown.flatMap((i) => [input.lower![i], input.upper![i]])
      : []),
  ]);
  const scale = { domain, nice: false, zero: false };
  const x = {
    field: "x",
    type: "quantitative",
    scale,
    axis: { title: axes?.actual ?? `True ${quantity}`, tickCount: 7 },
  };
  const y = {
    field: "y",
    type: "quantitative",
    scale,
    axis: { title: axes?.predicted ?? `Predicted ${quantity}`, tickCount: 7 },
  };
  const points = shown.map((i) => ({
    x: actual[i],
    y: predicted[i],
    low: input.lower?.[i],
    high: input.upper?.[i],
    label: `${input.labels ? `${input.labels[i]}: ` : ""}${axes?.actual ?? "true"} ${readableNumber(actual[i])}, ${axes?.predicted ?? "predicted"} ${readableNumber(predicted[i])}`,
  }));
  const marks: ChartSpec[] = [];
  if (points.length > mostPoints) marks.push(densityLayer(points, domain, x, y, pointName));
  else {
    if (input.lower && input.upper) {
      marks.push({
        data: { values: points },
        mark: { type: "rule", color: trainColour, opacity: 0.4, strokeWidth: 1.5 },
        encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" } },
      });
    }
    marks.push({
      data: { values: points },
      mark: { type: "circle", size: points.length > 500 ? 22 : 36, color: trainColour, opacity: 0.6 },
      encoding: { x, y, description: { field: "label" } },
    });
  }
  const kinds = [
    { name: "1:1 line", fit: { slope: 1, intercept: 0 }, colour: inkColours.ink, dash: [5, 4] },
    { name: "Least squares", fit: metrics.fit, colour: validationColour, dash: [1, 0] },
  ].slice(axes ? 1 : 0);
  const lines = kinds.flatMap(({ name, fit }) => linePoints(name, fit, domain));
  const lineNames = kinds.map(({ name }) => name);
  marks.push({
    data: { values: lines },
    mark: { type: "line", clip: true, strokeWidth: 2 },
    encoding: {
      x,
      y,
      color: {
        field: "line",
        scale: { domain: lineNames, range: kinds.map(({ colour }) => colour) },
        legend: {
          title: null,
          orient: "bottom",
          direction: "horizontal",
          symbolType: "stroke",
          symbolSize: 300,
        },
      },
      strokeDash: { field: "line", scale: { domain: lineNames, range: kinds.map(({ dash }) => dash) } },
    },
  });
  const count =
    metrics.n > shown.length
      ? `${readableNumber(shown.length)} of ${readableNumber(metrics.n)} ${pointName} shown`
      : `${readableNumber(metrics.n)} ${pointName}`;
  const pearson = `Pearson ${readableNumber(metrics.pearson, 3)}`;
  const quality = axes
    ? pearson
    : `R² ${readableNumber(metrics.r2, 3)} · MAE ${readableNumber(metrics.mae, 3)} · ${pearson}`;
  const spec = { width: side, height: side, layer: marks };
  const description = axes
    ? `${axes.predicted} against ${axes.actual}, ${count}: ${pearson}.`
    : `Predicted against true ${quantity}, ${count}: R² ${readableNumber(metrics.r2, 3)}, mean absolute error ${readableNumber(metrics.mae, 3)}.`;
  const bars = input.interval && points.length <= mostPoints ? [`Bars: ${input.interval}`] : [];
  return drawChart(title, [`${quality} · ${count}`, ...bars], description, spec);
}

function regressionOf(
  rows: readonly number[],
  actual: ArrayLike<number>,
  predicted: ArrayLike<number>,
): RegressionResult {
  const metrics = new RegressionMetrics();
  metrics.update(
    rows.map((i) => predicted[i]),
    rows.map((i) => actual[i]),
  );
  return metrics.result();
}

function linePoints(
  line: string,
  fit: { readonly slope: number; readonly intercept: number },
  domain: readonly number[],
): { line: string; x: number; y: number }[] {
  return domain.map((x) => ({ line, x, y: fit.slope * x + fit.intercept }));
}

function densityLayer(
  points: readonly { x: number; y: number }[],
  [low, high]: readonly [number, number],
  x: Record<string, unknown>,
  y: Record<string, unknown>,
  pointName: string,
): Record<string, unknown> {
  const width = (high - low) / cells;
  const counts = new Map<number, number>();
  const cell = (value: number) => Math.min(cells - 1, Math.floor((value - low) / width));
  for (const point of points) {
    const key = cell(point.y) * cells + cell(point.x);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const values = [...counts].map(([key, count]) => {
    const column = key % cells;
    const row = Math.floor(key / cells);
    return {
      x: low + column * width,
      x2: low + (column + 1) * width,
      y: low + row * width,
      y2: low + (row + 1) * width,
      count,
    };
  });
  return {
    data: { values },
    mark: { type: "rect", color: trainColour, strokeWidth: 0, aria: false },
    encoding: {
      x,
      x2: { field: "x2" },
      y,
      y2: { field: "y2" },
      // Opacity, not colour: it reads the same on the report's light and dark background.
      opacity: {
        field: "count",
        type: "quantitative",
        scale: { type: "log", range: [0.15, 1] },
        legend: { title: `${pointName} per cell`, tickCount: 4, format: "~s", symbolType: "square" },
      },
    },
  };
}
