import { extname } from "node:path";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { checkOutput } from "../../common/files/checkOutput.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { alikeIds } from "../../data/alikeIds.ts";
import { columnType, getColumn, rowsOf } from "../../data/metadata/columns.ts";
import type { Metadata } from "../../data/metadata/read.ts";
import { type Plot, toPng } from "../../display/plots/chart.ts";

const formats = [".svg", ".png"];

/**
 * Refuses a plot that cannot be written, before the work is done. `more`: further endings.
 * @throws UserError
 */
export function checkPlotFile(path: string | undefined, more: readonly string[] = []): void {
  if (path !== undefined) checkOutput(path, [...formats, ...more], "a plot");
}

/** Writes a plot as its file's ending says. @throws UserError if the file cannot be written. */
export async function writePlotFile(path: string, plot: Plot): Promise<void> {
  writeFileAtomic(path, extname(path) === ".svg" ? plot.svg : await toPng(plot));
}

/**
 * A metadata column's text for each sample, "" where there is none.
 * @throws UserError if there is no such column, or if no sample is in the metadata.
 */
export function textOf(metadata: Metadata, name: string, sampleIds: readonly string[]): string[] {
  const column = getColumn(metadata, name);
  const rows = rowsOf(metadata, sampleIds);
  if (rows.every((row) => row < 0))
    throw new UserError(
      `${metadata.source} has none of the samples: its first is ${quote(metadata.ids[0])}, theirs ${quote(sampleIds[0])}${alikeIds(metadata.ids, sampleIds)}; give their metadata.`,
    );
  return Array.from(rows, (row) => (row < 0 ? "" : (column.values[row] ?? "")));
}

/**
 * `textOf` as what colours samples: numbers (NaN where there is none) if the column holds numbers, else
 * texts. @throws UserError
 */
export function colourOf(
  metadata: Metadata,
  name: string,
  sampleIds: readonly string[],
): { readonly title: string; readonly values: readonly string[] | Float64Array } {
  const texts = textOf(metadata, name, sampleIds);
  const isNumeric = columnType(getColumn(metadata, name)) === "numeric";
  return {
    title: name.trim(),
    values: isNumeric ? Float64Array.from(texts, (text) => (text === "" ? Number.NaN : Number(text))) : texts,
  };
}
