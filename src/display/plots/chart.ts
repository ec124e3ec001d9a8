import { readFileSync } from "node:fs";
import wasmFile from "@resvg/resvg-wasm/index_bg.wasm" with { type: "file" };
import type { TopLevelSpec } from "vega-lite";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { UserError } from "../../common/userError.ts";
import { escapeXml, replaceForbidden } from "../xmlText.ts";
import { fontBytes, fontName, textWidth } from "./fonts.ts";
import { categoryColours, inkColours } from "./palette.ts";

/** A finished picture. */
export interface Plot {
  readonly title: string;
  /** One sentence for those who cannot see it. */
  readonly description: string;
  /** A complete SVG document. */
  readonly svg: string;
}

const fontFamily = `${fontName}, system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', sans-serif`;

/**
 * The part of a Vega-Lite specification that a plot gives; title, fonts and colours
 * come from the common theme.
 */
export type ChartSpec = Readonly<Record<string, unknown>>;

/**
 * Draws a Vega-Lite chart. The libraries are loaded on first use, as they take a quarter of a second that
 * commands without plots should not pay.
 */
export async function drawChart(
  title: string,
  subtitle: readonly string[],
  description: string,
  spec: ChartSpec,
): Promise<Plot> {
  const [vega, vegaLite] = await Promise.all([import("vega"), import("vega-lite")]);
  measureText(vega as unknown as VegaTextMetrics);
  const full = {
    ...spec,
    title: { text: title, subtitle: subtitle.length > 0 ? subtitle : undefined },
    background: inkColours.paper,
    padding: 16,
    config: theme,
  } as unknown as TopLevelSpec;
  const quiet = vega.logger(vega.Error);
  const compiled = vegaLite.compile(full, { logger: quiet }).spec;
  const view = new vega.View(vega.parse(compiled), { renderer: "none", logger: quiet });
  try {
    return { title, description, svg: cleanSvg(await view.toSVG(), description) };
  } finally {
    view.finalize();
  }
}

/** Vega's text measurement, which its type declarations leave out. */
interface VegaTextMetrics {
  readonly textMetrics: {
    width: (
      item: { readonly fontSize?: number; readonly fontWeight?: string | number; readonly limit?: number },
      text: string,
    ) => number;
  };
}

/** Lets Vega lay texts out by the real widths of the font; without a canvas it would only estimate them. */
function measureText(vega: VegaTextMetrics): void {
  vega.textMetrics.width = (item, text) => {
    const semiBold = item.fontWeight === "bold" || Number(item.fontWeight) >= 600;
    const width = textWidth(String(text ?? ""), item.fontSize ?? 11, semiBold);
    return item.limit ? Math.min(width, item.limit) : width;
  };
}

/** Makes the SVG valid whatever the data hold, and gives it its description. */
function cleanSvg(svg: string, description: string): string {
  return replaceForbidden(svg).replace("<svg ", `<svg role="img" aria-label="${escapeXml(description)}" `);
}

let resvg: Promise<typeof import("@resvg/resvg-wasm")> | undefined;

/**
 * The WebAssembly build: its native twin ends the whole process, training and all,
 * over a shape it cannot draw.
 */
async function loadResvg(): Promise<typeof import("@resvg/resvg-wasm")> {
  const library = await import("@resvg/resvg-wasm");
  await library.initWasm(readFileSync(wasmFile));
  return library;
}

/**
 * The picture as the bytes of a PNG file, `scale` times the size of the SVG. Text in scripts that the font
 * lacks (all but Latin, Greek and Cyrillic) stays empty; in the SVG it is there.
 */
export async function toPng(plot: Plot, scale = 2): Promise<Uint8Array> {
  resvg ??= loadResvg();
  const { Resvg } = await resvg;
  const options = {
    fitTo: { mode: "zoom" as const, value: scale },
    font: { fontBuffers: fontBytes(), defaultFontFamily: fontName, sansSerifFamily: fontName },
  };
  try {
    const image = new Resvg(plot.svg, options);
    const rendered = image.render();
    const png = rendered.asPng();
    // Not in a finally: what panicked may not be freed.
    rendered.free();
    image.free();
    return png;
  } catch (cause) {
    throw new Error(`The plot "${plot.title}" cannot be turned into a PNG file.`, { cause });
  }
}

/** Writes `PATH.svg` and `PATH.png`. */
export async function savePlot(plot: Plot, path: string): Promise<void> {
  writeFileAtomic(`${path}.svg`, plot.svg);
  writeFileAtomic(`${path}.png`, await toPng(plot));
}

/** @throws UserError if a plot would show nothing. */
export function requirePoints(count: number, title: string): void {
  if (count === 0)
    throw new UserError(`There is nothing to plot in "${title}": no value is a finite number.`);
}

const theme = {
  font: fontFamily,
  view: { stroke: null },
  title: {
    anchor: "start",
    frame: "group",
    fontSize: 16,
    fontWeight: 600,
    color: inkColours.ink,
    subtitleFontSize: 12,
    subtitleColor: inkColours.muted,
    subtitlePadding: 6,
    subtitleLineHeight: 16,
    offset: 14,
  },
  axis: {
    labelFontSize: 11,
    labelColor: inkColours.muted,
    titleFontSize: 12,
    titleFontWeight: 600,
    titleColor: inkColours.ink,
    titlePadding: 10,
    gridColor: inkColours.grid,
    domainColor: inkColours.axis,
    tickColor: inkColours.axis,
    tickSize: 4,
    labelPadding: 4,
    labelFlush: false,
  },
  legend: {
    labelFontSize: 11,
    labelColor: inkColours.ink,
    titleFontSize: 11,
    titleFontWeight: 600,
    titleColor: inkColours.ink,
    labelLimit: 220,
    symbolSize: 80,
  },
  header: { labelFontSize: 12, labelFontWeight: 600, labelColor: inkColours.ink, title: null },
  range: { category: [...categoryColours] },
};
