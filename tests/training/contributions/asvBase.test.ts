import { beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { type Dataset, openDataset } from "../../../src/data/dataset/dataset.ts";
import { prepareDataset } from "../../../src/data/prepare/prepare.ts";
import { baseOfSamples, readBase, writeBase } from "../../../src/training/contributions/asvBase.ts";
import { asvId, plantedStudy } from "../../helpers/plantedStudy.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
let dataset: Dataset;
beforeAll(async () => {
  dataset = openDataset((await plantedStudy(scratch.path("study"), 12, 6)).folder);
});

describe("the base of training samples", () => {
  test("is read for other samples: ASVs are known by their sequences, whatever their ids", async () => {
    const train = Int32Array.of(0, 1, 2, 3, 4, 5, 6);
    const base = baseOfSamples(dataset, train, {});
    const path = scratch.path("base.tsv");
    writeBase(path, dataset, base, 150);
    // The second ASV is missing, the others are turned round, and a new one is there.
    const ids = [5, 4, 3, 2, 0, 999];
    const sequences = scratch.write(
      "sequences.fasta",
      ids.map((asv) => `>hash${asv}\n${asvId(asv)}${asv === 999 ? "TTTT" : ""}\n`).join(""),
    );
    const table = scratch.write(
      "table.tsv",
      ["#OTU ID\tx\ty", ...ids.map((asv) => `hash${asv}\t3\t4`)].join("\n"),
    );
    const folder = scratch.path("other");
    await prepareDataset({ table, repSeqs: sequences, rarefyDepth: "none" }, folder);
    using other = openDataset(folder);
    const read = readBase(path, other, 150);
    expect(read.asvCount).toBe(7);
    const names = Array.from({ length: 7 }, (_, asv) => read.asvId(asv));
    expect(names.slice(0, 6).sort()).toEqual(ids.map((asv) => `hash${asv}`).sort());
    expect(names[6]).toBe(asvId(1));
    names.forEach((name, at) => {
      const asv = name === asvId(1) ? 1 : Number(name.slice(4));
      const own = dataset.asvIds().indexOf(asvId(asv));
      expect(read.presence[at]).toBeCloseTo(asv === 999 ? 0 : base.presence[own], 7);
      expect(read.shares[at]).toBeCloseTo(asv === 999 ? 0 : base.shares[own], 7);
      if (asv !== 999) expect([...read.asvTokens(at)]).toEqual([...dataset.asvTokens(own)]);
    });
    // A model that reads few bases takes ASVs that begin alike for one; nothing is lost of either.
    const short = readBase(path, other, 2);
    const total = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0);
    expect(total(short.shares)).toBeCloseTo(1, 6);
    expect(total(short.presence)).toBeCloseTo(total(base.presence), 6);
    // A sample has each to a degree of 1 at most, and the same data set's ASVs are its own again.
    expect(Math.max(...short.presence)).toBeLessThanOrEqual(1);
    expect([...readBase(path, dataset, 1).presence]).toEqual(
      [...base.presence].map((presence) => expect.closeTo(presence, 7)),
    );
  });

  test("that is missing or spoilt is told with the file and the line", () => {
    expect(() => readBase(scratch.path("none.tsv"), dataset, 150)).toThrow(/none.tsv is missing.*--model/);
    const spoilt = scratch.path("spoilt.tsv");
    writeFileSync(spoilt, "asv_id\tsequence\tpresence\tshare\na\tACGT\t0.5\t0.1\nb\tACGT\tmany\t0.1\n");
    expect(() => readBase(spoilt, dataset, 150)).toThrow(/spoilt.tsv, line 3: expected asv_id, sequence/);
    writeFileSync(spoilt, "id\tsequence\n");
    expect(() => readBase(spoilt, dataset, 150)).toThrow(/spoilt.tsv, line 1/);
  });
});
