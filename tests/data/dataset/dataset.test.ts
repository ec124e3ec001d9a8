import { describe, expect, spyOn, test } from "bun:test";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import {
  exampleDistances,
  exampleTable,
  noProvenance,
  scratchFolder,
} from "../../../lab/material/exampleTable.ts";
import { temporaryName } from "../../../src/common/files/atomicFile.ts";
import { UserError } from "../../../src/common/userError.ts";
import { openDataset, reopenDataset, verifyDataset } from "../../../src/data/dataset/dataset.ts";
import { writeDataset } from "../../../src/data/dataset/write.ts";
import { tokenize } from "../../helpers/tokenize.ts";

const scratch = scratchFolder();
const samples = 39; // odd, like the number of pairs: Arrow pads the columns
const table = exampleTable(samples, 30);
const unweighted = exampleDistances(samples);
unweighted[5] = Number.NaN;
const weighted = Float64Array.from(exampleDistances(samples, 3));
const age = new Float64Array(samples).map((_, i) => (i === 7 ? Number.NaN : i * 1.5));
const codes = new Int32Array(samples).map((_, i) => (i % 4) - 1);
const content = {
  table,
  distances: { unweighted, weighted },
  vectors: { faith_pd: new Float64Array(samples).map((_, i) => i / 3) },
  metadata: [
    { kind: "numeric", name: "age", values: age },
    { kind: "text", name: "body site", codes, categories: ["gut", "tongue é", "skin"] },
  ],
  provenance: {
    sources: [{ role: "table", path: "a.biom", bytes: 3, sha256: "00" }],
    parameters: { rarefyDepth: 10 },
    dropped: [{ what: "samples", reason: "too few reads", count: 1, examples: ["x"] }],
    warnings: ["A warning."],
  },
} as const;
const folder = join(scratch, "whole");
writeDataset(folder, content);

/** What opening a folder says; fails the test if it opens. */
function refusal(path: string, verify = false): string {
  try {
    openDataset(path, { verify });
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as Error).message;
  }
  throw new Error(`${path} was opened`);
}

describe("a data set", () => {
  test("gives back what was written", () => {
    using dataset = openDataset(folder);
    expect(dataset.sampleCount).toBe(samples);
    expect(dataset.asvCount).toBe(30);
    expect(dataset.sampleIds).toEqual(table.sampleIds as string[]);
    expect(dataset.sampleIndex("sample 17")).toBe(17);
    expect(dataset.sampleIndex("nobody")).toBe(-1);
    for (let i = 0; i < samples; i++) {
      const { asvs, counts } = dataset.sample(i);
      expect(asvs).toEqual(table.indices.subarray(table.indptr[i], table.indptr[i + 1]));
      expect([...counts]).toEqual([...table.data.subarray(table.indptr[i], table.indptr[i + 1])]);
      expect(dataset.richness(i)).toBe(asvs.length);
    }
    for (let row = 0; row < 30; row++) {
      expect(dataset.asvSequence(row)).toBe(table.asvIds[row]);
      expect(dataset.asvId(row)).toBe(table.asvIds[row]);
      expect(dataset.asvTokens(row)).toEqual(tokenize(table.asvIds[row]));
    }
    expect([...dataset.vector("faith_pd")]).toEqual(
      Array.from({ length: samples }, (_, i) => Math.fround(i / 3)),
    );
    expect(dataset.manifest.counts).toEqual({
      samples,
      asvs: 30,
      nonzero: table.indices.length,
      longestAsv: Math.max(...table.asvIds.map((id) => id.length + 1)),
    });
    expect(dataset.manifest.sources).toEqual([...content.provenance.sources]);
    expect(dataset.manifest.dropped).toEqual([...content.provenance.dropped] as never);
    expect(dataset.manifest.warnings).toEqual(["A warning."]);
  });

  test("gives distances by pair and by block, unknown ones as NaN", () => {
    using dataset = openDataset(folder);
    const pairs = dataset.distance("unweighted");
    let condensed = 0;
    for (let i = 0; i < samples; i++) {
      for (let j = i + 1; j < samples; j++, condensed++) {
        expect(pairs.between(i, j)).toBe(unweighted[condensed]);
        expect(pairs.between(j, i)).toBe(unweighted[condensed]);
      }
    }
    expect([...dataset.distance("weighted").condensed()]).toEqual([Float32Array.from(weighted)]);
    const order = [3, 38, 0, 6, 3];
    const block = pairs.block(order);
    for (let i = 0; i < 5; i++) {
      for (let j = 0; j < 5; j++) expect(block[i * 5 + j]).toBe(pairs.between(order[i], order[j]));
    }
    expect(pairs.between(0, 6)).toBeNaN();
    expect(block[0 * 5 + 4]).toBe(0);
  });

  test("gives metadata columns, numeric ones without a copy", () => {
    using dataset = openDataset(folder);
    const numeric = dataset.column("age");
    const again = dataset.column("age");
    if (numeric.kind !== "numeric" || again.kind !== "numeric") throw new Error("age is not numeric");
    expect([...numeric.values]).toEqual([...age]);
    expect(numeric.values.buffer).toBe(again.values.buffer);
    expect(dataset.column("body site")).toEqual({
      kind: "text",
      name: "body site",
      codes,
      categories: ["gut", "tongue é", "skin"],
    });
    expect(dataset.manifest.metadata).toEqual([
      { name: "age", kind: "numeric", missing: 1 },
      { name: "body site", kind: "text", missing: 10 },
    ]);
  });

  test("is read by the Arrow library", () => {
    const metadata = tableFromIPC(readFileSync(join(folder, "metadata.arrow")));
    expect([...metadata.getChild("body site")!].slice(0, 5)).toEqual([null, "gut", "tongue é", "skin", null]);
    const first = tableFromIPC(readFileSync(join(folder, "samples.arrow")))
      .get(0)!
      .toJSON();
    expect([...first.asvs]).toEqual([...table.indices.subarray(0, table.indptr[1])]);
  });

  test("keeps ids apart from sequences where they differ", () => {
    const path = join(scratch, "hashes");
    const hashed = { ...table, asvIds: table.asvIds.map((_, i) => `id${i}`) };
    writeDataset(path, { table: hashed, sequences: table.asvIds, provenance: noProvenance });
    using dataset = openDataset(path);
    expect(dataset.asvId(29)).toBe("id29");
    expect(dataset.asvSequence(29)).toBe(table.asvIds[29]);
    expect(dataset.asvTokens(29)).toEqual(tokenize(table.asvIds[29]));
  });

  test("B40: warns of bases that are unknown", () => {
    const manifest = writeDataset(join(scratch, "unknown"), {
      table: { ...exampleTable(3, 2), asvIds: ["ACGT", "ANN-"] },
      provenance: noProvenance,
    });
    expect(manifest.warnings).toEqual([
      "1 of 2 ASVs have 3 positions that are not A, C, G, T or U (N -; first in ASV 2): they are left out of attention. Gaps come of an alignment, and shift what follows them: give the sequences without.",
    ]);
  });

  test("says what it has when something else is asked for", () => {
    using dataset = openDataset(folder);
    expect(() => dataset.distance("euclid")).toThrow(/no distances "euclid": it has unweighted, weighted/);
    expect(() => dataset.vector("x")).toThrow(/it has faith_pd/);
    expect(() => dataset.column("x")).toThrow(/it has age, body site/);
    expect(() => dataset.sample(samples)).toThrow(RangeError);
  });

  test("is spread over several record batches when it is large", () => {
    const path = join(scratch, "large");
    const n = 7_000; // 24.5 million pairs: 98 MB, so two batches that are checked when first used
    const pairs = (n * (n - 1)) / 2;
    function* parts(): Generator<Float32Array> {
      for (let start = 0; start < pairs; start += 999_999) {
        const length = Math.min(999_999, pairs - start);
        yield new Float32Array(length).map((_, i) => start + i);
      }
    }
    const { files } = writeDataset(path, {
      table: exampleTable(n, 20),
      distances: { index: parts() },
      provenance: noProvenance,
    });
    expect(files["distances.arrow"].segments).toHaveLength(3);
    using dataset = openDataset(path);
    const distances = dataset.distance("index");
    expect(distances.between(0, 1)).toBe(0);
    expect(distances.between(n - 2, n - 1)).toBe(Math.fround(pairs - 1));
    expect(distances.between(3_000, 2_000)).toBe(Math.fround(2_000 * n - (2_000 * 2_001) / 2 + 999));

    // A byte of the last batch flips behind the open data set's back and is found when
    // that batch is first used.
    const damaged = openDataset(path);
    flipByte(join(path, "distances.arrow"), 90_000_000);
    expect(damaged.distance("index").between(0, 1)).toBe(0);
    expect(() => damaged.distance("index").between(n - 2, n - 1)).toThrow(/distances\.arrow is damaged/);
    expect(refusal(path, true)).toContain("distances.arrow is damaged");
  });
});

describe("a damaged data set is refused:", () => {
  for (const name of readdirSync(folder)) {
    test(`${name} truncated, changed or missing`, () => {
      const bytes = readFileSync(join(folder, name));
      for (const position of [0, 9, bytes.length >> 1, bytes.length - 11, bytes.length - 1]) {
        const copy = copyOf("flipped");
        flipByte(join(copy, name), position);
        expect(refusal(copy)).toContain(join(copy, name));
      }
      const copy = copyOf("cut");
      truncateSync(join(copy, name), bytes.length - 1);
      expect(refusal(copy)).toMatch(/damaged.*prepare the data set again/);
      rmSync(join(copy, name));
      expect(refusal(copy)).toContain(name);
    });
  }

  test("every byte of the manifest counts", () => {
    const copy = copyOf("manifest");
    const path = join(copy, "manifest.json");
    const text = readFileSync(path);
    for (let position = 0; position < text.length; position += 7) {
      const changed = Buffer.from(text);
      changed[position] ^= 1;
      writeFileSync(path, changed);
      refusal(copy);
    }
  });

  test("another format version", () => {
    const copy = copyOf("version");
    const path = join(copy, "manifest.json");
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replace(/"formatVersion": \d+/, '"formatVersion": 0'));
    expect(refusal(copy)).toMatch(/format version 0.*an older program wrote it; prepare the data set again/);
    writeFileSync(path, text.replace(/"formatVersion": \d+/, '"formatVersion": 99'));
    expect(refusal(copy)).toMatch(/a newer program wrote it/);
  });

  test("no data set at all", () => {
    expect(refusal(join(scratch, "nothing"))).toContain("There is no data set");
    expect(refusal(scratch)).toContain("is not a data set");
    expect(refusal(join(folder, "samples.arrow"))).toContain("is not a data set");
  });

  test("an unfinished one", () => {
    expect(refusal(copyOf("whole.123.0.tmp"))).toContain("unfinished");
  });
});

describe("writing a data set", () => {
  test("replaces an older one and verifies", () => {
    const path = join(scratch, "replaced");
    writeDataset(path, { table: exampleTable(3, 5), provenance: noProvenance });
    using old = openDataset(path);
    writeDataset(path, { table: exampleTable(9, 5), provenance: noProvenance });
    verifyDataset(path);
    using dataset = openDataset(path);
    expect([old.sampleCount, dataset.sampleCount]).toEqual([3, 9]);
    expect(old.sample(2).asvs.length).toBeGreaterThan(0);
  });

  test("refuses a folder with other files, and a file", () => {
    const path = join(scratch, "home");
    mkdirSync(path);
    writeFileSync(join(path, "thesis.txt"), "years of work");
    const write = (to: string) => () => writeDataset(to, { table, provenance: noProvenance });
    expect(write(path)).toThrow(/holds other files; choose another or empty it/);
    expect(write(join(path, "thesis.txt"))).toThrow(/it is a file/);
    expect(readdirSync(path)).toEqual(["thesis.txt"]);
  });

  test("leaves the old data set and nothing else when it fails", () => {
    const path = join(scratch, "failing");
    mkdirSync(path);
    const target = join(path, "set");
    writeDataset(target, { table, provenance: noProvenance });
    function* broken(): Generator<Float32Array> {
      yield new Float32Array(10);
      throw new Error("the computation failed");
    }
    const fail = () => writeDataset(target, { table, distances: { d: broken() }, provenance: noProvenance });
    expect(fail).toThrow("the computation failed");
    expect(readdirSync(path)).toEqual(["set"]);
    expect(openDataset(target).manifest.distances).toEqual([]);
  });

  test("removes what a killed writer left behind", () => {
    const module = join(import.meta.dir, "../../../src/common/files/atomicFile.ts");
    const program = `import { temporaryName } from ${JSON.stringify(module)}; console.write(temporaryName(${JSON.stringify(join(scratch, "cleaned"))}));`;
    const leftover = Bun.spawnSync([process.execPath, "-e", program]).stdout.toString();
    const running = temporaryName(join(scratch, "cleaned"));
    for (const path of [leftover, running]) mkdirSync(path);
    writeDataset(join(scratch, "cleaned"), { table, provenance: noProvenance });
    expect([existsSync(leftover), existsSync(running)]).toEqual([false, true]);
  });

  test("refuses content that does not fit together", () => {
    const write = (more: object) => () =>
      writeDataset(join(scratch, "unfit"), { table, provenance: noProvenance, ...more });
    expect(write({ sequences: ["A"] })).toThrow(RangeError);
    expect(write({ vectors: { x: new Float32Array(3) } })).toThrow(RangeError);
    expect(write({ distances: { x: new Float32Array(3) } })).toThrow(/fewer distances/);
    expect(write({ distances: { x: new Float32Array(10_000) } })).toThrow(/more distances/);
    expect(existsSync(join(scratch, "unfit"))).toBe(false);
  });
});

function copyOf(name: string): string {
  const copy = join(scratch, name);
  rmSync(copy, { recursive: true, force: true });
  cpSync(folder, copy, { recursive: true });
  return copy;
}

function flipByte(path: string, position: number): void {
  const bytes = readFileSync(path);
  bytes[position] ^= 16;
  writeFileSync(path, bytes);
}

test("a data set that may only be read is read without being mapped", () => {
  const map = spyOn(Bun, "mmap").mockImplementation(() => {
    throw Object.assign(new Error("permission denied"), { code: "EACCES" });
  });
  try {
    using dataset = openDataset(folder, { verify: true });
    const read = [dataset.asvSequence(7), dataset.distance("weighted").between(3, 11)];
    expect(map).toHaveBeenCalled();
    map.mockRestore();
    using mapped = openDataset(folder);
    expect(read).toEqual([mapped.asvSequence(7), mapped.distance("weighted").between(3, 11)]);
  } finally {
    map.mockRestore();
  }
});

describe("a data set that others replace", () => {
  const replaced = join(scratch, "replaced");
  const other = { ...content, table: exampleTable(samples, 31) };
  writeDataset(replaced, content);

  test("is opened whole at any moment", async () => {
    const modules = ["lab/material/exampleTable", "src/data/dataset/write"].map((name) =>
      JSON.stringify(join(import.meta.dir, `../../../${name}.ts`)),
    );
    const program = `const { exampleTable } = await import(${modules[0]});
      const { writeDataset } = await import(${modules[1]});
      const content = ${JSON.stringify({ distances: {}, vectors: {}, metadata: [], provenance: noProvenance })};
      const tables = [30, 31].map((asvs) => exampleTable(${samples}, asvs));
      for (let i = 0; i < 40; i++) writeDataset(process.argv[1], { ...content, table: tables[i % 2] });`;
    const writers = Array.from({ length: 2 }, () =>
      Bun.spawn([process.execPath, "-e", program, replaced], { stderr: "inherit", timeout: 110_000 }),
    );
    let opened = 0;
    while (writers.some(({ exitCode, signalCode }) => exitCode === null && signalCode === null)) {
      using dataset = openDataset(replaced);
      expect(dataset.asvCount).toBe(dataset.manifest.counts.asvs);
      opened++;
      await Bun.sleep(0);
    }
    expect(writers.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(opened).toBeGreaterThan(5);
  });

  test("is not taken for the one that another thread or process has opened", () => {
    writeDataset(replaced, content);
    using first = openDataset(replaced);
    reopenDataset(first).close();
    writeDataset(replaced, other);
    expect(() => reopenDataset(first)).toThrow(`${replaced} was replaced while it was in use; start again`);
  });
});
