import type { ColumnType } from "./rules.ts";

export interface MetadataColumn {
  readonly name: string;
  /** One text per row of the metadata, without surrounding blanks; null where the value is missing. */
  readonly values: readonly (string | null)[];
  /** What a `#q2:types` row says, undefined where it says nothing. */
  readonly declaredType: ColumnType | undefined;
}

/** A table of facts about samples. Ids and values are text exactly as it was written, numbers included. */
export interface Metadata {
  /** Names the file in errors. */
  readonly source: string;
  /** The header of the id column, such as `sample-id`. */
  readonly idHeader: string;
  /** Unique, in the file's order. */
  readonly ids: readonly string[];
  /** By name, in the file's order. */
  readonly columns: ReadonlyMap<string, MetadataColumn>;
  /** Line of the file on which each row starts, from 1. */
  readonly lines: readonly number[];
  /** What was read with doubt, each a sentence. */
  readonly warnings: readonly string[];
}
