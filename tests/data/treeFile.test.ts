import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { readTree } from "../../src/data/treeFile.ts";
import { summarizeTree } from "../../src/data/treeShape.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "trees-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function artifact(type: string, files: Record<string, string>): Uint8Array {
  const uuid = "00000000-0000-4000-8000-000000000001";
  const entries = {
    "metadata.yaml": `uuid: ${uuid}\ntype: ${type}\nformat: NewickDirectoryFormat\n`,
    ...Object.fromEntries(Object.entries(files).map(([name, text]) => [`data/${name}`, text])),
  };
  return zipSync(
    Object.fromEntries(
      Object.entries(entries).map(([name, text]) => [`${uuid}/${name}`, new TextEncoder().encode(text)]),
    ),
  );
}

describe("readTree", () => {
  test("reads plain and gzipped text, whatever the file is called", () => {
    for (const content of ["(a:1,b:2)r;", gzipSync("(a:1,b:2)r;")]) {
      expect([...readTree(write("tree.txt", content)).names]).toEqual(["r", "a", "b"]);
    }
  });

  test("reads rooted and unrooted artifacts", () => {
    const files = { "tree.nwk": "(a:1,b:2,c:3);\n" };
    expect(readTree(write("r.qza", artifact("Phylogeny[Rooted]", files))).rooted).toBe(true);
    expect(readTree(write("u.qza", artifact("Phylogeny[Unrooted]", files))).rooted).toBe(false);
  });

  test("says what is wrong with a file", () => {
    const other = write("o.qza", artifact("FeatureTable[Frequency]", { "feature-table.biom": "" }));
    expect(() => readTree(other)).toThrow("type FeatureTable[Frequency], not a tree");
    const broken = write("b.qza", artifact("Phylogeny[Rooted]", { "tree.nwk": "(a:1,\nb:x);" }));
    expect(() => readTree(broken)).toThrow(`${broken} (data/tree.nwk), line 2, column 3`);
    expect(() => readTree(join(folder, "none.nwk"))).toThrow("there is no such file");
    expect(() => readTree(folder)).toThrow("it is a folder");
    expect(() => readTree(write("bad.nwk", new Uint8Array([40, 0xff, 41])))).toThrow("not UTF-8");
    const cut = write("cut.nwk.gz", gzipSync("(a:1,b:2)r;").subarray(0, 15));
    expect(() => readTree(cut)).toThrow("damaged gzip");
  });

  const shared = join(import.meta.dir, "../../../shared/data");
  test.skipIf(!existsSync(shared))("reads the real trees", () => {
    expect(summarizeTree(readTree(`${shared}/oral/oral_2550.nwk`))).toMatchObject({
      tips: 5574,
      nodes: 11147,
    });
    const artifactTree = readTree(`${shared}/moving-pictures/rooted-tree.qza`);
    expect(artifactTree.rooted).toBe(true);
    expect(summarizeTree(artifactTree).unnamedTips).toBe(0);
    for (const name of [
      "ecam-10249/ecam-2679.nwk",
      "gemelli-small/test-small-tree.nwk",
      "unifrac-tests/crawford.tre",
    ]) {
      expect(summarizeTree(readTree(`${shared}/${name}`)).tips).toBeGreaterThan(300);
    }
  });
});
