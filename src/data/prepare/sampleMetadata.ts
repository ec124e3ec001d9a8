import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { alikeIds, without } from "../alikeIds.ts";
import type { Column } from "../dataset/column.ts";
import type { Dropped } from "../dataset/manifest.ts";
import { columnType, numericColumn, rowsOf } from "../metadata/columns.ts";
import type { Metadata, MetadataColumn } from "../metadata/read.ts";
import { dropped } from "./provenance.ts";

export interface SampleMetadata {
  readonly columns: readonly Column[];
  readonly dropped: readonly Dropped[];
  readonly warnings: readonly string[];
}

/**
 * The columns of a metadata file in the order of some samples; a sample that the file
 * lacks has missing values.
 * @throws UserError if it has none of the samples, with an id of either side.
 */
export function metadataOf(
  metadata: Metadata,
  sampleIds: readonly string[],
  tableName: string,
): SampleMetadata {
  const rows = rowsOf(metadata, sampleIds);
  const lacking = sampleIds.filter((_, i) => rows[i] < 0);
  if (lacking.length === sampleIds.length) {
    throw new UserError(
      `${metadata.source} and ${tableName} have no sample id in common: the first are ${quote(metadata.ids[0])} and ` +
        `${quote(sampleIds[0])}${alikeIds(metadata.ids, sampleIds)}; give the metadata of these samples.`,
    );
  }
  const known = new Set(sampleIds);
  return {
    columns: [...metadata.columns.values()].map((column) => toColumn(metadata, column, rows)),
    dropped: dropped(
      "metadata rows",
      "not among the samples of the data set",
      metadata.ids.filter((id) => !known.has(id)),
    ),
    warnings: [
      ...metadata.warnings,
      ...(lacking.length === 0
        ? []
        : [
            `${lacking.length} of ${sampleIds.length} samples have no row in ${metadata.source} ` +
              `(the first is ${quote(lacking[0])}): all their values are missing` +
              `${alikeIds(lacking, without(metadata.ids, sampleIds))}.`,
          ]),
    ],
  };
}

function toColumn(metadata: Metadata, column: MetadataColumn, rows: Int32Array): Column {
  const { name } = column;
  if (columnType(column) === "numeric") {
    const all = numericColumn(metadata, name);
    return {
      kind: "numeric",
      name,
      values: Float64Array.from(rows, (row) => (row < 0 ? Number.NaN : all[row])),
    };
  }
  const texts = Array.from(rows, (row) => (row < 0 ? null : column.values[row]));
  const categories = [...new Set(texts.filter((text) => text !== null))].sort();
  const codeOf = new Map(categories.map((text, code) => [text, code]));
  return {
    kind: "text",
    name,
    codes: Int32Array.from(texts, (text) => (text === null ? -1 : codeOf.get(text)!)),
    categories,
  };
}
