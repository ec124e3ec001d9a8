import { RegressionMetrics } from "../../metrics/metrics.ts";
import { readableNumber } from "../numberText.ts";
import { type ChartSpec, drawChart, type Plot, requirePoints } from "./chart.ts";
import { inkColours, trainColour, validationColour } from "./palette.ts";
import { countBetween, finiteRows, niceEdges, quantile, roomyDomain } from "./rows.ts";

const mostPoints = 2000;
const height = 320;

export interface ResidualInput {
  readonly title: string;
  /** What is predicted, with its unit: `age (months)`. */
  readonly quantity: string;
  readonly actual: ArrayLike<number>;
  readonly predicted: ArrayLike<number>;
  readonly labels?: readonly string[];
}

/**
 * Residuals (predicted - true) against the true value with their running median and middle half, beside their
 * distribution on the same axis. Of more than 2000 points, evenly spaced ones are drawn; the rest counts all.
 */
export function residualPlot(input: ResidualInput): Promise<Plot> {
  const { title, quantity, actual, predicted, labels } = input;
  const rows = finiteRows(actual, predicted);
  requirePoints(rows.length, title);
  const metrics = new RegressionMetrics();
  metrics.update(
    rows.map((i) => predicted[i]),
    rows.map((i) => actual[i]),
  );
  const { bias, rmse } = metrics.result();
  const residuals = rows.map((i) => predicted[i] - actual[i]);
  const stride = Math.max(1, Math.ceil(rows.length / mostPoints));
  const points = rows
    .filter((_, at) => at % stride === 0)
    .map((i) => ({
      x: actual[i],
      y: predicted[i] - actual[i],
      label: `${labels ? `${labels[i]}: ` : ""}true ${readableNumber(actual[i])}, residual ${readableNumber(predicted[i] - actual[i])}`,
    }));
  const yDomain = roomyDomain([...residuals, 0]);
  const yScale = { domain: yDomain, nice: false, zero: false };
  const y = { field: "y", type: "quantitative", scale: yScale, axis: { title: `Residual of ${quantity}` } };
  const xScale = { domain: roomyDomain(rows.map((i) => actual[i])), nice: false, zero: false };
  const x = {
    field: "x",
    type: "quantitative",
    scale: xScale,
    axis: { title: `True ${quantity}`, tickCount: 7 },
  };
  const zeroLine = {
    data: { values: [{ y: 0 }] },
    mark: { type: "rule", color: inkColours.ink, strokeDash: [5, 4], strokeWidth: 1.5, aria: false },
    encoding: { y },
  };
  const band = runningQuartiles(
    rows.map((i) => actual[i]),
    residuals,
  );
  const left: ChartSpec[] = [
    {
      data: { values: points },
      mark: { type: "circle", size: points.length > 500 ? 18 : 32, color: trainColour, opacity: 0.6 },
      encoding: { x, y, description: { field: "label" } },
    },
    zeroLine,
  ];
  if (band.length > 1) {
    left.push(
      {
        data: { values: band },
        mark: { type: "area", color: validationColour, opacity: 0.22, aria: false },
        encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" } },
      },
      {
        data: { values: band },
        mark: { type: "line", color: validationColour, strokeWidth: 2.5, aria: false },
        encoding: { x, y },
      },
    );
  }
  const edges = niceEdges(Math.min(0, yDomain[0]), Math.max(0, yDomain[1]), 36);
  const bars = countBetween(residuals, edges)
    .map((count, i) => ({ low: edges[i], high: edges[i + 1], count }))
    .filter((bar) => bar.count > 0)
    .map((bar) => ({ ...bar, low: Math.max(bar.low, yDomain[0]), high: Math.min(bar.high, yDomain[1]) }));
  const right = {
    width: 90,
    height,
    layer: [
      {
        data: { values: bars },
        mark: { type: "rect", color: trainColour, opacity: 0.75, stroke: inkColours.paper, strokeWidth: 0.5 },
        encoding: {
          x: {
            field: "count",
            type: "quantitative",
            scale: { zero: true },
            axis: { title: "Samples", tickCount: 3, tickMinStep: 1 },
          },
          x2: { datum: 0 },
          y: { ...y, field: "low", axis: { title: null, labels: false, ticks: false } },
          y2: { field: "high" },
        },
      },
      zeroLine,
    ],
  };
  const count = `${readableNumber(rows.length)} samples`;
  const subtitle = `Predicted − true: mean ${readableNumber(bias, 3)} · RMSE ${readableNumber(rmse, 3)} · ${count}`;
  const explained = band.length > 1 ? ["Orange: running median and middle half"] : [];
  const spec = { hconcat: [{ width: 330, height, layer: left }, right], spacing: 24 };
  return drawChart(title, [subtitle, ...explained], `Residuals of ${quantity}. ${subtitle}.`, spec);
}

/**
 * Quartiles of the residuals in up to 12 groups of equal size along the true value, at each group's median.
 */
function runningQuartiles(
  actual: readonly number[],
  residuals: readonly number[],
): { x: number; y: number; low: number; high: number }[] {
  const groups = Math.min(12, Math.floor(actual.length / 8));
  if (groups < 3) return [];
  const order = actual.map((_, i) => i).sort((a, b) => actual[a] - actual[b]);
  return Array.from({ length: groups }, (_, group) => {
    const from = Math.floor((group * order.length) / groups);
    const members = order.slice(from, Math.floor(((group + 1) * order.length) / groups));
    const inOrder = members.map((i) => residuals[i]).sort((a, b) => a - b);
    return {
      x: actual[members[members.length >> 1]],
      y: quantile(inOrder, 0.5),
      low: quantile(inOrder, 0.25),
      high: quantile(inOrder, 0.75),
    };
  });
}
