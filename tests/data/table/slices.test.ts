/** Tables that are read in slices come to what they are as a whole, and so does all that is made of them. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { makeQza } from "../../../lab/material/makeQza.ts";
import { FileBytes } from "../../../src/common/files/fileBytes.ts";
import { prepareDataset } from "../../../src/data/prepare/prepare.ts";
import { simulate } from "../../../src/data/simulate/simulate.ts";
import { openBiomHdf5 } from "../../../src/data/table/biomHdf5.ts";
import { summarizeDepths } from "../../../src/data/table/depths.ts";
import { dropEmpty, dropEmptySlices } from "../../../src/data/table/dropEmpty.ts";
import { mergeTables } from "../../../src/data/table/merge.ts";
import { rarefy, rarefySlices } from "../../../src/data/table/rarefy.ts";
import { openTable, readTableBytes } from "../../../src/data/table/read.ts";
import { selectSamples } from "../../../src/data/table/select.ts";
import { gather, inOneSlice, type TableSlices } from "../../../src/data/table/slices.ts";
import type { Table } from "../../../src/data/table/table.ts";
import { writeBiom } from "../../../src/data/table/writeBiom.ts";
import { useScratch } from "../../helpers/scratch.ts";
import { encodeStored, storedSmall, tableFixture } from "../../helpers/tableFixtures.ts";

const scratch = useScratch();
const { table } = simulate({ samples: 40, asvs: 80, depth: 300, richness: 20, length: 40 });

/** So many samples at a time. */
function inSlices(whole: Table, size: number): TableSlices {
  const starts = whole.sampleIds.map((_, i) => i).filter((i) => i % size === 0);
  const slice = (start: number) =>
    selectSamples(
      whole,
      whole.sampleIds.map((_, i) => i).filter((i) => i >= start && i < start + size),
    );
  return { ...inOneSlice(whole), slices: () => starts.map(slice) };
}

describe("a BIOM file in slices", () => {
  test.each([
    ..."contiguous compact gzip-shuffle lzf data-i8 indices-int64 chunk-beyond-data many-chunks-tree".split(
      " ",
    ),
    ..."many-chunks-extensible-array single-chunk-gzip implicit-index userblock no-samples empty".split(" "),
    ..."only-sample-matrix only-observation-matrix".split(" "),
  ])("%s, from memory and from the disk", (name) => {
    const bytes = tableFixture(name);
    const path = scratch.write(`${name}.biom`, bytes);
    const whole = readTableBytes(bytes, "t.biom").table;
    for (const source of [bytes, new FileBytes(path)])
      for (const cells of [1, 3, 7]) {
        const biom = openBiomHdf5(source, path, cells);
        const slices = [...biom.slices()];
        if (cells === 1 && whole.sampleIds.length > 0 && name !== "only-observation-matrix")
          expect(slices).toHaveLength(whole.sampleIds.length);
        expect(gather(biom, slices)).toEqual(whole);
        expect(gather(biom, biom.checkedSlices())).toEqual(whole);
      }
  });

  test("of a later slice an entry is named by its place in the file", () => {
    const indices = Int32Array.of(0, 2, 1, 2, 0, 2, 4);
    const file = encodeStored({ ...storedSmall, sample: { ...storedSmall.sample, indices } });
    const biom = openBiomHdf5(file, "t.biom", 2);
    expect(() => [...biom.slices()]).toThrow('has 4 at entry 7 (sample "S3"), expected 0 to 3');
  });

  test("whose orientations disagree is refused at the end of the first pass", () => {
    const data = Float64Array.of(1, 2, 3, 4, 9, 6, 7);
    const file = encodeStored({ ...storedSmall, observation: { ...storedSmall.observation, data } });
    const biom = openBiomHdf5(file, "t.biom", 2);
    expect(gather(biom).data).toHaveLength(7);
    expect(() => [...biom.checkedSlices()]).toThrow('disagree at sample "S2" and ASV "GGGTACGTAT"');
  });

  test("that is written to meanwhile is refused", async () => {
    const path = scratch.path("changed.biom");
    const { table: large } = simulate({ samples: 400, asvs: 80, depth: 300, richness: 20, length: 40 });
    writeBiom(path, large, { gzip: 0 });
    const opened = await openTable(path);
    writeBiom(path, { ...large, data: large.data.map((count) => count + 1) }, { gzip: 0 });
    expect(() => [...opened.firstSlices()]).toThrow(`${path} was changed while it was read`);
  });
});

describe("in slices of 1, 7 and 40 samples", () => {
  const sizes = [1, 7, 40];
  const holey = { ...table, data: table.data.map((count, i) => (i < 60 || i % 3 === 0 ? 0 : count)) };

  test("what is empty is dropped", () => {
    const expected = dropEmpty(holey);
    expect(expected.sampleIds.length).toBeLessThan(40);
    for (const size of sizes) {
      const dropped = dropEmptySlices(inSlices(holey, size));
      expect(gather(dropped)).toEqual(expected);
      expect(dropped.emptySamples).toEqual(table.sampleIds.filter((id) => !expected.sampleIds.includes(id)));
      expect(dropped.emptyAsvs).toEqual(table.asvIds.filter((id) => !expected.asvIds.includes(id)));
    }
  });

  test("the same counts are drawn, with replacement and without", () => {
    for (const withReplacement of [false, true]) {
      const options = { depth: 250, seed: 5, withReplacement };
      const expected = rarefy(table, options);
      expect(expected.report.droppedSamples.length).toBeGreaterThan(0);
      for (const size of sizes) expect(rarefySlices(inSlices(table, size), options)).toEqual(expected);
    }
  });

  test("depths keep the same", () => {
    const expected = summarizeDepths(inOneSlice(table), 250);
    for (const size of sizes) expect(summarizeDepths(inSlices(table, size), 250)).toEqual(expected);
  });

  test("tables are merged to the same", () => {
    const merged = (size: number) =>
      mergeTables(
        [table, { ...table, sampleIds: table.sampleIds.map((id) => `${id}b`) }].map((one, i) => ({
          table: inSlices(one, size),
          sequences: i === 0 ? one.asvIds : one.asvIds.toReversed(),
          source: `${i}`,
        })),
      );
    const whole = gather(merged(40).table);
    expect(whole.sampleIds).toHaveLength(80);
    for (const size of sizes) expect(gather(merged(size).table)).toEqual(whole);
  });
});

describe("prep", () => {
  test("comes to the same from files on the disk and from packed ones", async () => {
    const path = scratch.path("study.biom");
    writeBiom(path, table);
    const packed = [
      scratch.write("study.biom.gz", gzipSync(readFileSync(path))),
      scratch.write(
        "study.qza",
        makeQza("FeatureTable[Frequency]", { "feature-table.biom": readFileSync(path) }),
      ),
    ];
    for (const source of [path, ...packed]) await prepareDataset({ table: source, seed: 2 }, `${source}.set`);
    for (const source of packed) {
      for (const name of ["samples.arrow", "asvs.arrow"])
        expect(readFileSync(`${path}.set/${name}`).equals(readFileSync(`${source}.set/${name}`))).toBe(true);
      // As one with too many bytes for memory.
      using opened = await openTable(source, 1000);
      expect(gather(opened, opened.firstSlices())).toEqual(table);
      expect(gather(opened)).toEqual(table);
    }
  });

  test("leaves nothing of a table whose faults show late", async () => {
    const cut = scratch.path("cut.biom");
    writeBiom(cut, table);
    writeFileSync(cut, readFileSync(cut).subarray(0, -100));
    const data = Float64Array.of(1, 2, 3, 4, 5, 6, 8);
    const other = { ...storedSmall, observation: { ...storedSmall.observation, data } };
    const odd = scratch.write("odd.biom", encodeStored(other));
    const output = scratch.path("nothing");
    for (const [path, message] of [
      [
        cut,
        /cut\.biom is a damaged HDF5 file \(it is cut off: \d+ of \d+ bytes are there\); obtain the file again\.$/,
      ],
      [odd, /odd\.biom: sample\/matrix .* disagree at sample "S3" .*make it anew\.$/],
    ] as const)
      await expect(prepareDataset({ table: path }, output)).rejects.toThrow(message);
    expect(readdirSync(scratch.path(".")).filter((name) => name.includes("nothing"))).toEqual([]);
  });
});
