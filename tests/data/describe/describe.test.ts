import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { exampleTable, noProvenance, scratchFolder } from "../../../lab/material/exampleTable.ts";
import { describeText } from "../../../src/cli/text/describeText.ts";
import { Random } from "../../../src/common/random/random.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { writeDataset } from "../../../src/data/dataset/write.ts";
import { describeInput } from "../../../src/data/describe/describe.ts";
import { inputKind } from "../../../src/data/describe/inputKind.ts";
import { quantiles, summarizeDistances } from "../../../src/data/describe/numberSummary.ts";
import { duplicationFactor } from "../../../src/data/describe/tableSummary.ts";
import {
  squareOf,
  writeSquareHdf5,
  writeSquareNpy,
  writeSquareTsv,
} from "../../../src/data/distances/write.ts";
import { asvPrevalence } from "../../../src/data/table/operations.ts";
import { writeBiom } from "../../../src/data/table/writeBiom.ts";

const scratch = scratchFolder();
const table = exampleTable(12, 20);
const distances = { ids: ["a", "b", "c"], values: Float64Array.of(0.5, 0, 0.25) };

function file(name: string, content: string | Uint8Array): string {
  const path = join(scratch, name);
  writeFileSync(path, content);
  return path;
}

const biom = join(scratch, "table.biom");
writeBiom(biom, table);
const classic = "# Constructed from biom file\n#OTU ID\ts1\ts2\nACGT\t1\t0\nACGA\t2\t3\n";
const metadata = "# simulated\nsample-id\tage\tsite\na\t3\tgut\nb\t\tgut\nc\t5\tskin\n";

describe("the kind of an input is told from its content", () => {
  const dada2 = `sample\t${"ACGT".repeat(6)}\t${"ACGA".repeat(6)}\ns1\t1\t2\n`;
  const cases: [name: string, content: string | Uint8Array, kind: string][] = [
    ["biom.dat", readFileSync(biom), "table"],
    ["packed.dat", gzipSync(readFileSync(biom)), "table"],
    ["json.dat", '{"format": "Biological Observation Matrix 1.0.0"}', "table"],
    ["classic.tsv", classic, "table"],
    ["classic.tsv.gz", gzipSync(classic), "table"],
    ["rows.tsv", dada2, "table"],
    ["tree.txt", "((a:1,b:2):1,c:3);", "tree"],
    ["bare.txt", "lonely;", "tree"],
    ["comment.nwk", "[a comment] (a,b);", "tree"],
    ["no-tree.nwk", "nothing", "tree"],
    ["packed.nwk.gz", gzipSync("(a,b);"), "tree"],
    ["seqs.txt", ">a\nACGT\n", "sequences"],
    ["metadata.tsv", metadata, "metadata"],
    ["metadata.csv", "sample_id,age\na,3\n", "metadata"],
    ["square.txt", "\ta\tb\na\t0\t1\nb\t1\t0\n", "distances"],
    ["square.csv", ",a,b\na,0,1\nb,1,0\n", "distances"],
    ["empty.biom", "", "table"],
    ["junk.npy", "junk", "distances"],
    ["junk", "junk", "table"],
  ];
  for (const [name, content, kind] of cases) {
    test(`${name}: ${kind}`, () => expect(inputKind(file(name, content))).toBe(kind as "table"));
  }

  test("a missing file is named", () => {
    expect(() => inputKind(join(scratch, "none"))).toThrow(/none: there is no such file/);
  });
});

describe("describeInput", () => {
  test("a table", async () => {
    const description = await describeInput(biom);
    if (description.kind !== "table") throw new Error("not a table");
    expect(description).toMatchObject({
      samples: 12,
      observations: 20,
      nonzero: table.data.length,
      total: table.data.reduce((sum, value) => sum + value, 0),
    });
    expect(description.richness!.max).toBe(
      Math.max(...table.indptr.slice(1).map((end, i) => end - table.indptr[i])),
    );
  });

  test("what is odd about a table", async () => {
    const odd = file("odd.tsv", "#OTU ID\ts1\ts2\nASV1\t1.5\t0\nASV2\t0\t0\n");
    const description = await describeInput(odd);
    expect(description.kind === "table" && description.warnings).toEqual([
      "1 samples have no counts.",
      "1 ASVs are in no sample.",
      "Some counts are no whole numbers.",
      "The ASV ids are no sequences; representative sequences (--rep-seqs) are needed.",
    ]);
  });

  test("a tree", async () => {
    const path = file("some.nwk", "((a:1,b:2):0.5,c);");
    expect(await describeInput(path)).toMatchObject({
      kind: "tree",
      tips: 3,
      nodes: 5,
      totalLength: 3.5,
      lengthsMissing: 1,
    });
  });

  test("distances, with and without ids", async () => {
    const [tsv, h5, npy] = ["d.tsv", "d.h5", "d.npy"].map((name) => join(scratch, name));
    writeSquareTsv(tsv, squareOf(distances));
    writeSquareHdf5(h5, squareOf(distances));
    writeSquareNpy(npy, squareOf(distances));
    for (const [path, hasIds] of [
      [tsv, true],
      [h5, true],
      [npy, false],
    ] as const) {
      expect(await describeInput(path)).toMatchObject({
        kind: "distances",
        samples: 3,
        mean: 0.25,
        zeros: 1,
        hasIds,
      });
    }
  });

  test("metadata and sequences", async () => {
    expect(await describeInput(file("m.tsv", metadata))).toMatchObject({
      kind: "metadata",
      samples: 3,
      columns: [
        { name: "age", kind: "numeric", missing: 1, range: { min: 3, max: 5 } },
        {
          name: "site",
          kind: "text",
          missing: 0,
          categories: 2,
          examples: [
            ["gut", 2],
            ["skin", 1],
          ],
        },
      ],
    });
    expect(await describeInput(file("s.fasta", ">a\nACG\n>b\nACGTA\n"))).toMatchObject({
      kind: "sequences",
      sequences: 2,
      length: { min: 3, max: 5 },
    });
  });

  test("a data set, and refuses a damaged one", async () => {
    const folder = join(scratch, "set");
    const pairs = Float32Array.from({ length: 66 }, (_, i) => (i === 3 ? Number.NaN : i === 4 ? 0 : 0.5));
    writeDataset(folder, {
      table,
      distances: { unweighted: pairs },
      vectors: { faith_pd: new Float32Array(12).fill(2) },
      metadata: [{ kind: "numeric", name: "age", values: new Float64Array(12) }],
      provenance: { ...noProvenance, warnings: ["Careful."] },
    });
    const description = await describeInput(folder);
    expect(description).toMatchObject({
      kind: "dataset",
      samples: 12,
      asvs: 20,
      nonzero: table.data.length,
      distances: { unweighted: { pairs: 66, unknown: 1, zeros: 1, min: 0, max: 0.5 } },
      vectors: { faith_pd: { min: 2, max: 2 } },
      metadata: [{ name: "age", kind: "numeric", missing: 0 }],
      warnings: ["Careful.", "1 pairs of samples have the unweighted distance 0."],
    });
    const text = describeText(folder, description);
    expect(text.split("\n").length).toBeLessThan(40);
    for (const part of ["12", "66 pairs of samples, 1 unknown", "Careful.", '"age": numeric']) {
      expect(text).toContain(part);
    }
    expect(openDataset(folder).sampleCount).toBe(12);
    const asvs = join(folder, "asvs.arrow");
    const bytes = readFileSync(asvs);
    bytes[300] ^= 1;
    writeFileSync(asvs, bytes);
    await expect(describeInput(folder)).rejects.toThrow(/asvs.arrow is damaged/);
  });
});

test("the duplication factor is that of random batches", () => {
  const large = exampleTable(100, 40);
  const random = new Random(3);
  let [occurrences, distinct] = [0, 0];
  for (let batch = 0; batch < 400; batch++) {
    const seen = new Set<number>();
    for (const sample of random.sample(100, 32)) {
      for (let i = large.indptr[sample]; i < large.indptr[sample + 1]; i++) {
        occurrences += 1;
        seen.add(large.indices[i]);
      }
    }
    distinct += seen.size;
  }
  const expected = duplicationFactor(asvPrevalence(large), 100)!;
  expect(Math.abs(occurrences / distinct / expected - 1)).toBeLessThan(0.02);
  expect(duplicationFactor(Int32Array.of(2, 2), 2)).toBe(2);
  expect(duplicationFactor(new Int32Array(3), 5)).toBeNull();
});

test("summaries of numbers", () => {
  expect(quantiles([4, 1, 3, 2])).toMatchObject({ min: 1, median: 2.5, mean: 2.5, max: 4 });
  const summary = summarizeDistances(() => [Float32Array.of(0, 1, Number.NaN), Float64Array.of(3)]);
  expect(summary).toMatchObject({ pairs: 4, unknown: 1, zeros: 1, min: 0, max: 3 });
  expect(summary.mean).toBeCloseTo(4 / 3, 12);
  expect(summary.sd).toBeCloseTo(Math.sqrt(14 / 9), 12);
  expect(summary.histogram.upTo).toBe(3);
  expect([summary.histogram.counts[0], summary.histogram.counts[6], summary.histogram.counts[19]]).toEqual([
    1, 1, 1,
  ]);
  expect(summarizeDistances(() => []).mean).toBeNull();
});

test.each([
  ["SILVA's", "s.txt", "a\tk__B; p__F\nb\tk__B; p__P\n"],
  ["mothur's", "m.taxonomy", "a\tB(100);F(99);\nb\tB(100);P(98);\n"],
  [
    "DADA2's",
    "d.csv",
    '"","Kingdom","Phylum","Class","Order","Family"\n"a","B","F",NA,NA,NA\n"b","B","P",NA,NA,NA\n',
  ],
])("%s taxonomy is described as one", async (_, name, text) => {
  const description = await describeInput(file(name, text));
  expect(description).toMatchObject({ kind: "taxonomy", features: 2, unassigned: 0, confidence: null });
  expect(describeText(name, description)).toContain("2 features with a name, 2 different");
});

describe("with a taxonomy", () => {
  const taxonomy = file(
    "named.tsv",
    "Feature ID\tTaxon\nACGT\tk__Bacteria; g__Blautia\nACGA\tk__Bacteria; f__Lachnospiraceae; g__\n",
  );

  test("a table's counts are told by name, and a data set's", async () => {
    const path = file("named-classic.tsv", classic);
    const description = await describeInput(path, { taxonomy });
    const largest = [
      { name: "Lachnospiraceae (family)", share: 5 / 6, samples: 2, asvs: 1 },
      { name: "Blautia", share: 1 / 6, samples: 1, asvs: 1 },
    ];
    expect(description).toMatchObject({ taxa: { names: 2, largest, warnings: [] } });
    expect(describeText(path, description)).toContain(
      "taxa           83.33 % Lachnospiraceae (family), 1 ASVs in 2 samples\n" +
        "                 16.67 % Blautia, 1 ASVs in 1 samples\n",
    );
    expect(await describeInput(path)).not.toHaveProperty("taxa");
    const folder = join(scratch, "named-set");
    writeDataset(folder, { table: exampleTable(3, 5), provenance: noProvenance });
    const ids = exampleTable(3, 5).asvIds;
    const of = file("set.tsv", ids.map((id, i) => `${id}\tk__Bacteria; g__G${i % 2}\n`).join(""));
    const { taxa } = (await describeInput(folder, { taxonomy: of })) as { taxa?: { names: number } };
    expect(taxa?.names).toBe(2);
  });

  test("of other ASVs, of some, and for what has none", async () => {
    const few = file("few.tsv", "ACGT\tk__Bacteria; g__Blautia\n");
    const path = file("named-classic.tsv", classic);
    expect(describeText(path, await describeInput(path, { taxonomy: few }))).toMatch(
      /83\.33 % not in the taxonomy[\s\S]*few\.tsv lacks 1 of 2 ASVs/,
    );
    expect(describeInput(biom, { taxonomy })).rejects.toThrow("has none of the");
    const tree = file("t.nwk", "(a,b);");
    expect(describeInput(tree, { taxonomy })).rejects.toThrow("t.nwk is neither; leave it out");
  });
});
