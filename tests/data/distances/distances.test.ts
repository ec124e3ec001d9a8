import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { makeQza } from "../../../lab/material/makeQza.ts";
import { type Distances, distancesOf, pairIndex, squareRows } from "../../../src/data/distances/distances.ts";
import { readDistances } from "../../../src/data/distances/read.ts";
import { parseDistanceText } from "../../../src/data/distances/text.ts";
import {
  squareOf,
  writeSquareHdf5,
  writeSquareNpy,
  writeSquareTsv,
} from "../../../src/data/distances/write.ts";
import { encodeHdf5 } from "../../../src/formats/hdf5/write.ts";
import { encodeNpy, readNpy } from "../../../src/formats/npy/npy.ts";
import expected from "../../fixtures/distances/expected.json";
import { outsideData } from "../../helpers/outsideData.ts";
import { userErrorOf, useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const fixture = (name: string) => join(import.meta.dir, "../../fixtures/distances", name);
const asciiIds = ["S10", "S2", "S1", "U3"];
const numbers = ["w", "x", "y", "z"];

/** What is above the diagonal of the fixtures' matrix. */
const condensed = expected.matrix.flatMap((row, i) => row.slice(i + 1));

function expectFixture({ ids, values }: Distances, wantedIds: readonly string[], digits: number): void {
  expect(ids).toEqual([...wantedIds]);
  expect(values).toHaveLength(6);
  for (const [i, value] of condensed.entries()) expect(values[i]).toBeCloseTo(value, digits);
}

const parse = (text: string, allowUnknown = false) => parseDistanceText(text, "d.tsv", { allowUnknown });

describe("readDistances reads what others write", () => {
  test.each([
    ["ssu-fp32.h5", asciiIds, 6],
    ["ssu-fp64.h5", asciiIds, 14],
    ["ssu.tsv", asciiIds, 12],
    ["fixed-ids.h5", expected.ids, 7],
    ["python-bytes.h5", asciiIds, 14],
    ["with-ids.npz", expected.ids, 14],
    ["lsmat.tsv", expected.ids, 14],
  ] as const)("%s, with its own ids", (name, ids, digits) => {
    expectFixture(readDistances(fixture(name)), ids, digits);
    expectFixture(readDistances(fixture(name), { sampleOrder: numbers }), ids, digits);
  });

  test.each(["no-ids.h5", "float32.npy", "named.npz", "only.npz"])(
    "B14: %s, if the order is given",
    (name) => {
      expectFixture(readDistances(fixture(name), { sampleOrder: numbers }), numbers, 7);
      const message = userErrorOf(() => readDistances(fixture(name)));
      expect(message).toContain(`${name} holds 4 x 4 distances but no sample ids; give the samples' order`);
      const tooMany = userErrorOf(() => readDistances(fixture(name), { sampleOrder: [...numbers, "v"] }));
      expect(tooMany).toContain("the samples' order names 5 samples");
    },
  );

  test("keeps the precision of the file", () => {
    expect(readDistances(fixture("ssu-fp32.h5")).values).toBeInstanceOf(Float32Array);
    expect(readDistances(fixture("ssu-fp64.h5")).values).toBeInstanceOf(Float64Array);
  });

  test("artifacts, gzipped text, and whatever the file is called", () => {
    const text = readFileSync(fixture("lsmat.tsv"));
    const artifact = makeQza("DistanceMatrix % Properties('phylogenetic')", { "distance-matrix.tsv": text });
    expectFixture(readDistances(scratch.write("a.zip", artifact)), expected.ids, 14);
    expectFixture(readDistances(scratch.write("a.dm", gzipSync(text))), expected.ids, 14);
    expectFixture(readDistances(scratch.write("b.dat", readFileSync(fixture("ssu-fp64.h5")))), asciiIds, 14);
  });

  test.skipIf(!existsSync(outsideData))("the real matrices", () => {
    const means = {
      "moving-pictures/unweighted_unifrac_distance_matrix.qza": 0.6466114115145961,
      "moving-pictures/weighted_unifrac_distance_matrix.qza": 0.49477776135338797,
      "unifrac-tests/test.absquant.wn.dm": 0.5581093333333333,
      "unifrac-tests/test.absquant_not.wn.dm": 0.5152913333333333,
      "unifrac-tests/dart-ASVs_unweighted_truth.txt": 0.4134166717529297,
      "unifrac-tests/dart-ASVs_weighted_normalized_truth.tsv": 0.30108031729857127,
    };
    for (const [name, mean] of Object.entries(means)) {
      const values = Array.from(readDistances(`${outsideData}/${name}`).values);
      expect(values.reduce((sum, value) => sum + value, 0) / values.length).toBeCloseTo(mean, 12);
    }
  });
});

describe("readDistances refuses", () => {
  const cases: [name: string, content: () => string | Uint8Array, ...words: string[]][] = [
    [
      "several unknown arrays",
      () => readFileSync(fixture("several.npz")),
      "no array named matrix",
      '"first", "second"',
    ],
    ["a matrix that is not square", () => readFileSync(fixture("stripes.h5")), "shape (4, 3)", "square"],
    ["a vector", () => readFileSync(fixture("vector.npy")), "shape (4)", "square"],
    ["another artifact", () => makeQza("Phylogeny[Rooted]", {}), "type Phylogeny[Rooted], not distances"],
    ["an archive of nothing", () => makeQza("X", {}).slice(0, 40), "zip"],
    ["an empty file", () => "", "is empty"],
    ["a file that is cut off", () => readFileSync(fixture("float32.npy")).subarray(0, 150), "truncated"],
    ["damaged HDF5", () => readFileSync(fixture("ssu-fp64.h5")).subarray(0, 3000), "cut off"],
    [
      "ids that are too few",
      () =>
        Buffer.concat(
          encodeHdf5({
            datasets: { order: { values: ["a"] }, matrix: { values: new Float64Array(4), shape: [2, 2] } },
          }),
        ),
      "holds 2 x 2 distances, but it names 1 samples",
    ],
    [
      "ids that are numbers",
      () =>
        Buffer.concat(
          encodeHdf5({
            datasets: {
              order: { values: new Int32Array([1, 2]) },
              matrix: { values: new Float64Array(4), shape: [2, 2] },
            },
          }),
        ),
      "(order) holds numbers instead of sample ids",
    ],
  ];
  test.each(cases)("%s", (_, content, ...words) => {
    const path = scratch.write("refused", content());
    const message = userErrorOf(() => readDistances(path, { sampleOrder: numbers }));
    expect(message).toStartWith(path);
    for (const word of words) expect(message).toContain(word);
  });

  test.each<[string, number[], string]>([
    ["not a number", [0, 1, Number.NaN, 0], 'distance between "b" and "a" is missing'],
    ["infinite", [0, Infinity, Infinity, 0], 'distance between "a" and "b" is Infinity'],
    ["negative", [0, -1, -1, 0], 'distance between "a" and "b" is -1'],
    ["not symmetric", [0, 1, 1.1, 0], 'not symmetric: the distance between "b" and "a" is 1.1'],
    ["similarities", [1, 0.5, 0.5, 1], '"a" from itself is 1, not 0'],
  ])("values that are %s", (_, values, words) => {
    const path = scratch.write("bad.npy", Buffer.concat(encodeNpy(Float64Array.from(values), [2, 2])));
    expect(userErrorOf(() => readDistances(path, { sampleOrder: ["a", "b"] }))).toContain(words);
  });

  test("ids that stand twice or are empty", () => {
    const path = scratch.write("zero.npy", Buffer.concat(encodeNpy(new Float64Array(4), [2, 2])));
    expect(userErrorOf(() => readDistances(path, { sampleOrder: ["a", "a"] }))).toContain(
      'the sample id "a" stands at positions 1 and 2',
    );
    expect(userErrorOf(() => readDistances(path, { sampleOrder: ["a", ""] }))).toContain(
      "sample 2 has an empty id",
    );
  });
});

describe("parseDistanceText reads", () => {
  const values = [1, 2, 3];
  test.each([
    ["tabs", "\ta\tb\tc\na\t0\t1\t2\nb\t1\t0\t3\nc\t2\t3\t0\n"],
    [
      "a name in the corner, CRLF and blank lines",
      "\r\n#ID\ta\tb\tc\r\na\t0\t1\t2\r\n\r\nb\t1\t0\t3\r\nc\t2\t3\t0",
    ],
    ["comments above the header", "# made by, hand\n#x\n\ta\tb\tc\na\t0\t1\t2\nb\t1\t0\t3\nc\t2\t3\t0\n"],
    ["commas and quotes", '"","a","b","c"\n"a",0,1,2\n"b",1,0,3\n"c",2,3,0\n'],
    ["no corner, as R writes", "a\tb\tc\na\t0\t1\t2\nb\t1\t0\t3\nc\t2\t3\t0\n"],
    ["blanks", "   a   b  c\na 0  1.0 2\nb 1    0 3e0\nc 2    3 0\n"],
    ["columns in another order", "\tc\ta\tb\na\t2\t0\t1\nb\t3\t1\t0\nc\t0\t2\t3\n"],
    ["trailing tabs", "\ta\tb\tc\t\na\t0\t1\t2\t\nb\t1\t0\t3\nc\t2\t3\t0\n"],
    ["rounding", "\ta\tb\tc\na\t0\t1\t2\nb\t1.000001\t0\t3\nc\t1.999999\t3\t0.000001\n"],
  ])("%s", (_, text) => {
    expect(parse(text)).toEqual({ ids: ["a", "b", "c"], values: Float64Array.from(values) });
  });

  test("quoted ids with the delimiter in them", () => {
    expect(parse('x,"a,1",b\n"a,1",0,2\nb,2,0\n').ids).toEqual(["a,1", "b"]);
  });

  test("missing values where they are allowed; a pair known on one side is known", () => {
    const text = "\ta\tb\tc\td\na\t0\tnan\t2\t1\nb\t\t0\tNA\t\nc\t2\t3\t0\t5\nd\t1\t\t5\t0\n";
    const unknown = Number.NaN;
    expect([...parse(text, true).values]).toEqual([unknown, 2, 1, 3, unknown, 5]);
    expect(userErrorOf(() => parse(text))).toContain('between "a" and "b" is missing');
  });
});

describe("parseDistanceText refuses", () => {
  const cases: [name: string, text: string, ...words: string[]][] = [
    ["a table without a matrix", "hello\nworld\n", "line 1", "at least two sample ids"],
    [
      "a row too few",
      "\ta\tb\tc\na\t0\t1.5555\t2.5555\nb\t1.5555\t0\t3.5555\n",
      "has 2 rows for the 3 samples",
    ],
    [
      "a header that promises too much",
      "\ta\tb\tc\td\te\tf\tg\th\ti\na\t0\n",
      "too little text for the 9 samples",
    ],
    ["a row too many", "\ta\tb\na\t0\t1\nb\t1\t0\nc\t2\t3\n", "line 4", "header names 2 samples"],
    ["a row that is short", "\ta\tb\na\t0\t1\nb\t1\n", "line 3", 'row of "b" has only 1 values'],
    ["a row that is long", "\ta\tb\na\t0\t1\nb\t1\t0\t5\n", "line 3", "more than 2"],
    ["a word", "\ta\tb\na\t0\tfar\nb\t1\t0\n", "line 2", 'value 2 of "a" is "far"'],
    ["hexadecimal", "\ta\tb\na\t0\t0x1\nb\t1\t0\n", "line 2", '"0x1"'],
    ["an infinite value", "\ta\tb\na\t0\tinf\nb\tinf\t0\n", '"a" and "b" is Infinity'],
    ["ids that differ", "\ta\tb\na\t0\t1\nc\t1\t0\n", 'row 2 has the id "c"', "not in the header"],
    ["a repeated id", "\ta\ta\na\t0\t1\na\t1\t0\n", 'the sample id "a" stands at positions 1 and 2'],
  ];
  test.each(cases)("%s", (_, text, ...words) => {
    const message = userErrorOf(() => parse(text));
    expect(message).toStartWith("d.tsv");
    for (const word of words) expect(message).toContain(word);
  });
});

describe("written matrices", () => {
  const ids = ["a", "b", "ü c"];
  test.each([new Float32Array([0.1, 1 / 3, 0]), new Float64Array([0.1, 1 / 3, 1e-12])])(
    "read back as they were",
    (values) => {
      const distances = { ids, values };
      writeSquareTsv(scratch.path("out.tsv"), squareOf(distances));
      const text = readDistances(scratch.path("out.tsv"));
      expect(text.ids).toEqual(ids);
      expect(values instanceof Float32Array ? Float32Array.from(text.values) : text.values).toEqual(values);
      writeSquareNpy(scratch.path("out.npy"), squareOf(distances));
      expect(readDistances(scratch.path("out.npy"), { sampleOrder: ids })).toEqual(distances);
      writeSquareHdf5(scratch.path("out.h5"), squareOf(distances));
      expect(readDistances(scratch.path("out.h5"))).toEqual(distances);
    },
  );

  test("are square, symmetric and short", () => {
    const distances = { ids, values: new Float32Array([0.1, 0.25, 0.5]) };
    writeSquareTsv(scratch.path("out.tsv"), squareOf(distances));
    expect(readFileSync(scratch.path("out.tsv"), "utf8")).toBe(
      "\ta\tb\tü c\na\t0\t0.1\t0.25\nb\t0.1\t0\t0.5\nü c\t0.25\t0.5\t0\n",
    );
    writeSquareNpy(scratch.path("out.npy"), squareOf(distances));
    expect(readNpy(scratch.path("out.npy"))).toEqual({
      dtype: "float32",
      shape: [3, 3],
      values: new Float32Array([0, 0.1, 0.25, 0.1, 0, 0.5, 0.25, 0.5, 0]),
    });
    expect([...squareRows({ ids: ["a"], values: new Float32Array(0) })]).toEqual([new Float32Array([0])]);
  });

  test("are refused with ids that the format cannot hold", () => {
    const distances = { ids: ["a\tb", "c"], values: new Float32Array(1) };
    expect(userErrorOf(() => writeSquareTsv(scratch.path("x.tsv"), squareOf(distances)))).toContain(
      "contains a tab",
    );
    expect(existsSync(scratch.path("x.tsv"))).toBe(false);
  });
});

describe("distances", () => {
  const distances: Distances = { ids: ["a", "b", "c", "d"], values: new Float64Array([1, 2, 3, 4, 5, 6]) };

  test("are found by pair", () => {
    expect([pairIndex(4, 0, 1), pairIndex(4, 0, 3), pairIndex(4, 1, 2), pairIndex(4, 2, 3)]).toEqual([
      0, 2, 3, 5,
    ]);
  });

  test("are taken in the order of some samples, unknown where one is lacking", () => {
    const taken = distancesOf(distances, ["d", "x", "b", "a"], "d.tsv");
    expect([...taken.distances.values]).toEqual([Number.NaN, 5, 3, Number.NaN, Number.NaN, 1]);
    expect(taken.lackingIds).toEqual(["x"]);
    expect(userErrorOf(() => distancesOf(distances, ["x", "b"], "d.tsv"))).toContain(
      'd.tsv and the samples have 1 ids in common: the first are "a" and "x"',
    );
  });
});
