import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { makeQza } from "../../../lab/material/makeQza.ts";
import { readTree } from "../../../src/data/tree/read.ts";
import { summarizeTree } from "../../../src/data/tree/shape.ts";
import { outsideData } from "../../helpers/outsideData.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const artifact = (type: string, files: Record<string, string>) =>
  makeQza(type, Object.fromEntries(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)])));

describe("readTree", () => {
  test("reads plain and gzipped text, whatever the file is called", () => {
    for (const content of ["(a:1,b:2)r;", gzipSync("(a:1,b:2)r;")]) {
      expect([...readTree(scratch.write("tree.txt", content)).names]).toEqual(["r", "a", "b"]);
    }
  });

  test("reads rooted and unrooted artifacts", () => {
    const files = { "tree.nwk": "(a:1,b:2,c:3);\n" };
    expect(readTree(scratch.write("r.qza", artifact("Phylogeny[Rooted]", files))).rooted).toBe(true);
    expect(readTree(scratch.write("u.qza", artifact("Phylogeny[Unrooted]", files))).rooted).toBe(false);
  });

  test("says what is wrong with a file", () => {
    const other = scratch.write("o.qza", artifact("FeatureTable[Frequency]", { "feature-table.biom": "" }));
    expect(() => readTree(other)).toThrow("type FeatureTable[Frequency], not a tree");
    const broken = scratch.write("b.qza", artifact("Phylogeny[Rooted]", { "tree.nwk": "(a:1,\nb:x);" }));
    expect(() => readTree(broken)).toThrow(`${broken} (data/tree.nwk), line 2, column 3`);
    expect(() => readTree(scratch.path("none.nwk"))).toThrow("there is no such file");
    expect(() => readTree(scratch.path(""))).toThrow("it is a folder");
    expect(() => readTree(scratch.write("bad.nwk", new Uint8Array([40, 0xff, 41])))).toThrow("not UTF-8");
    const cut = scratch.write("cut.nwk.gz", gzipSync("(a:1,b:2)r;").subarray(0, 15));
    expect(() => readTree(cut)).toThrow("damaged gzip");
  });

  test.skipIf(!existsSync(outsideData))("reads the real trees", () => {
    expect(summarizeTree(readTree(`${outsideData}/oral/oral_2550.nwk`))).toMatchObject({
      tips: 5574,
      nodes: 11147,
    });
    const artifactTree = readTree(`${outsideData}/moving-pictures/rooted-tree.qza`);
    expect(artifactTree.rooted).toBe(true);
    expect(summarizeTree(artifactTree).unnamedTips).toBe(0);
    for (const name of [
      "ecam-10249/ecam-2679.nwk",
      "gemelli-small/test-small-tree.nwk",
      "unifrac-tests/crawford.tre",
    ]) {
      expect(summarizeTree(readTree(`${outsideData}/${name}`)).tips).toBeGreaterThan(300);
    }
  });
});
