import { alignSigns, axisTitle, embeddingMap, type MapPanel } from "../plots/embeddingMap.ts";
import type { MapColumn } from "./browser/mapData.ts";
import type { ReportMap } from "./types.ts";

/**
 * A picture shows so many samples at most: beyond, it would be several times as large as the rest of the
 * page.
 */
const picturedSamples = 1500;

/** A value for each sample; text that is null and numbers that are NaN are missing. */
export interface SampleColumn {
  readonly name: string;
  readonly values: readonly (string | null)[] | Float64Array;
}

export interface SampleMapInput {
  /** Title of the picture. */
  readonly title: string;
  readonly samples: readonly string[];
  /** One panel, or several of the same samples in the same order. */
  readonly panels: readonly [MapPanel, ...MapPanel[]];
  readonly columns: readonly SampleColumn[];
  /** Name of the column that colours the samples at first; by default the first one. */
  readonly colour?: string;
}

/**
 * Maps of samples for `mapHtml`, and their picture, in which the first 1,500 samples are. A sample without a
 * place in one of the panels is left out. As the signs of axes are arbitrary, those of later panels are
 * turned to agree with the first.
 * @throws UserError if no sample has a place.
 * @example
 * const panels = [{ title: "PCoA", axis: "PCo", x, y }] as const;
 * mapHtml(await sampleMap({ title: "Samples", samples: ids, panels, columns: [] }));
 */
export async function sampleMap(input: SampleMapInput): Promise<ReportMap> {
  const [first, ...others] = input.panels;
  const panels = [first, ...others.map((panel) => alignSigns(panel, first))];
  const shown = input.samples.flatMap((_, i) =>
    panels.every(({ x, y }) => Number.isFinite(x[i]) && Number.isFinite(y[i])) ? [i] : [],
  );
  const colour = Math.max(
    0,
    input.columns.findIndex(({ name }) => name === input.colour),
  );
  const data = {
    samples: shown.map((i) => input.samples[i]),
    panels: panels.map((panel) => ({
      title: panel.title,
      axes: [axisTitle(panel, 1), axisTitle(panel, 2)] as const,
      x: shown.map((i) => panel.x[i]),
      y: shown.map((i) => panel.y[i]),
    })),
    columns: input.columns.map((column) => mapColumn(column, shown)),
    colour,
  };
  const pictured = shown.slice(0, picturedSamples);
  const column = input.columns[colour];
  const picture = {
    title:
      pictured.length < shown.length ? `${input.title} (${pictured.length} of ${shown.length})` : input.title,
    panels: panels.slice(0, 2).map((panel) => ({
      ...panel,
      x: pictured.map((i) => panel.x[i]),
      y: pictured.map((i) => panel.y[i]),
    })),
    ...(column && { colour: { title: column.name, values: valuesOf(column, pictured) } }),
    labels: pictured.map((i) => input.samples[i]),
  };
  const plot = await embeddingMap(picture);
  const narrow = panels.length > 1 ? await embeddingMap({ ...picture, stacked: true }) : undefined;
  return { data, picture: { plot, narrow } };
}

function valuesOf({ values }: SampleColumn, rows: readonly number[]): string[] | number[] {
  if (values instanceof Float64Array) return rows.map((i) => values[i]);
  return rows.map((i) => values[i] ?? "");
}

function mapColumn({ name, values }: SampleColumn, rows: readonly number[]): MapColumn {
  if (values instanceof Float64Array) {
    const numbers = rows.map((i) => (Number.isFinite(values[i]) ? values[i] : null));
    return { name, kind: "number", values: numbers };
  }
  const codeOf = new Map<string, number>();
  const codes = rows.map((i) => {
    const text = values[i];
    if (text === null) return -1;
    const code = codeOf.get(text) ?? codeOf.size;
    codeOf.set(text, code);
    return code;
  });
  return { name, kind: "text", categories: [...codeOf.keys()], codes };
}
