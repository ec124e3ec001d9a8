import { readableNumber } from "../numberText.ts";
import { drawChart, type Plot, requirePoints } from "./chart.ts";
import { categoryColours } from "./palette.ts";
import { countBetween, extentOf, niceEdges } from "./rows.ts";

export interface HistogramInput {
  readonly title: string;
  /** Name of the axis of values, with its unit. */
  readonly xTitle: string;
  /** What is counted. */
  readonly countTitle?: string;
  /** One distribution or several to be compared, at most seven. */
  readonly series: readonly { readonly name: string; readonly values: ArrayLike<number> }[];
  /** About so many bins. */
  readonly bins?: number;
  /** A logarithmic axis of counts, for distributions with long tails. */
  readonly logarithmic?: boolean;
}

/** Distributions over common bins with round edges. Values that are not finite are left out. */
export function histogramPlot(input: HistogramInput): Promise<Plot> {
  const { title, xTitle, countTitle = "Count", series, bins = 40, logarithmic = false } = input;
  const [low, high] = extentOf(series.flatMap(({ values }) => extentOf(Array.from(values))));
  requirePoints(low <= high ? 1 : 0, title);
  const edges = niceEdges(low, high, bins);
  const bars = series.flatMap(({ name, values }) =>
    countBetween(values, edges).map((count, i) => ({
      name,
      low: edges[i],
      high: edges[i + 1],
      count,
      base: 0.5,
    })),
  );
  const shown = bars.filter((bar) => bar.count > 0);
  const several = series.length > 1;
  const spec = {
    width: 460,
    height: 300,
    data: { values: shown.map((bar) => ({ ...bar, label: describe(bar, several) })) },
    mark: { type: "rect", opacity: several ? 0.5 : 0.85 },
    encoding: {
      x: {
        field: "low",
        type: "quantitative",
        scale: { domain: [edges[0], edges[edges.length - 1]], nice: false, zero: false },
        axis: { title: xTitle, grid: false },
      },
      x2: { field: "high" },
      y: {
        field: "count",
        type: "quantitative",
        scale: logarithmic ? { type: "log", domainMin: 0.5, nice: false } : { zero: true },
        axis: {
          title: `${countTitle}${logarithmic ? " (log scale)" : ""}`,
          tickCount: 5,
          format: "~s",
          ...(logarithmic && { values: Array.from({ length: 16 }, (_, power) => 10 ** power) }),
        },
      },
      y2: logarithmic ? { field: "base" } : { datum: 0 },
      color: {
        field: "name",
        scale: { domain: series.map(({ name }) => name), range: [...categoryColours] },
        legend: several
          ? { title: null, orient: "top", direction: "horizontal", symbolType: "square", symbolOpacity: 0.7 }
          : null,
      },
      description: { field: "label" },
    },
  };
  const facts = series.map(({ name, values }) => {
    const finite = Array.from(values).filter(Number.isFinite);
    const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length;
    const deviation = Math.sqrt(finite.reduce((sum, value) => sum + (value - mean) ** 2, 0) / finite.length);
    return `${several ? `${name}: ` : ""}n ${readableNumber(finite.length)} · mean ${readableNumber(mean, 3)} · SD ${readableNumber(deviation, 3)}`;
  });
  return drawChart(title, facts, `Distribution of ${xTitle}: ${facts.join("; ")}.`, spec);
}

function describe(bar: { name: string; low: number; high: number; count: number }, several: boolean): string {
  const range = `${readableNumber(bar.low)} to ${readableNumber(bar.high)}`;
  return `${several ? `${bar.name}, ` : ""}${range}: ${readableNumber(bar.count)}`;
}
