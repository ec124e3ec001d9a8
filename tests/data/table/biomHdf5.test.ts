import { describe, expect, test } from "bun:test";
import { readTableBytes } from "../../../src/data/table/read.ts";
import {
  encodeStored,
  type PlainTable,
  plain,
  plainTables,
  type StoredTable,
  storedSmall,
  tableFixture,
} from "../../helpers/tableFixtures.ts";

const { small, wide } = plainTables;
const onlySample = "read from sample/matrix, observation/matrix is absent";

/** Fixtures that libhdf5 wrote, what they hold, and what is to be said about them. */
const readable: Record<string, [PlainTable, ...string[]]> = {
  contiguous: [small],
  compact: [small],
  gzip: [small],
  "gzip-shuffle": [wide],
  "gzip-fletcher": [wide],
  lzf: [wide],
  "lzf-shuffle-fletcher": [wide],
  fletcher: [small],
  "fixed-ids": [small],
  "space-padded-ids": [small],
  "ascii-ids": [small],
  "utf8-ids": [plainTables["other-letters"]],
  "data-i1": [small],
  "data-u1": [small],
  "data-i2": [small],
  "data-u4": [small],
  "data-i8": [small],
  "data-u8": [small],
  "data-f4": [small],
  "data-f4-big-endian": [small],
  "data-f8-big-endian": [small],
  "data-i4-big-endian": [small],
  "data-i8-big-endian": [small],
  "indices-int64": [small],
  "indices-uint32": [small],
  "indices-uint8-big-chunks": [small],
  "chunk-beyond-data": [small],
  "many-chunks-tree": [wide],
  "many-chunks-fixed-array": [wide],
  "fixed-array-gzip": [wide],
  "many-chunks-extensible-array": [wide],
  "extensible-array-lzf": [wide],
  "single-chunk": [wide],
  "single-chunk-gzip": [small],
  "implicit-index": [small],
  "libver-v108": [small],
  userblock: [small],
  "committed-type": [small],
  "many-attributes": [small, "its format-version is not stated; read as 2.1"],
  "only-sample-matrix": [small, onlySample],
  "only-observation-matrix": [small, "read from observation/matrix, sample/matrix is absent"],
  "no-observations": [{ ...small, asvIds: [], counts: [] }],
  "no-samples": [{ ...small, sampleIds: [], counts: [[], [], [], []] }],
  empty: [{ asvIds: [], sampleIds: [], counts: [] }],
};

describe("BIOM 2 files are read however they are stored:", () => {
  for (const [name, [expected, ...notes]] of Object.entries(readable)) {
    test(name, () => {
      const reading = readTableBytes(tableFixture(name), "t.biom");
      expect(plain(reading.table)).toEqual({ ...expected });
      expect(reading.notes).toEqual(notes);
      expect(reading.format).toBe("BIOM 2 (HDF5)");
      expect(reading.table.indptr).toBeInstanceOf(Int32Array);
      expect(reading.table.indices).toBeInstanceOf(Int32Array);
      expect(reading.table.data).toBeInstanceOf(Float64Array);
    });
  }
});

function change(part: {
  sample?: Partial<Record<keyof (typeof storedSmall)["sample"], StoredPart>>;
  observation?: Partial<Record<keyof (typeof storedSmall)["sample"], StoredPart>>;
  attributes?: StoredTable["attributes"];
}): StoredTable {
  return {
    attributes: part.attributes ?? storedSmall.attributes,
    sample: { ...storedSmall.sample, ...part.sample },
    observation: { ...storedSmall.observation, ...part.observation },
  };
}
type StoredPart = NonNullable<NonNullable<StoredTable["sample"]>["data"]> | undefined;

const readStored = (table: StoredTable) => readTableBytes(encodeStored(table), "t.biom");

describe("BIOM 2 content that is legal is read:", () => {
  const without = { data: undefined, indices: undefined, indptr: undefined };

  test("the plain table", () => {
    expect(plain(readStored(storedSmall).table)).toEqual({ ...small });
  });

  test("unsorted indices on either axis", () => {
    const unsorted = {
      data: Float64Array.of(4, 1, 5, 3, 7, 6, 2),
      indices: Int32Array.of(2, 0, 2, 1, 3, 2, 0),
    };
    const { table } = readStored(change({ sample: unsorted, observation: without }));
    expect(plain(table)).toEqual({ ...small });
    expect([...table.indices]).toEqual([...storedSmall.sample.indices]);
    const byAsv = { data: Float64Array.of(2, 1, 3, 6, 5, 4, 7), indices: Int32Array.of(2, 0, 1, 2, 1, 0, 2) };
    expect(plain(readStored(change({ observation: byAsv })).table)).toEqual({ ...small });
    expect(plain(readStored(change({ observation: byAsv, sample: without })).table)).toEqual({ ...small });
  });

  test("explicit zeros, which are dropped, on one axis only or counted in nnz", () => {
    const sample = {
      data: Float64Array.of(1, 0, 4, 3, 5, 2, 6, 7),
      indices: Int32Array.of(0, 1, 2, 1, 2, 0, 2, 3),
      indptr: Int32Array.of(0, 3, 5, 8),
    };
    for (const nnz of [7, 8]) {
      const { table } = readStored(change({ sample, attributes: { ...storedSmall.attributes, nnz } }));
      expect(plain(table)).toEqual({ ...small });
      expect(table.data.length).toBe(7);
    }
  });

  test("fractions and counts above 2^31 and 2^53", () => {
    const data = Float64Array.of(0.25, 4, 2 ** 31 + 1, 2 ** 60, 1e300, 6, 7);
    expect([...readStored(change({ sample: { data }, observation: without })).table.data]).toEqual([...data]);
  });

  test("other format versions and absent attributes, with a note", () => {
    const notes = (attributes: StoredTable["attributes"]) => readStored(change({ attributes })).notes;
    expect(notes({ "format-version": [2, 0] })).toEqual([]);
    expect(notes({ "format-version": [3, 0] })).toEqual(["its format-version is [3, 0]; read as 2.1"]);
    expect(notes({})).toEqual(["its format-version is not stated; read as 2.1"]);
  });

  test("tables without samples whose offsets are absent", () => {
    const none = { data: new Float64Array(0), indices: new Int32Array(0), indptr: new Int32Array(0) };
    const empty = { sample: { ...none, ids: [] }, observation: { ...none, ids: [] } };
    expect(plain(readStored(empty).table)).toEqual({ asvIds: [], sampleIds: [], counts: [] });
  });
});

describe("BIOM 2 content that makes no sense is refused with its place:", () => {
  const refusals: [string, Parameters<typeof change>[0], RegExp][] = [
    [
      "an index above the last ASV",
      { sample: { indices: Int32Array.of(0, 4, 1, 2, 0, 2, 3) } },
      /sample\/matrix\/indices has 4 at entry 2 \(sample "S1"\), expected 0 to 3/,
    ],
    [
      "an index above the last sample",
      { observation: { indices: Int32Array.of(0, 3, 1, 0, 1, 2, 2) } },
      /observation\/matrix\/indices has 3 at entry 2 \(ASV "ACGTACGTAC"\), expected 0 to 2/,
    ],
    ["a negative index", { sample: { indices: Int32Array.of(0, -1, 1, 2, 0, 2, 3) } }, /has -1 at entry 2/],
    [
      "a fractional index",
      { sample: { indices: Float64Array.of(0, 1.5, 1, 2, 0, 2, 3) } },
      /has 1.5 at entry 2/,
    ],
    [
      "a cell twice",
      { sample: { indices: Int32Array.of(0, 0, 1, 2, 0, 2, 3) } },
      /lists sample "S1" and ASV "ACGTACGTAC" twice/,
    ],
    [
      "offsets that go down",
      { sample: { indptr: Int32Array.of(0, 4, 2, 7) } },
      /goes from 4 to 2 at sample "S2"/,
    ],
    [
      "offsets that do not start at 0",
      { sample: { indptr: Int32Array.of(1, 2, 4, 7) } },
      /starts at 1 instead of 0/,
    ],
    [
      "too few offsets",
      { sample: { indptr: Int32Array.of(0, 4, 7) } },
      /has 3 entries instead of 4 for 3 samples/,
    ],
    [
      "offsets beyond the data",
      { sample: { indptr: Int32Array.of(0, 2, 4, 9) } },
      /ends at 9, but there are 7/,
    ],
    [
      "offsets short of the data",
      { sample: { indptr: Int32Array.of(0, 2, 4, 6) } },
      /ends at 6, but there are 7/,
    ],
    ["fractional offsets", { sample: { indptr: Float64Array.of(0, 2.5, 4, 7) } }, /is 2.5 after sample "S1"/],
    ["NaN among the offsets", { sample: { indptr: Float64Array.of(0, Number.NaN, 4, 7) } }, /from 0 to NaN/],
    [
      "fewer indices than counts",
      { sample: { indices: Int32Array.of(0, 2, 1) } },
      /has 3 indices for 7 counts/,
    ],
    [
      "a negative count",
      { sample: { data: Float64Array.of(1, -4, 3, 5, 2, 6, 7) } },
      /sample\/matrix has the count -4 for sample "S1" and ASV "GGGTACGTAT"/,
    ],
    ["NaN for a count", { sample: { data: Float64Array.of(1, Number.NaN, 3, 5, 2, 6, 7) } }, /the count NaN/],
    [
      "an infinite count",
      { sample: { data: Float64Array.of(1, Infinity, 3, 5, 2, 6, 7) } },
      /the count Infinity/,
    ],
    [
      "orientations with different counts",
      { observation: { data: Float64Array.of(1, 2, 3, 4, 9, 6, 7) } },
      /sample\/matrix \(7 counts\) and observation\/matrix \(7\) disagree at sample "S2" and ASV "GGGTACGTAT"/,
    ],
    [
      "orientations with different cells",
      { observation: { indices: Int32Array.of(1, 2, 1, 0, 1, 2, 2) } },
      /disagree at sample "S1" and ASV "ACGTACGTAC"/,
    ],
    [
      "a count that only one orientation has",
      {
        observation: {
          data: Float64Array.of(1, 2, 3, 4, 5, 6, 8, 7),
          indices: Int32Array.of(0, 2, 1, 0, 1, 2, 0, 2),
          indptr: Int32Array.of(0, 2, 3, 6, 8),
        },
      },
      /\(7 counts\) and observation\/matrix \(8\) disagree at sample "S1" and ASV "TTGTACGTAG"/,
    ],
    [
      "a wrong shape",
      { attributes: { shape: [5, 3] } },
      /shape says \[5, 3\], but it has 4 observation ids and 3 sample/,
    ],
    ["a wrong nnz", { attributes: { shape: [4, 3], nnz: 6 } }, /nnz says 6 counts, but it has 7/],
    [
      "ids that are no text",
      { sample: { ids: Int32Array.of(1, 2, 3) } },
      /sample\/ids holds numbers instead of text/,
    ],
    [
      "counts that are no numbers",
      { sample: { data: new Array(7).fill("1") } },
      /data holds text instead of numbers/,
    ],
    ["no ids", { observation: { ids: undefined } }, /lacks observation\/ids/],
    ["ids twice", { sample: { ids: ["S1", "S2", "S1"] } }, /sample id "S1" stands at positions 1 and 3/],
    ["an empty id", { observation: { ids: ["A", "", "C", "D"] } }, /observation\/ids: ASV 2 has an empty id/],
    ["too few ids", { attributes: {}, observation: { ids: ["A", "B", "C"] } }, /indices has 3 at entry 7/],
    ["a matrix without offsets", { sample: { indptr: undefined } }, /no dataset sample\/matrix\/indptr/],
  ];
  for (const [name, part, message] of refusals) {
    test(name, () => {
      expect(() => readStored(change(part))).toThrow(message);
      expect(() => readStored(change(part))).toThrow(/^t\.biom/);
    });
  }

  test("no matrix, no group", () => {
    const ids = { sample: { ids: ["S1"] }, observation: { ids: ["A"] } };
    expect(() => readStored(ids)).toThrow("has neither sample/matrix nor observation/matrix");
    expect(() => readStored({ sample: storedSmall.sample })).toThrow("lacks observation/ids");
    expect(() => readStored({})).toThrow("t.biom is HDF5 but no BIOM table");
  });
});
