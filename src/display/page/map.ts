import type { MapColumn, MapData } from "./browser/mapData.ts";
import { jsonBlock } from "./jsonBlock.ts";
import { figureHtml } from "./picture.ts";
import type { ReportMap } from "./types.ts";

/**
 * The maps as a part of a page made by `pageHtml`, whose script fills them; a page has at most one such part.
 */
export function mapHtml({ data, picture }: ReportMap): string {
  return `<div class="card map" hidden>
<div class="tools"><label>Colour by <select></select></label>
<span class="muted">Drag over a map to select samples; hold Shift to add more.</span></div>
<div class="maps"></div>
<div class="legend" role="group" aria-label="Colours"></div>
<div class="selection"><output></output>
<button type="button" class="copy">Copy ids</button>
<button type="button" class="download">Download ids</button>
<button type="button" class="clear">Clear</button>
<textarea readonly rows="6" aria-label="Ids of the selected samples" hidden></textarea></div>
<p class="told" aria-live="polite"></p>
</div>
<noscript>${figureHtml(picture, "map")}</noscript>
${jsonBlock("map-data", shortened(data))}`;
}

/** The same data with as many digits as can be seen, and without columns that have one value for all. */
function shortened({ samples, panels, columns, colour }: MapData): MapData {
  const short = (values: readonly number[]) => values.map((value) => Number(value.toPrecision(5)));
  const told = columns.filter(tellsApart);
  return {
    samples,
    panels: panels.map(({ title, axes, x, y }) => ({ title, axes, x: short(x), y: short(y) })),
    columns: told,
    colour: Math.max(0, told.indexOf(columns[colour])),
  };
}

function tellsApart(column: MapColumn): boolean {
  const values: readonly (number | null)[] = column.kind === "number" ? column.values : column.codes;
  return values.some((value) => value !== values[0]);
}
