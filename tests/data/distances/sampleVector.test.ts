import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { makeQza } from "../../../lab/material/makeQza.ts";
import {
  parseSampleVector,
  readSampleVector,
  writeSampleVectorTsv,
} from "../../../src/data/distances/sampleVector.ts";
import expected from "../../fixtures/distances/expected.json";
import { outsideData } from "../../helpers/outsideData.ts";
import { userErrorOf, useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const fixture = (name: string) => join(import.meta.dir, "../../fixtures/distances", name);
const sampleOrder = ["w", "x", "y", "z"];
const parse = (text: string, column?: string) => parseSampleVector(text, "v.tsv", { column });

describe("readSampleVector", () => {
  test("reads faithpd's table", () => {
    const { ids, values } = readSampleVector(fixture("faithpd.tsv"));
    expect(ids).toEqual(["S10", "S2", "S1", "U3"]);
    expect(values[0]).toBeCloseTo(1.85, 6);
  });

  test.each(["no-ids.h5", "vector.npy", "named.npz"])("reads %s, if the order is given", (name) => {
    const vector = readSampleVector(fixture(name), { sampleOrder });
    expect(vector).toEqual({ ids: sampleOrder, values: Float64Array.from(expected.faith) });
    expect(userErrorOf(() => readSampleVector(fixture(name)))).toContain("holds 4 values but no sample ids");
    const short = userErrorOf(() => readSampleVector(fixture(name), { sampleOrder: ["a"] }));
    expect(short).toContain("holds 4 values for 1 samples");
  });

  test("reads artifacts and gzipped tables", () => {
    const text = "\tfaith_pd\na\t1.5\nb\t2\n";
    const artifact = makeQza("SampleData[AlphaDiversity] % Properties('phylogenetic')", {
      "alpha-diversity.tsv": Buffer.from(text),
    });
    for (const path of [scratch.write("v.qza", artifact), scratch.write("v.gz", gzipSync(text))]) {
      expect(readSampleVector(path)).toEqual({ ids: ["a", "b"], values: new Float64Array([1.5, 2]) });
    }
  });

  test.skipIf(!existsSync(outsideData))("reads the real vector", () => {
    const { ids, values } = readSampleVector(`${outsideData}/oral/faith_pd.tsv`);
    expect(ids).toHaveLength(2537);
    expect(values[0]).toBe(9.950318411458786);
  });

  test("refuses what is no vector", () => {
    const cases: [content: string | Uint8Array, words: string][] = [
      [readFileSync(fixture("float32.npy")), "has the shape (4, 4)"],
      [readFileSync(fixture("several.npz")), "no array named faith_pd (it holds first, second)"],
      [readFileSync(fixture("ssu-fp64.h5")), "no array named faith_pd"],
      [makeQza("DistanceMatrix", {}), "type DistanceMatrix, not one number for each sample"],
      ["", "holds no samples"],
    ];
    for (const [content, words] of cases) {
      const path = scratch.write("refused", content);
      expect(userErrorOf(() => readSampleVector(path, { sampleOrder }))).toContain(words);
    }
  });
});

describe("parseSampleVector", () => {
  test("takes the only column, the one named faith_pd, or the one asked for", () => {
    expect([...parse("id,pd\na,1\nb,-2e-1\n").values]).toEqual([1, -0.2]);
    const text = "# made by hand\n#SampleID\tshannon\tfaith_pd\na\t1\t2\n\nb\t3\t4\n";
    expect([...parse(text).values]).toEqual([2, 4]);
    expect([...parse(text, "shannon").values]).toEqual([1, 3]);
  });

  test.each([
    ["x\ty\tz\na\t1\t2\n", 'line 1: the table has no column "faith_pd" (it has "y", "z")'],
    ["id\ny\n", 'no column "faith_pd" (it has none)'],
    ["a\t1\nb\t2\n", "line 1: the table has no header"],
    ["id\tpd\na\tx\n", 'line 2: the value of "a" is "x", not a number'],
    ["id\tpd\na\t1\nb\n", 'line 3: the value of "b" is "", not a number'],
    ["id\tpd\na\tnan\n", '"nan", not a number'],
    ["id\tpd\na\t1\nb\t2\na\t3\n", 'line 4: the id "a" stands twice'],
    ["id\tpd\n\t1\n", "line 2: the sample has no id"],
    ["id\tpd\n", "holds no samples"],
  ])("refuses %j", (text, words) => {
    expect(userErrorOf(() => parse(text))).toContain(words);
    expect(userErrorOf(() => parse(text))).toStartWith("v.tsv");
  });
});

test("written vectors read back as they were", () => {
  const vector = { ids: ["a", "b c"], values: new Float64Array([1 / 3, 1e-9]) };
  writeSampleVectorTsv(scratch.path("out.tsv"), vector, "faith_pd");
  expect(readFileSync(scratch.path("out.tsv"), "utf8")).toBe(`#SampleID\tfaith_pd\na\t${1 / 3}\nb c\t1e-9\n`);
  expect(readSampleVector(scratch.path("out.tsv"))).toEqual(vector);
  expect(
    userErrorOf(() => writeSampleVectorTsv(scratch.path("x"), { ...vector, ids: ["a\n", "b"] }, "pd")),
  ).toContain("contains a tab or line break");
});
