import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { makeQza } from "../../../lab/material/makeQza.ts";
import { readTable, readTableBytes, readTableWithNotes } from "../../../src/data/table/read.ts";
import { encodeStored, plain, plainTables, storedSmall, tableFixture } from "../../helpers/tableFixtures.ts";

const folder = mkdtempSync(join(tmpdir(), "aam-tables-"));
afterAll(() => rmSync(folder, { recursive: true }));

const { small } = plainTables;
const bytes = (text: string) => new TextEncoder().encode(text);
const read = (content: string | Uint8Array) =>
  readTableBytes(typeof content === "string" ? bytes(content) : content, "t");
const bom = "\ufeff";

const rows = small.asvIds.map((id) => ({ id, metadata: null }));
const columns = small.sampleIds.map((id) => ({ id, metadata: null }));
const triples = small.counts.flatMap((counts, row) =>
  counts.flatMap((count, column) => (count > 0 ? [[row, column, count]] : [])),
);
const sparse = {
  rows,
  columns,
  shape: [4, 3],
  matrix_type: "sparse",
  matrix_element_type: "int",
  data: triples,
};
const dense = { ...sparse, matrix_type: "dense", data: small.counts };
const classic = [
  "# Constructed from biom file",
  `#OTU ID\t${small.sampleIds.join("\t")}`,
  ...small.counts.map((counts, asv) => `${small.asvIds[asv]}\t${counts.map((n) => n.toFixed(1)).join("\t")}`),
].join("\n");

describe("the content decides how a table is read:", () => {
  const hdf5 = encodeStored(storedSmall);
  const contents: Record<string, [Uint8Array, string]> = {
    HDF5: [hdf5, "BIOM 2 (HDF5)"],
    "sparse JSON": [bytes(JSON.stringify(sparse)), "BIOM 1.0 (JSON)"],
    "dense JSON with a byte order mark and line breaks": [
      bytes(`${bom}\n ${JSON.stringify(dense, null, 2)}\n`),
      "BIOM 1.0 (JSON)",
    ],
    TSV: [bytes(classic), "classic table (TSV)"],
  };
  for (const [name, [content, format]] of Object.entries(contents)) {
    test(`${name}, as it is, gzipped, in two gzip members and in a QIIME 2 artifact`, async () => {
      expect(plain(read(content).table)).toEqual({ ...small });
      expect(read(content).format).toBe(format);
      const members = Buffer.concat([gzipSync(content.subarray(0, 100)), gzipSync(content.subarray(100))]);
      for (const packed of [gzipSync(content), members]) {
        expect(plain(read(packed).table)).toEqual({ ...small });
        expect(read(packed).format).toBe(`${format}, gzipped`);
      }
      const artifact = makeQza("FeatureTable[Frequency]", { "feature-table.biom": content });
      expect(plain(read(artifact).table)).toEqual({ ...small });
      expect(read(artifact).format).toBe(`${format} in a QIIME 2 artifact`);
      const path = join(folder, "misleading.fasta");
      writeFileSync(path, content);
      expect(plain(await readTable(path))).toEqual({ ...small });
      expect((await readTableWithNotes(path)).notes).toEqual([]);
    });
  }

  test("HDF5 behind a user block, named .gz but not gzipped", async () => {
    const path = join(folder, "bench.biom.gz");
    writeFileSync(path, tableFixture("userblock"));
    expect(plain(await readTable(path))).toEqual({ ...small });
  });
});

describe("what is no table is refused:", () => {
  const refusals: [string, string | Uint8Array, RegExp][] = [
    ["nothing", "", /^t is empty; give a feature table\.$/],
    ["FASTA", ">a\nACGT\n", /looks like FASTA sequences/],
    ["a tree", "((a:1,b:2):3,c:4);\n", /looks like a Newick tree/],
    ["a web page", "<!doctype html>\n<html>", /looks like XML or HTML/],
    ["text", "hello world\nthis is text\n", /no feature table \(line 1 has no tabs\)/],
    ["binary junk", Uint8Array.of(7, 0, 200, 13, 0, 1), /is no text \(a zero byte at offset 1\)/],
    [
      "text in Latin-1",
      Uint8Array.of(35, 105, 100, 9, 0xe9, 10, 65, 9, 49),
      /is not UTF-8 text \(byte 0xe9 at offset 4\)/,
    ],
    [
      "the HDF5 signature alone",
      Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a),
      /damaged HDF5 file/,
    ],
    ["cut gzip data", gzipSync(classic).subarray(0, 40), /damaged gzip data \(unexpected end of file\)/],
    [
      "gzip data with something behind",
      Buffer.concat([gzipSync(classic), bytes("tail")]),
      /damaged gzip data/,
    ],
    ["gzip in gzip", gzipSync(gzipSync(classic)), /gzipped twice; unpack it once/],
    [
      "another artifact",
      makeQza("Phylogeny[Rooted]", { "tree.nwk": bytes("(a,b);") }),
      /type Phylogeny\[Rooted\]; give/,
    ],
    [
      "an artifact without its table",
      makeQza("FeatureTable[Frequency]", {}),
      /holds no "feature-table\.biom"/,
    ],
  ];
  for (const [name, content, message] of refusals) {
    test(name, () => {
      expect(() => read(content)).toThrow(message);
    });
  }

  test("a missing file and a folder", async () => {
    await expect(readTable(join(folder, "none.biom"))).rejects.toThrow(
      "there is no such file; check the path.",
    );
    await expect(readTable(folder)).rejects.toThrow("it is a folder; give a file's path.");
  });
});

describe("BIOM 1.0", () => {
  const json = (change: object) => read(JSON.stringify({ ...sparse, ...change }));
  const without = (part: object, ...names: string[]) =>
    JSON.stringify(Object.fromEntries(Object.entries(part).filter(([name]) => !names.includes(name))));

  test("reads triples in any order, explicit zeros and fractions, whatever element type is stated", () => {
    expect(plain(json({ data: [...triples].reverse() }).table)).toEqual({ ...small });
    expect(plain(json({ data: [...triples, [0, 1, 0]] }).table)).toEqual({ ...small });
    expect(plain(json({ matrix_element_type: "unicode" }).table)).toEqual({ ...small });
    expect(json({ data: [[0, 0, 0.5]], matrix_element_type: "int" }).table.data).toEqual(
      Float64Array.of(0.5),
    );
  });

  test("reads tables without counts, samples or ASVs", () => {
    expect(json({ data: [] }).table.data.length).toBe(0);
    expect(plain(json({ rows: [], shape: [0, 3], data: [] }).table)).toEqual({
      ...small,
      asvIds: [],
      counts: [],
    });
    const noSamples = json({ matrix_type: "dense", columns: [], shape: [4, 0], data: [[], [], [], []] });
    expect(noSamples.table.indptr).toEqual(Int32Array.of(0));
  });

  test("without matrix_type, takes the only kind that the data can be, and says so", () => {
    const reading = read(without(sparse, "matrix_type"));
    expect(plain(reading.table)).toEqual({ ...small });
    expect(reading.notes).toEqual(['"matrix_type" is absent; read as sparse']);
    const fourColumns = {
      columns: [...columns, { id: "S4" }],
      shape: [4, 4],
      data: small.counts.map((row) => [...row, 1]),
    };
    expect(read(without({ ...dense, ...fourColumns }, "matrix_type")).notes).toEqual([
      '"matrix_type" is absent; read as dense',
    ]);
    expect(() => read(without(dense, "matrix_type"))).toThrow(/could be sparse or dense; add "matrix_type"/);
    expect(() => read(without({ ...sparse, data: [[1, 2]] }, "matrix_type"))).toThrow(
      /could be neither kind/,
    );
  });

  const refusals: [string, object, RegExp][] = [
    [
      "a row that is not there",
      { data: [[4, 0, 1]] },
      /data\[0\] points to row 4 and column 0 of a 4 x 3 table/,
    ],
    [
      "a negative column",
      {
        data: [
          [0, 0, 1],
          [0, -1, 1],
        ],
      },
      /data\[1\] points to row 0 and column -1/,
    ],
    ["a fractional row", { data: [[0.5, 0, 1]] }, /points to row 0.5/],
    [
      "a cell twice",
      {
        data: [
          [0, 0, 1],
          [0, 0, 2],
        ],
      },
      /lists sample "S1" and ASV "ACGTACGTAC" twice/,
    ],
    ["a pair", { data: [[0, 0]] }, /data\[0\] is no \[row, column, count\] triple/],
    [
      "a negative count",
      { data: [[0, 0, -1]] },
      /data\[0\] \(ASV "ACGTACGTAC", sample "S1"\) is -1, expected a finite/,
    ],
    ["a count in quotes", { data: [[0, 0, "1"]] }, /is "1", expected a finite number/],
    [
      "null for a count",
      { ...dense, data: [[1, null, 0], ...small.counts.slice(1)] },
      /data\[0\]\[1\] .* is null/,
    ],
    [
      "a short row",
      { ...dense, data: [[1, 2], ...small.counts.slice(1)] },
      /data\[0\] has 2 counts instead of 3/,
    ],
    ["too few rows", { ...dense, data: small.counts.slice(1) }, /"data" has 3 rows instead of 4/],
    ["a wrong shape", { shape: [5, 3] }, /"shape" is \[5, 3\], but there are 4 rows and 3 columns/],
    ["no shape", { shape: undefined }, /"shape" is absent/],
    ["no data", { data: undefined }, /has no list "data"/],
    [
      "an unknown kind",
      { matrix_type: "compact" },
      /"matrix_type" is "compact", expected "sparse" or "dense"/,
    ],
    [
      "ids twice",
      { rows: [...rows.slice(0, 3), rows[0]] },
      /rows: the ASV id "ACGTACGTAC" stands at positions 1 and 4/,
    ],
    [
      "an id that is a number",
      { columns: [{ id: 1 }, { id: 2 }, { id: 3 }] },
      /columns\[0\] has no text "id"/,
    ],
    ["rows that are no list", { rows: { length: 4 } }, /"rows" is no list/],
  ];
  for (const [name, change, message] of refusals) {
    test(`refuses ${name}`, () => {
      expect(() => json(change)).toThrow(message);
      expect(() => json(change)).toThrow(/^t[: ]/);
    });
  }

  test("reads JSON of several parts, and tells of the last one's count by its place", () => {
    const ids = (count: number) => Array.from({ length: count }, (_, i) => ({ id: `${i}`, metadata: [i] }));
    const data = Array.from({ length: 90_000 }, (_, i) => [Math.floor(i / 300), i % 300, i + 0.5]);
    const long = { shape: [300, 300], matrix_type: "sparse", data, rows: ids(300), columns: ids(300) };
    const text = JSON.stringify(long);
    expect(text.length).toBeGreaterThan(2 ** 20);
    const { table } = read(text);
    expect([...table.indptr]).toEqual(Array.from({ length: 301 }, (_, i) => 300 * i));
    expect([...table.data]).toEqual(
      Array.from({ length: 90_000 }, (_, i) => 300 * (i % 300) + Math.floor(i / 300) + 0.5),
    );
    expect(() => read(text.replace("89999.5", "-1"))).toThrow('data[89999] (ASV "299", sample "299") is -1');
  });

  test("refuses JSON that is cut off or no table", () => {
    expect(() => read(JSON.stringify(sparse).slice(0, 200))).toThrow(
      /starts like a BIOM 1\.0 table but is no valid JSON/,
    );
    expect(() => read('{"a": 1}')).toThrow(/is JSON but no BIOM 1\.0 table/);
    expect(() => read("[1, 2]")).toThrow(/looks like a JSON list/);
  });
});

describe("classic tables", () => {
  const expectSmall = (content: string, ...notes: string[]) => {
    const reading = read(content);
    expect(plain(reading.table)).toEqual({ ...small });
    expect(reading.notes).toEqual(notes);
  };
  const lines = classic.split("\n");
  const [header, ...body] = lines.slice(1) as [string, ...string[]];

  test("with and without comments and a last line break, with CR LF, blank lines, blanks and a byte order mark", () => {
    expectSmall(lines.slice(1).join("\n"));
    expectSmall(`${classic}\n\n`);
    expectSmall(bom + classic);
    expectSmall(lines.join("\r\n"));
    expectSmall(`\n${lines.join("\n\n")}`);
    expectSmall(["# a", "#b", header, ...body].join("\n"));
    expectSmall([header.slice(1), ...body.map((line) => line.replaceAll("\t", "\t "))].join("\n"));
  });

  test("with numbers in every notation", () => {
    const content =
      "id\ta\tb\tc\td\te\tf\tg\nx\t12\t12.0\t1.2e1\t+12\t 12 \t0012\t12.\ny\t.5\t1E-3\t0\t0.0\t12345678901234567000\t1e15\t0e5\n";
    const { table } = read(content);
    expect(plain(table).counts).toEqual([
      [12, 12, 12, 12, 12, 12, 12],
      [0.5, 0.001, 0, 0, 12345678901234567000, 1e15, 0],
    ]);
  });

  test("with a last column of taxonomy, named so or plainly text", () => {
    const taxonomy = ["k__Bacteria; p__Firmicutes", "", "12", "Unassigned"];
    for (const name of ["taxonomy", "Taxonomy", "Consensus Lineage", "ConsensusLineage"]) {
      expectSmall([`${header}\t${name}`, ...body.map((line, i) => `${line}\t${taxonomy[i]}`)].join("\n"));
    }
    const described = body.map((line) => `${line}\td__Archaea; p__x`);
    expectSmall([`${header}\tanything`, ...described].join("\n"));
  });

  test("as R writes them: row names without a header cell, ids in quotes", () => {
    const quoted = body.map((line) => line.replace(/^\w+/, '"$&"'));
    expectSmall(
      ['"S1"\t"S2"\t"S3"', ...quoted].join("\n"),
      "its header has no name for the ids, as R writes it",
    );
  });

  test("with samples in rows, told by the first cell or by sequences for columns", () => {
    const rowsOf = (label: string, ids: readonly string[]) =>
      [
        [label, ...ids].join("\t"),
        ...small.sampleIds.map((id, s) => [id, ...small.counts.map((counts) => counts[s])].join("\t")),
      ].join("\n");
    const note = "its rows are samples and its columns ASVs";
    for (const label of ["#SampleID", "sample-id", "Sample"]) expectSmall(rowsOf(label, small.asvIds), note);
    const sequences = small.asvIds.map((id) => id.repeat(3));
    const reading = read(rowsOf("", sequences));
    expect(plain(reading.table)).toEqual({ ...small, asvIds: sequences });
    expect(reading.notes).toEqual([note]);
  });

  const refusals: [string, string, RegExp][] = [
    [
      "text for a count",
      `${header}\nA\t1\tx\t2`,
      /^t: line 2, column 3 \("S2"\) is "x", expected a count; correct the table/,
    ],
    ["text for the last count", `${header}\nA\t1\t2\tabc`, /line 2, column 4 \("S3"\) is "abc"/],
    [
      "text further down in the last column",
      `${header}\nA\t1\t2\t3\nB\t1\t2\tk__x; p__y`,
      /line 3, column 4 .* is "k__x; p__y"/,
    ],
    ["an empty cell", `${header}\nA\t1\t\t2`, /line 2, column 3 \("S2"\) is ""/],
    ["a negative count", `${header}\nA\t1\t-2\t2`, /is "-2"/],
    ["NaN", `${header}\nA\t1\tNaN\t2`, /is "NaN"/],
    ["NA in the last column", `${header}\nA\t1\t2\tNA`, /is "NA"/],
    ["a count that is infinite", `${header}\nA\t1\t1e999\t2`, /is "1e999"/],
    ["hexadecimal", `${header}\nA\t1\t0x10\t2`, /is "0x10"/],
    ["a decimal comma", `${header}\nA\t1\t1,5\t2`, /is "1,5"/],
    ["too few cells", `${header}\nA\t1\t2\t3\nB\t1\t2`, /line 3 has fewer than the 4 cells of the header/],
    [
      "too many cells",
      `${header}\nA\t1\t2\t3\nB\t1\t2\t3\t4`,
      /line 3 has more than the 4 cells of the header/,
    ],
    ["an ASV twice", `${header}\nA\t1\t2\t3\nA\t1\t2\t3`, /ASV id "A" stands at positions 1 and 2/],
    ["a sample twice", "id\tS1\tS1\nA\t1\t2", /sample id "S1" stands at positions 1 and 2/],
    ["an empty sample id", "id\tS1\t\nA\t1\t2", /has 2 cells and line 2 has 3/],
    ["commas instead of tabs", "id,S1,S2\nA,1,2", /line 1 has no tabs/],
    ["only comments", "# a\n# b\n", /it has no header/],
    ["only a header", header, /it has a header but no rows/],
  ];
  for (const [name, content, message] of refusals) {
    test(`with ${name} are refused`, () => {
      expect(() => read(content)).toThrow(message);
    });
  }
});

test("JSON nested a million deep and ids of a megabyte end in one short sentence", () => {
  const deep = "[".repeat(1e6);
  const long = "A".repeat(1e6);
  const contents = [
    `{"rows":[],"columns":[],"shape":${deep}`,
    `{"rows":[],"columns":[],"shape":${deep}${"]".repeat(1e6)},"data":[]}`,
    JSON.stringify({ ...sparse, rows: [{ id: long }, { id: long }] }),
    JSON.stringify({ ...sparse, shape: Array(1000).fill(1) }),
    `id\t${long}\n${long}\tx`,
  ];
  for (const content of contents) {
    const message = (() => {
      try {
        read(content);
      } catch (cause) {
        return (cause as Error).message;
      }
      return "";
    })();
    expect(message).toMatch(/^t[: ].{10,300}$/);
  }
});
