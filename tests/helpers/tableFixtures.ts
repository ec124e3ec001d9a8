import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Table } from "../../src/data/table/table.ts";
import { encodeHdf5, type Hdf5DatasetToWrite, type Hdf5GroupToWrite } from "../../src/formats/hdf5/write.ts";

export const tableFolder = join(import.meta.dir, "..", "fixtures", "tables");

/** A table written out: counts by ASV and sample. */
export interface PlainTable {
  readonly asvIds: readonly string[];
  readonly sampleIds: readonly string[];
  readonly counts: readonly (readonly number[])[];
}

/** The tables that the fixture files hold. */
export const plainTables = JSON.parse(readFileSync(join(tableFolder, "tables.json"), "utf8")) as {
  readonly small: PlainTable;
  readonly wide: PlainTable;
  readonly "other-letters": PlainTable;
};

/** An HDF5 fixture, unpacked. */
export function tableFixture(name: string): Uint8Array {
  return new Uint8Array(gunzipSync(readFileSync(join(tableFolder, `${name}.biom.gz`))));
}

export function plain({ asvIds, sampleIds, indptr, indices, data }: Table): PlainTable {
  const counts = asvIds.map(() => sampleIds.map(() => 0));
  for (let sample = 0; sample < sampleIds.length; sample++) {
    for (let k = indptr[sample]; k < indptr[sample + 1]; k++) counts[indices[k]][sample] = data[k];
  }
  return { asvIds: [...asvIds], sampleIds: [...sampleIds], counts };
}

type Values = Hdf5DatasetToWrite["values"];

/** One orientation of a stored table; leaving a part out leaves it out of the file. */
export interface StoredAxis {
  readonly ids?: Values;
  readonly data?: Values;
  readonly indices?: Values;
  readonly indptr?: Values;
}

export interface StoredTable {
  readonly observation?: StoredAxis;
  readonly sample?: StoredAxis;
  readonly attributes?: Hdf5GroupToWrite["attributes"];
}

/** The small table as BIOM 2 stores it, for tests to break one part of. */
export const storedSmall = {
  attributes: { "format-version": [2, 1], shape: [4, 3], nnz: 7 },
  observation: {
    ids: plainTables.small.asvIds,
    data: Float64Array.of(1, 2, 3, 4, 5, 6, 7),
    indices: Int32Array.of(0, 2, 1, 0, 1, 2, 2),
    indptr: Int32Array.of(0, 2, 3, 6, 7),
  },
  sample: {
    ids: plainTables.small.sampleIds,
    data: Float64Array.of(1, 4, 3, 5, 2, 6, 7),
    indices: Int32Array.of(0, 2, 1, 2, 0, 2, 3),
    indptr: Int32Array.of(0, 2, 4, 7),
  },
} satisfies StoredTable;

/** The bytes of a BIOM 2 file with these parts, consistent or not. */
export function encodeStored(table: StoredTable): Uint8Array {
  const group = (axis: StoredAxis): Hdf5GroupToWrite => {
    const parts = Object.entries({ data: axis.data, indices: axis.indices, indptr: axis.indptr });
    const matrix = parts.flatMap(([name, values]) => (values ? [[name, { values }] as const] : []));
    return {
      datasets: axis.ids ? { ids: { values: axis.ids } } : {},
      groups: matrix.length > 0 ? { matrix: { datasets: Object.fromEntries(matrix) } } : {},
    };
  };
  const groups: Record<string, Hdf5GroupToWrite> = {};
  if (table.observation) groups["observation"] = group(table.observation);
  if (table.sample) groups["sample"] = group(table.sample);
  return new Uint8Array(Buffer.concat(encodeHdf5({ attributes: table.attributes, groups })));
}
