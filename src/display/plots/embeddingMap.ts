import { readableNumber } from "../numberText.ts";
import { type ChartSpec, drawChart, type Plot, requirePoints } from "./chart.ts";
import { categoryColours, inkColours, otherColour, sequentialScheme } from "./palette.ts";
import { extentOf, finiteRows } from "./rows.ts";

const side = 330;
const missingName = "missing";

/** Two coordinates of every sample. */
export interface MapPanel {
  /** `PCoA of true UniFrac`, `PCA of the embeddings`. */
  readonly title: string;
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  /** Names of the axes: `PCo` gives `PCo 1` and `PCo 2`. */
  readonly axis: string;
  /** Share of the variance on either axis, 0 to 1. */
  readonly explained?: readonly [number, number];
}

export interface EmbeddingMapInput {
  readonly title: string;
  /** One panel, or two of the same samples in the same order. */
  readonly panels: readonly MapPanel[];
  /** Put the second panel below the first, the legend below both. Default false. */
  readonly stacked?: boolean;
  /** A metadata column; text is a category, `""` and NaN are missing. */
  readonly colour?: { readonly title: string; readonly values: readonly string[] | ArrayLike<number> };
  readonly labels?: readonly string[];
}

/**
 * Samples on a map or on two maps side by side. Both axes of a panel have the same scale, so that
 * distances can be read off. As the sign of such axes is arbitrary, those of the second panel are turned
 * to agree with the first.
 */
export function embeddingMap(input: EmbeddingMapInput): Promise<Plot> {
  const { title, colour, labels, stacked = false } = input;
  const [first, second] = input.panels;
  const panels = second ? [first, alignSigns(second, first)] : [first];
  const shown = finiteRows(first.x, first.y).filter((i) =>
    panels.every((panel) => Number.isFinite(panel.x[i]) && Number.isFinite(panel.y[i])),
  );
  requirePoints(shown.length, title);
  const colouring = colour ? colourEncoding(colour.title, colour.values, shown, stacked) : undefined;
  const size = shown.length > 1500 ? 14 : shown.length > 400 ? 24 : 42;
  const charts = panels.map((panel) => {
    const values = shown.map((i) => ({
      x: panel.x[i],
      y: panel.y[i],
      colour: colouring?.valueOf(i),
      label: [labels?.[i], colouring?.textOf(i)].filter((text) => text !== undefined).join(": "),
    }));
    const domains = equalDomains(values);
    const encoding = (which: "x" | "y", number: 1 | 2) => ({
      field: which,
      type: "quantitative",
      scale: { domain: domains[which], nice: false, zero: false },
      axis: { title: axisTitle(panel, number), tickCount: 5 },
    });
    const base = { x: encoding("x", 1), y: encoding("y", 2), description: { field: "label" } };
    const mark = {
      type: "circle",
      size,
      opacity: 0.85,
      stroke: inkColours.paper,
      strokeWidth: 0.4,
      color: colouring ? otherColour : categoryColours[0],
    };
    const layer: ChartSpec[] = [];
    if (colouring) {
      // Samples without a value lie below those with one.
      const missing = values.filter((value) => value.colour === null);
      const known = values.filter((value) => value.colour !== null);
      if (missing.length > 0) {
        layer.push({ data: { values: missing }, mark: { ...mark, opacity: 0.4 }, encoding: base });
      }
      if (known.length > 0)
        layer.push({ data: { values: known }, mark, encoding: { ...base, color: colouring.encoding } });
    } else layer.push({ data: { values }, mark, encoding: base });
    const heading = { text: panel.title, fontSize: 13, offset: 8 };
    return { title: heading, width: side, height: side, layer };
  });
  const parts = [`${readableNumber(shown.length)} samples`];
  if (colour) parts.unshift(`coloured by ${colour.title}`);
  const absent = colouring ? shown.filter((i) => colouring.valueOf(i) === null).length : 0;
  if (absent > 0) parts.push(`pale: ${readableNumber(absent)} without a value`);
  const description = `${panels.map((panel) => panel.title).join(" beside ")}, ${parts.join(", ")}.`;
  return drawChart(title, [parts.join(" · ")], description, {
    [stacked ? "vconcat" : "hconcat"]: charts,
    spacing: 36,
    resolve: { scale: { color: "shared" } },
  });
}

/** `PCo 1 (23.1 %)`. */
export function axisTitle(panel: MapPanel, number: 1 | 2): string {
  const share = panel.explained?.[number - 1];
  return `${panel.axis} ${number}${share === undefined ? "" : ` (${(100 * share).toFixed(1)} %)`}`;
}

/**
 * The panel with its axes turned so that they point as those of another: the sign of such axes is arbitrary.
 */
export function alignSigns(panel: MapPanel, to: MapPanel): MapPanel {
  finiteRows(panel.x, to.x);
  const turned = (values: ArrayLike<number>, reference: ArrayLike<number>) => {
    let product = 0;
    for (let i = 0; i < values.length; i++) {
      if (Number.isFinite(values[i]) && Number.isFinite(reference[i])) product += values[i] * reference[i];
    }
    return product < 0 ? Float64Array.from(values, (value) => -value) : values;
  };
  return { ...panel, x: turned(panel.x, to.x), y: turned(panel.y, to.y) };
}

/** Domains of equal length around the middle of either coordinate. */
function equalDomains(points: readonly { x: number; y: number }[]): {
  x: [number, number];
  y: [number, number];
} {
  const x = extentOf(points.map((point) => point.x));
  const y = extentOf(points.map((point) => point.y));
  const half = 0.53 * Math.max(x[1] - x[0], y[1] - y[0], 1e-9);
  const around = ([low, high]: [number, number]): [number, number] => [
    (low + high) / 2 - half,
    (low + high) / 2 + half,
  ];
  return { x: around(x), y: around(y) };
}

interface Colouring {
  /** What the colour scale gets for a sample; null if the value is missing. */
  valueOf(row: number): string | number | null;
  textOf(row: number): string;
  readonly encoding: ChartSpec;
}

function colourEncoding(
  title: string,
  values: readonly string[] | ArrayLike<number>,
  shown: readonly number[],
  legendBelow: boolean,
): Colouring {
  const place = legendBelow ? { orient: "bottom", direction: "horizontal", columns: 2 } : {};
  if (shown.some((i) => typeof values[i] === "string")) {
    return categoryEncoding(title, values as readonly string[], shown, place);
  }
  const numbers = values as ArrayLike<number>;
  return {
    valueOf: (i) => (Number.isFinite(numbers[i]) ? numbers[i] : null),
    textOf: (i) => `${title} ${Number.isFinite(numbers[i]) ? readableNumber(numbers[i]) : missingName}`,
    encoding: {
      field: "colour",
      type: "quantitative",
      scale: { scheme: sequentialScheme },
      legend: { title: wrapped(title), gradientLength: 180, tickCount: 5, ...place },
    },
  };
}

/** The most frequent categories have colours of their own; the rest share one. */
function categoryEncoding(
  title: string,
  values: readonly string[],
  shown: readonly number[],
  place: Readonly<Record<string, unknown>>,
): Colouring {
  const counts = new Map<string, number>();
  for (const i of shown) {
    if (values[i] !== "") counts.set(values[i], (counts.get(values[i]) ?? 0) + 1);
  }
  const byCount = [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)! || (a < b ? -1 : 1));
  const own = byCount.length <= categoryColours.length ? byCount : byCount.slice(0, categoryColours.length);
  const rest = byCount.length - own.length;
  const restName = `${rest} others`;
  own.sort(new Intl.Collator("en", { numeric: true }).compare);
  const domain = rest > 0 ? [...own, restName] : own;
  const range = [...categoryColours.slice(0, own.length), ...(rest > 0 ? [otherColour] : [])];
  const isOwn = new Set(own);
  return {
    valueOf: (i) => (values[i] === "" ? null : isOwn.has(values[i]) ? values[i] : restName),
    textOf: (i) => `${title} ${values[i] || missingName}`,
    encoding: {
      field: "colour",
      type: "nominal",
      scale: { domain, range },
      legend: {
        title: wrapped(title),
        symbolType: "circle",
        symbolOpacity: 1,
        symbolStrokeWidth: 0,
        labelLimit: 160,
        ...place,
      },
    },
  };
}

/** A legend's title over several lines. */
function wrapped(title: string): string[] {
  return title.match(/.{1,22}(?:\s|_|$)|\S{22}/g)?.map((line) => line.trim()) ?? [title];
}
