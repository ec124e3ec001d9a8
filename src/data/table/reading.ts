import type { Table } from "./table.ts";

/** A table and how it was read. */
export interface TableReading {
  readonly table: Table;
  /** The format the content was recognised as. */
  readonly format: string;
  /** Semantic type of the QIIME 2 artifact that it is from, such as `FeatureTable[Frequency]`. */
  readonly artifactType?: string;
  /** What is odd about the file but does not change its numbers. */
  readonly notes: readonly string[];
}
