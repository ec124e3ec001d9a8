/**
 * Artifacts that are written hold what QIIME 2's framework demands; another program, Python's zipfile,
 * opens them.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { makeQza, qzaUuid } from "../../../lab/material/makeQza.ts";
import { readDistances } from "../../../src/data/distances/read.ts";
import { readSampleVector, writeSampleVectorArtifact } from "../../../src/data/distances/sampleVector.ts";
import { writeSquare } from "../../../src/data/distances/squareFile.ts";
import { squareOf, writeSquareTsv } from "../../../src/data/distances/write.ts";
import { readTableWithNotes } from "../../../src/data/table/read.ts";
import { writeTableArtifact } from "../../../src/data/table/writeBiom.ts";
import type { Action } from "../../../src/formats/qiime2/action.ts";
import { writeArtifact } from "../../../src/formats/qiime2/write.ts";
import { openQzaBytes } from "../../../src/formats/qza.ts";
import { openZip } from "../../../src/formats/zip/read.ts";
import { zipBytes } from "../../../src/formats/zip/write.ts";
import {
  probabilityColumns,
  writeAttentionArtifact,
  writePredictionArtifact,
  writeProbabilityArtifact,
} from "../../../src/training/targets/resultArtifacts.ts";
import { checkArtifact, python } from "../../helpers/checkArtifact.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const ids = ["S1", "S2", "S3"];
const matrix = {
  ids,
  precision: "float64" as const,
  rows: () =>
    [
      [0, 0.25, 1],
      [0.25, 0, 0.5],
      [1, 0.5, 0],
    ].map((row) => Float64Array.from(row)),
};

const action = (inputs: ReturnType<Action["inputs"]>, path: string): Action => ({
  name: "table-filter",
  commandLine: 'aam table filter --where "site=left: palm"',
  inputs: () => inputs,
  outputs: [["output", path]],
  parameters: { where: "site=left: palm", min_count: 3, on: "yes", list: ["a", "b"], nothing: null },
  start: new Date(),
});

describe("the zip archive", () => {
  test("deflates members of many parts in one pass, beside stored ones", () => {
    const line = new TextEncoder().encode("all work and no play makes a dull matrix\n".repeat(5000));
    let asked = 0;
    const sources = [
      {
        name: "long",
        *parts() {
          asked++;
          const buffer = line.slice();
          // A part may be in the memory of the one before.
          for (let i = 0; i < 30; i++) {
            buffer[0] = 65 + i;
            yield buffer;
          }
        },
      },
      { name: "stored", size: 3, parts: () => [new Uint8Array([1, 2, 3])] },
      { name: "empty", parts: () => [] },
    ];
    const bytes = new Uint8Array(Buffer.concat([...zipBytes(sources)]));
    expect([asked, bytes.length < 100_000]).toEqual([1, true]);
    const zip = openZip(bytes, "t.zip");
    const long = zip.read("long");
    expect(long.length).toBe(30 * line.length);
    expect(Array.from({ length: 30 }, (_, i) => long[i * line.length] - 65)).toEqual([...Array(30).keys()]);
    expect(zip.read("stored")).toEqual(new Uint8Array([1, 2, 3]));
    expect(zip.read("empty").length).toBe(0);
  });
});

describe("what is read back here", () => {
  test("distances, numbers by sample and tables are what was written", async () => {
    const [d, v, t] = ["d.qza", "v.qza", "t.qza"].map((name) => scratch.path(name));
    await writeSquare(d, matrix);
    expect(readDistances(d).values).toEqual(Float64Array.of(0.25, 1, 0.5));
    writeSampleVectorArtifact(v, { ids, values: Float64Array.of(1, 2.5, 3) }, "faith_pd");
    expect(readSampleVector(v)).toEqual({ ids, values: Float64Array.of(1, 2.5, 3) });
    const table = {
      sampleIds: ids,
      asvIds: ["a", "b"],
      indptr: Int32Array.of(0, 1, 3, 4),
      indices: Int32Array.of(1, 0, 1, 0),
      data: Float64Array.of(5, 1, 2, 7),
    };
    writeTableArtifact(t, table);
    expect((await readTableWithNotes(t)).table).toEqual(table);
  });

  test("the text of a distance matrix is that of the .tsv file", async () => {
    const [tsv, qza] = [scratch.path("d.tsv"), scratch.path("d2.qza")];
    writeSquareTsv(tsv, squareOf({ ids, values: Float64Array.of(0.25, 1, 0.5) }));
    await writeSquare(qza, matrix);
    const artifact = openQzaBytes(new Uint8Array(readFileSync(qza)), qza);
    expect(text(artifact.file("distance-matrix.tsv"))).toBe(readFileSync(tsv, "utf8"));
    expect([artifact.type, artifact.format]).toEqual(["DistanceMatrix", "DistanceMatrixDirectoryFormat"]);
  });

  test("the same content gives the same data and another UUID", () => {
    const [a, b] = ["a.qza", "b.qza"].map((name) => {
      const path = scratch.path(name);
      const uuid = writeArtifact(path, "PCoAResults", "text\n");
      const artifact = openQzaBytes(new Uint8Array(readFileSync(path)), path);
      expect(artifact.uuid).toBe(uuid);
      return artifact;
    });
    expect(a.uuid).not.toBe(b.uuid);
    expect(a.file("ordination.txt")).toEqual(b.file("ordination.txt"));
  });

  test("an id with a tab is refused, and nothing is written", async () => {
    const path = scratch.path("torn.qza");
    const torn = async () => writeSquare(path, { ...matrix, ids: ["a", "b\tc", "d"] });
    expect(torn()).rejects.toThrow("contains a tab");
    expect(await Bun.file(path).exists()).toBe(false);
  });
});

describe.skipIf(python === undefined)("what Python's zipfile opens", () => {
  test("provenance names the command, its parameters and inputs, and holds the inputs' own", () => {
    const files = { "feature-table.biom": new Uint8Array([1, 2]) };
    const input = scratch.path("input.qza");
    // Real ones have their own action, and an ancestor's.
    const whole = openZip(makeQza("FeatureTable[Frequency]", files), "input");
    const more: Record<string, string> = {
      [`${qzaUuid}/provenance/VERSION`]: "QIIME 2\narchive: 5\nframework: 2020.8.0\n",
      [`${qzaUuid}/provenance/metadata.yaml`]: `uuid: ${qzaUuid}\n`,
      [`${qzaUuid}/provenance/action/action.yaml`]: "action:\n    type: import\n",
    };
    const encoder = new TextEncoder();
    const sources = [
      ...whole.names.map((name) => ({ name, parts: () => [whole.read(name)] })),
      ...Object.entries(more).map(([name, own]) => ({ name, parts: () => [encoder.encode(own)] })),
    ];
    scratch.write("input.qza", new Uint8Array(Buffer.concat([...zipBytes(sources)])));
    const metadata = scratch.write("metadata.tsv", "sample-id\tsite\nS1\tgut\n");
    const plain = scratch.write("tree.nwk", "(a,b);");
    const path = scratch.path("filtered.qza");
    const inputs = [
      ["table", input],
      ["metadata", metadata],
      ["tree", plain],
      ["model", scratch.path(".")],
    ] as const;
    writeArtifact(path, "SampleData[AlphaDiversity]", "\tshannon\nS1\t1.5\n", action(inputs, path));
    const found = checkArtifact(path);
    expect(found).toMatchObject({
      type: "SampleData[AlphaDiversity]",
      format: "AlphaDiversityDirectoryFormat",
      inputs: [qzaUuid],
      data: { "data/alpha-diversity.tsv": "\tshannon\nS1\t1.5\n" },
    });
    expect(found.names).toContain("provenance/artifacts/other/data/feature-table.biom");
    expect(found.names).toContain("provenance/action/metadata.tsv");
    expect(found.names).not.toContain(`provenance/artifacts/${qzaUuid}/artifacts/other`);
    for (const line of [
      'plugin: !ref "environment:plugins:aam"',
      'action: "table_filter"',
      'command-line: "aam table filter --where \\"site=left: palm\\""',
      '- where: "site=left: palm"',
      "- min_count: 3",
      '- on: "yes"',
      "- nothing: null",
      '- metadata: !metadata "metadata.tsv"',
      `md5sum: "${new Bun.CryptoHasher("md5").update("(a,b);").digest("hex")}"`,
      `- model: "${scratch.path(".")}"`,
      'output-name: "output"',
    ])
      expect(found.action).toContain(line);
  });

  test("artifacts of every type keep QIIME 2's format and file name", async () => {
    const at = (name: string) => scratch.path(`${name}.qza`);
    const numbers = {
      kind: "numbers",
      column: "age",
      predicted: Float64Array.of(1, 2.5, 3),
      quantiles: null,
    } as const;
    const classes = {
      kind: "classes",
      column: "site",
      classes: ["gut", "palm"],
      predicted: Int32Array.of(1, 0, 1),
      probabilities: Float64Array.of(0.25, 0.75, 0.5, 0.5, 0, 1),
    } as const;
    await writeSquare(at("distances"), matrix);
    writePredictionArtifact(at("numbers"), ids, numbers);
    writePredictionArtifact(at("classes"), ids, classes);
    writeProbabilityArtifact(at("shares"), probabilityColumns(ids, classes));
    writeAttentionArtifact(at("attention"), [
      { name: "sample_id", values: ["S2", "S2", "S1"] },
      { name: "asv_id", values: ["b", "a", "b"] },
      { name: "count", values: Float64Array.of(4, 1, 2) },
      { name: "weight", values: Float64Array.of(0.75, 0.25, 1) },
    ]);
    writeArtifact(scratch.path("page.qzv"), "Visualization", "<!doctype html>");
    const found = (path: string) => {
      const { type, format, data } = checkArtifact(path);
      return [type, format, data];
    };
    expect(found(at("distances"))).toEqual([
      "DistanceMatrix",
      "DistanceMatrixDirectoryFormat",
      { "data/distance-matrix.tsv": "\tS1\tS2\tS3\nS1\t0\t0.25\t1\nS2\t0.25\t0\t0.5\nS3\t1\t0.5\t0\n" },
    ]);
    expect(found(at("numbers"))).toEqual([
      "SampleData[RegressorPredictions]",
      "PredictionsDirectoryFormat",
      { "data/predictions.tsv": "SampleID\tprediction\nS1\t1\nS2\t2.5\nS3\t3\n" },
    ]);
    expect(found(at("classes"))).toEqual([
      "SampleData[ClassifierPredictions]",
      "PredictionsDirectoryFormat",
      { "data/predictions.tsv": "SampleID\tprediction\nS1\tpalm\nS2\tgut\nS3\tpalm\n" },
    ]);
    expect(found(at("shares"))).toEqual([
      "SampleData[Probabilities]",
      "ProbabilitiesDirectoryFormat",
      { "data/class_probabilities.tsv": "SampleID\tgut\tpalm\nS1\t0.25\t0.75\nS2\t0.5\t0.5\nS3\t0\t1\n" },
    ]);
    expect(found(at("attention")).slice(0, 2)).toEqual(["FeatureTable[RelativeFrequency]", "BIOMV210DirFmt"]);
    const { table } = await readTableWithNotes(at("attention"));
    expect([table.sampleIds, table.asvIds, [...table.data]]).toEqual([
      ["S2", "S1"],
      ["b", "a"],
      [0.75, 0.25, 1],
    ]);
    expect(found(scratch.path("page.qzv"))).toEqual([
      "Visualization",
      "null",
      { "data/index.html": "<!doctype html>" },
    ]);
  });
});
