import { readableNumber } from "../numberText.ts";
import { drawChart, type Plot, requirePoints } from "./chart.ts";
import { categoryColours, inkColours, otherColour } from "./palette.ts";
import { extentOf, finiteRows } from "./rows.ts";

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Bars of different series stand side by side under one label. */
  readonly series?: string;
  /** Half the length of the error bar, in the unit of `value`. */
  readonly error?: number;
  /** Drawn in grey, as what the other bars are compared with. */
  readonly muted?: boolean;
}

export interface BarChartInput {
  readonly title: string;
  readonly subtitle?: readonly string[];
  readonly valueTitle: string;
  /** From top to bottom. */
  readonly bars: readonly Bar[];
}

const plotWidth = 330;

/** Horizontal bars from zero, with their values. */
export function barChart(input: BarChartInput): Promise<Plot> {
  const { title, subtitle = [], valueTitle } = input;
  const bars = input.bars.filter((bar) => Number.isFinite(bar.value));
  requirePoints(bars.length, title);
  const seriesNames = [...new Set(bars.map((bar) => bar.series ?? ""))];
  const several = seriesNames.length > 1;
  const values = bars.map((bar) => ({
    ...bar,
    series: bar.series ?? "",
    low: bar.value - (bar.error ?? 0),
    high: bar.value + (bar.error ?? 0),
    end: bar.value + Math.sign(bar.value || 1) * (bar.error ?? 0),
    text:
      readableNumber(bar.value, 3) + (bar.error === undefined ? "" : ` ± ${readableNumber(bar.error, 2)}`),
  }));
  // Room for the numbers at the ends of the bars.
  const [low, high] = extentOf(values.flatMap((bar) => [0, bar.low, bar.high]));
  const sides = Number(low < 0) + Number(high > 0 || low === 0);
  const textWidth = 6 + 5.5 * Math.max(...values.map(({ text }) => text.length));
  const room = (textWidth * (high - low)) / Math.max(100, plotWidth - sides * textWidth) || 1;
  const domain = [low < 0 ? low - room : 0, high > 0 || low === 0 ? high + room : 0];
  const y = {
    field: "label",
    type: "nominal",
    sort: null,
    axis: { title: null, labelLimit: 240, ticks: false },
  };
  const offset = several ? { yOffset: { field: "series", sort: seriesNames } } : {};
  const x = {
    field: "value",
    type: "quantitative",
    scale: { domain, nice: true },
    axis: { title: valueTitle, tickCount: 7 },
  };
  const layer = [
    {
      mark: { type: "bar", cornerRadiusEnd: 2, height: { band: 0.78 } },
      encoding: {
        y,
        ...offset,
        x,
        color: {
          condition: { test: "datum.muted", value: otherColour },
          field: "series",
          scale: { domain: seriesNames, range: [...categoryColours] },
          legend: several
            ? { title: null, orient: "top", direction: "horizontal", symbolType: "square" }
            : null,
        },
      },
    },
    {
      transform: [{ filter: "datum.low < datum.high" }],
      mark: { type: "rule", color: inkColours.ink, strokeWidth: 1.5, aria: false },
      encoding: { y, ...offset, x: { ...x, field: "low" }, x2: { field: "high" } },
    },
    ...[true, false].map((positive) => ({
      transform: [{ filter: positive ? "datum.value >= 0" : "datum.value < 0" }],
      mark: {
        type: "text",
        align: positive ? "left" : "right",
        dx: positive ? 6 : -6,
        fontSize: 11,
        color: inkColours.ink,
        aria: false,
      },
      encoding: { y, ...offset, x: { ...x, field: "end" }, text: { field: "text" } },
    })),
  ];
  const step = several ? 18 * seriesNames.length + 10 : 30;
  const facts = values
    .map((bar) => `${bar.label}${several ? ` (${bar.series})` : ""} ${bar.text}`)
    .join(", ");
  const height = step * new Set(values.map((bar) => bar.label)).size;
  return drawChart(title, subtitle, `${valueTitle}: ${facts}.`, {
    width: plotWidth,
    height,
    data: { values },
    layer,
  });
}

export interface LineSeries {
  readonly name: string;
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
}

export interface LineChartInput {
  readonly title: string;
  readonly subtitle?: readonly string[];
  readonly xTitle: string;
  readonly yTitle: string;
  /** At most seven. */
  readonly series: readonly LineSeries[];
  readonly logX?: boolean;
  readonly logY?: boolean;
  /** Starts the vertical axis at zero. */
  readonly fromZero?: boolean;
}

/** Lines with points. Values that are not finite are left out. */
export function lineChart(input: LineChartInput): Promise<Plot> {
  const {
    title,
    subtitle = [],
    xTitle,
    yTitle,
    series,
    logX = false,
    logY = false,
    fromZero = false,
  } = input;
  const values = series.flatMap(({ name, x, y }) =>
    finiteRows(x, y)
      .filter((i) => (!logX || x[i] > 0) && (!logY || y[i] > 0))
      .map((i) => ({
        name,
        x: x[i],
        y: y[i],
        label: `${name}: ${xTitle} ${readableNumber(x[i])}, ${yTitle} ${readableNumber(y[i])}`,
      })),
  );
  requirePoints(values.length, title);
  const scaleOf = (logarithmic: boolean, zero: boolean) =>
    logarithmic ? { type: "log", nice: false } : { zero, nice: true };
  const names = series.map(({ name }) => name);
  const spec = {
    width: 460,
    height: 320,
    data: { values },
    encoding: {
      x: {
        field: "x",
        type: "quantitative",
        scale: { ...scaleOf(logX, false), nice: false },
        axis: { title: `${xTitle}${logX ? " (log scale)" : ""}`, grid: false },
      },
      y: {
        field: "y",
        type: "quantitative",
        scale: scaleOf(logY, fromZero),
        axis: { title: `${yTitle}${logY ? " (log scale)" : ""}`, tickCount: 6 },
      },
      color: {
        field: "name",
        scale: { domain: names, range: [...categoryColours] },
        legend:
          names.length > 1
            ? { title: null, orient: "top", direction: "horizontal", columns: 3, symbolType: "circle" }
            : null,
      },
    },
    layer: [
      { mark: { type: "line", strokeWidth: 2, aria: false } },
      {
        mark: { type: "circle", size: values.length > 200 ? 12 : 36, opacity: 1 },
        encoding: { description: { field: "label" } },
      },
    ],
  };
  return drawChart(title, subtitle, `${yTitle} against ${xTitle} for ${names.join(", ")}.`, spec);
}
