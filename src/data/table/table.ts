/**
 * A feature table: how often each ASV was counted in each sample, as compressed sparse rows by sample.
 * The ASVs of sample `i` are `indices[indptr[i] .. indptr[i + 1]]` in ascending order, their counts the same
 * stretch of `data`; zeros are not stored.
 */
export interface Table {
  /** Unique, in the file's order. */
  readonly sampleIds: readonly string[];
  /** Unique, in the file's order; for most tables of this project the DNA sequences themselves. */
  readonly asvIds: readonly string[];
  /** `sampleIds.length + 1` offsets into `indices` and `data`. */
  readonly indptr: Int32Array;
  readonly indices: Int32Array;
  readonly data: Float64Array;
}

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
