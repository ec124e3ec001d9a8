import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkTable } from "../../../lab/trials/fuzz/checkTable.ts";
import { readTableWithNotes } from "../../../src/data/table/read.ts";
import type { Table } from "../../../src/data/table/table.ts";
import { outsideData } from "../../helpers/outsideData.ts";

const folder = join(outsideData, "biom-edge");
const isThere = existsSync(join(folder, "expected.json"));

interface PeerCase {
  readonly file: string;
  readonly biom_format_2_1_12: {
    readonly error?: string;
    readonly loads?: {
      readonly shape: [number, number];
      readonly nnz: number;
      readonly sum: number;
      readonly first_ids: [string[], string[]];
      readonly sample_sums: number[];
    };
  };
}

/** What we read and the peer refuses: [ASVs, samples, counts, total]. */
const readHere: Record<string, [number, number, number, number]> = {
  // A table without counts is a table.
  "made/empty-data.json.biom": [4, 3, 0, 0],
  // One orientation is enough.
  "made/only-observation-matrix.biom": [4, 3, 7, 28],
  // BIOM 2.0 had no metadata groups.
  "10000x10000x0.010_bench_hdf5.biom.gz": [10_000, 10_000, 997_599, 997_599],
  "1000x1000x0.010_bench_hdf5.biom.gz": [1000, 1000, 9984, 9984],
  // The type of a table changes no number.
  "test.json.gz": [5, 6, 15, 27],
};

/** What the peer reads, in part without noticing the damage, and we refuse. */
const refusedHere: Record<string, RegExp> = {
  "made/duplicate-entries-sample.biom": /lists sample "S3" and ASV "TTGTACGTAG" twice/,
  "made/duplicate-entries.json.biom": /lists sample "S1" and ASV "ACGTACGTAC" twice/,
  "made/index-out-of-range.biom": /observation\/matrix\/indices has 3 at entry 2/,
  "made/indptr-beyond-data.biom": /observation\/matrix\/indptr ends at 9, but there are 7 counts/,
  "made/indptr-not-monotone-sample.biom": /sample\/matrix\/indptr goes from 4 to 2 at sample "S2"/,
  "made/inf-count.biom": /the count Infinity for sample "S1" and ASV "GGGTACGTAT"/,
  "made/nan-count.biom": /the count NaN for sample "S1" and ASV "GGGTACGTAT"/,
  "made/negative-index-sample.biom": /sample\/matrix\/indices has -1 at entry 2/,
  "made/negative-index.biom": /observation\/matrix\/indices has -1 at entry 2/,
  "made/shape-mismatch.json.biom": /"shape" is \[5, 3\], but there are 4 rows and 3 columns/,
};

const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);

function sampleSums({ sampleIds, indptr, data }: Table): number[] {
  return sampleIds.map((_, sample) => sum(data.subarray(indptr[sample], indptr[sample + 1])));
}

describe.skipIf(!isThere)("the peers' edge cases", () => {
  const cases = isThere
    ? (JSON.parse(readFileSync(join(folder, "expected.json"), "utf8")).files as PeerCase[])
    : [];

  test("are all there, and so are our deviations", () => {
    expect(cases.length).toBeGreaterThan(80);
    const names = cases.map((peer) => peer.file);
    expect(names).toEqual(expect.arrayContaining([...Object.keys(readHere), ...Object.keys(refusedHere)]));
  });

  for (const { file, biom_format_2_1_12: peer } of cases) {
    test(file, async () => {
      const path = join(folder, file);
      const refusal = refusedHere[file] ?? (peer.error && !readHere[file] ? /./ : undefined);
      if (refusal) {
        await expect(readTableWithNotes(path)).rejects.toThrow(refusal);
        await expect(readTableWithNotes(path)).rejects.toThrow(path);
        return;
      }
      const { table } = await readTableWithNotes(path);
      checkTable(table);
      const numbers = [table.asvIds.length, table.sampleIds.length, table.data.length];
      const here = readHere[file];
      if (here) {
        expect([...numbers, sum(table.data)]).toEqual(here);
        return;
      }
      const { shape, nnz, sum: total, first_ids, sample_sums } = peer.loads!;
      expect(numbers).toEqual([...shape, nnz]);
      expect(Math.abs(sum(table.data) - total)).toBeLessThanOrEqual(1e-12 * total);
      expect([table.asvIds.slice(0, 2), table.sampleIds.slice(0, 2)]).toEqual(first_ids);
      const sums = sampleSums(table);
      sample_sums.forEach((expected, i) => {
        expect(Math.abs(sums[i] - expected)).toBeLessThanOrEqual(1e-12 * expected);
      });
    });
  }
});

/** Real tables: ASVs, samples, counts and total as biom-format 2.1.12 reads them. */
const realTables: Record<string, [number, number, number, number]> = {
  "oral/oral_2550.biom": [5574, 2537, 133_957, 2_537_000],
  "ecam-10249/ecam-150nt.biom": [2679, 741, 45_724, 11_543_146],
  "gemelli-small/test-small.biom": [1040, 23, 4079, 718_881],
  "large/thdmi-1635x55474.qza": [55_474, 1635, 381_653, 35_990_177],
  "moving-pictures/table.qza": [770, 34, 2325, 153_884],
  "moving-pictures/filtered_rarefied_table.qza": [533, 31, 1793, 31_000],
};

describe("real tables", () => {
  for (const [file, expected] of Object.entries(realTables)) {
    const path = join(outsideData, file);
    test.skipIf(!existsSync(path))(file, async () => {
      const { table, notes } = await readTableWithNotes(path);
      checkTable(table);
      expect([table.asvIds.length, table.sampleIds.length, table.data.length, sum(table.data)]).toEqual(
        expected,
      );
      expect(notes).toEqual([]);
    });
  }
});
