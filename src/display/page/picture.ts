import type { Plot } from "../plots/chart.ts";
import { escapeXml } from "../xmlText.ts";
import type { ReportPlot } from "./types.ts";

/** Plots as figures of a page. `name` tells them from the page's other plots. */
export function plotsHtml(plots: readonly ReportPlot[], name = "p"): string {
  const figures = plots.map((plot, index) => {
    const button = `<button class="enlarge" type="button" title="Enlarge">Enlarge</button>`;
    return figureHtml(plot, `${name}${index}`, button);
  });
  return figures.length === 0 ? "" : `<div class="plots">${figures.join("\n")}</div>`;
}

/** One plot as a figure of a page. */
export function figureHtml({ plot, narrow, caption }: ReportPlot, name: string, button = ""): string {
  const { svg, width } = inlineSvg(plot, `${name}-`);
  const wide = width > 700 ? " wide" : "";
  const narrowHtml = narrow ? `<div class="narrow">${inlineSvg(narrow, `${name}n-`).svg}</div>` : "";
  const captionHtml = caption ? `<figcaption>${escapeXml(caption)}</figcaption>` : "";
  return `<figure class="card plot${wide}">${button}<div class="${narrow ? "broad" : "only"}">${svg}</div>${narrowHtml}${captionHtml}</figure>`;
}

/**
 * An SVG document as a part of the page: it shrinks with the page but does not grow beyond its size, and its
 * names (of clip paths and gradients) get a prefix, as all pictures of a page share one set of names.
 */
function inlineSvg(plot: Plot, prefix: string): { svg: string; width: number } {
  const width = Number(/<svg [^>]*?\bwidth="([\d.]+)"/.exec(plot.svg)?.[1] ?? 0);
  const svg = plot.svg
    .replace(/^(?:<\?xml[^>]*>|<!DOCTYPE[^>]*>|\s)*/i, "")
    .replace(/<[^>]+>/g, (tag) =>
      tag
        .replace(/(\s)id="/g, `$1id="${prefix}`)
        .replace(/url\(#/g, `url(#${prefix}`)
        .replace(/href="#/g, `href="#${prefix}`),
    )
    .replace("<svg ", `<svg style="max-width:${Math.round(width)}px" `);
  return { svg, width };
}
