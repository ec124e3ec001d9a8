import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { scratchFolder } from "../../../lab/material/exampleTable.ts";
import { makeQza } from "../../../lab/material/makeQza.ts";
import { openDataset, verifyDataset } from "../../../src/data/dataset/dataset.ts";
import { prepareCached } from "../../../src/data/prepare/cached.ts";
import type { MetricFunction } from "../../../src/data/prepare/computeMetric.ts";
import type { PrepareOptions } from "../../../src/data/prepare/options.ts";
import { prepareDataset } from "../../../src/data/prepare/prepare.ts";
import { simulate, writeSimulation } from "../../../src/data/simulate/simulate.ts";
import { sampleTotals } from "../../../src/data/table/select.ts";
import type { Table } from "../../../src/data/table/table.ts";
import { writeBiom } from "../../../src/data/table/writeBiom.ts";
import { midpointRoot } from "../../../src/data/tree/midpointRoot.ts";
import { readTree } from "../../../src/data/tree/read.ts";
import { writeNewick } from "../../../src/data/tree/writeNewick.ts";

const scratch = scratchFolder();
const study = simulate({ samples: 30, asvs: 60, depth: 300, richness: 20, length: 40 });
const files = writeSimulation(join(scratch, "study"), study);
const totals = [...sampleTotals(study.table)];

/**
 * Distances from which the test can tell for which samples they were computed: the sum of
 * the two samples' totals.
 */
const sums: MetricFunction = (metric, table, tree) => {
  const tips = new Set(tree.names);
  if (!table.asvIds.every((id) => tips.has(id))) throw new Error("an ASV is no tip");
  const rowTotals = sampleTotals(table);
  if (metric === "faith_pd") return rowTotals;
  const pairs: number[] = [];
  rowTotals.forEach((a, i) => {
    for (const b of rowTotals.subarray(i + 1)) pairs.push(a + b);
  });
  return Float64Array.from(pairs);
};

function writeTable(name: string, table: Table): string {
  const path = join(scratch, name);
  writeBiom(path, table, { creationDate: new Date(0) });
  return path;
}

function writeText(name: string, text: string): string {
  const path = join(scratch, name);
  writeFileSync(path, text);
  return path;
}

let outputs = 0;
async function prepared(options: PrepareOptions) {
  const folder = join(scratch, `out${outputs++}`);
  await prepareDataset(options, folder, sums);
  return openDataset(folder);
}

describe("prepareDataset", () => {
  test("turns table, tree and metadata into a data set", async () => {
    const dataset = await prepared({ ...files, rarefyDepth: "none", metrics: ["unweighted", "faith_pd"] });
    expect(dataset.sampleIds).toEqual(study.table.sampleIds as string[]);
    expect(dataset.asvSequence(3)).toBe(study.table.asvIds[3]);
    expect(dataset.distance("unweighted").between(2, 5)).toBe(totals[2] + totals[5]);
    expect([...dataset.vector("faith_pd")]).toEqual(totals);
    const ph = dataset.column("ph");
    expect(ph.kind === "numeric" && [...ph.values]).toEqual(study.samples.map((sample) => sample.ph));
    const site = dataset.column("site");
    if (site.kind !== "text") throw new Error("site is not text");
    expect(site.categories).toEqual(["forest", "meadow", "shore"]);
    expect(Array.from(site.codes, (code) => site.categories[code])).toEqual(study.samples.map((s) => s.site));
    const { sources, parameters } = dataset.manifest;
    expect(sources.map(({ role, path }) => [role, path])).toEqual(
      (["table", "tree", "metadata"] as const).map((role) => [role, files[role]]),
    );
    expect(sources[0].sha256).toBe(
      new Bun.CryptoHasher("sha256").update(readFileSync(files.table)).digest("hex"),
    );
    expect(parameters).toMatchObject({ metrics: "unweighted,faith_pd", rarefyDepth: "none" });
    expect(dataset.manifest.warnings).toEqual([]);
  });

  test("a tree that says it is unrooted is rooted at its midpoint, which a warning tells", async () => {
    const content = new TextEncoder().encode(readFileSync(files.tree, "utf8"));
    const unrooted = join(scratch, "unrooted.qza");
    writeFileSync(unrooted, makeQza("Phylogeny[Unrooted]", { "tree.nwk": content }));
    const rooted = writeText("midpoint.nwk", writeNewick(midpointRoot(readTree(files.tree), files.tree)));
    const trees: unknown[] = [];
    const keepTree: MetricFunction = (metric, table, tree, options) => {
      trees.push([tree.names, tree.length, tree.parent]);
      return sums(metric, table, tree, options);
    };
    for (const [i, tree] of [unrooted, rooted, files.tree].entries())
      await prepareDataset({ ...files, tree, rarefyDepth: "none" }, join(scratch, `root${i}`), keepTree);
    expect(trees[0]).toEqual(trees[1]);
    expect(trees[0]).not.toEqual(trees[2]);
    using dataset = openDataset(join(scratch, "root0"));
    expect(dataset.manifest.warnings).toEqual([expect.stringContaining("says that it is unrooted")]);
  });

  test("B38: rarefies, and reports what that drops", async () => {
    const depth = [...totals].sort((a, b) => a - b)[4];
    const dataset = await prepared({ ...files, rarefyDepth: depth, seed: 3 });
    expect(dataset.sampleCount).toBe(26);
    for (let i = 0; i < 26; i++) expect(dataset.sample(i).counts.reduce((a, b) => a + b)).toBe(depth);
    expect(dataset.distance("unweighted").between(0, 1)).toBe(2 * depth);
    const lost = study.table.sampleIds.filter((_, i) => totals[i] < depth);
    expect(dataset.manifest.dropped).toContainEqual({
      what: "samples",
      reason: `fewer than ${depth} counts`,
      count: 4,
      examples: lost,
    });
    expect(dataset.manifest.dropped).toContainEqual({
      what: "metadata rows",
      reason: "not among the samples of the data set",
      count: 4,
      examples: lost,
    });
  });

  test("chooses a depth itself and says so, but leaves equal depths alone", async () => {
    const chosen = await prepared({ ...files });
    const falling = [...totals].sort((a, b) => b - a);
    // Of the depths that keep nine of ten.
    const kept = falling.map((depth, i) => (i + 1 < 27 ? 0 : depth * (i + 1)));
    const samples = kept.lastIndexOf(Math.max(...kept)) + 1;
    expect(chosen.sampleCount).toBe(samples);
    expect(chosen.manifest.parameters.rarefyDepth).toBe(falling[samples - 1]);
    expect(chosen.manifest.warnings[0]).toContain(`${samples} of its 30 samples have`);
    expect(chosen.manifest.warnings[0]).toContain(`; ${30 - samples} of all 30 samples are left out. When`);
    const row = chosen.manifest.depths?.rows.find(({ depth }) => depth === falling[samples - 1]);
    expect(row).toMatchObject({ samples, counts: Math.max(...kept) });
    const even = {
      ...study.table,
      data: study.table.data.map((count, i) => (i < study.table.indptr[1] ? count : 1)),
    };
    const indptr = Int32Array.of(0, 5, 10);
    const equal = { ...even, sampleIds: ["a", "b"], indptr, data: new Float64Array(10).fill(2) };
    const same = await prepared({
      table: writeTable("equal.biom", { ...equal, indices: even.indices.slice(0, 10) }),
    });
    expect(same.manifest.parameters.rarefyDepth).toBe("none");
    expect(same.manifest.warnings).toEqual([]);
  });

  test("says of which samples a depth keeps nine of ten, where some have few counts", async () => {
    const table = { ...study.table, data: study.table.data.slice() };
    for (let i = 0; i < table.data.length; i++)
      table.data[i] = i < table.indptr[6] ? Math.min(1, table.data[i]) : 1000 * table.data[i];
    const { sampleCount, manifest } = await prepared({ table: writeTable("failed.biom", table) });
    expect(sampleCount).toBeLessThan(25);
    expect(manifest.warnings[0]).toContain(
      `which ${sampleCount} of the 24 samples with at least 1000 counts have: the depth that keeps the most counts and nine of ten of these; ${30 - sampleCount} of all 30 samples are left out.`,
    );
  });

  test("finds hashed ids in the tree and their sequences in a FASTA file", async () => {
    const hash = (id: string) => new Bun.CryptoHasher("md5").update(id).digest("hex");
    const hashed = writeTable("hashed.biom", { ...study.table, asvIds: study.table.asvIds.map(hash) });
    const fasta = study.table.asvIds.map((id) => `>${hash(id)}\n${id}\n`).join("");
    const repSeqs = writeText("seqs.fasta", fasta);
    const names = study.tree.names.map((name) => (name.length === 40 ? hash(name) : name));
    const hashedTree = writeText("hashed.nwk", writeNewick({ ...study.tree, names }));
    for (const tree of [hashedTree, files.tree]) {
      const dataset = await prepared({ table: hashed, tree, repSeqs, rarefyDepth: "none" });
      expect(dataset.asvCount).toBe(study.table.asvIds.length);
      expect(dataset.asvId(7)).toBe(hash(study.table.asvIds[7]));
      expect(dataset.asvSequence(7)).toBe(study.table.asvIds[7]);
    }
    await expect(prepared({ table: hashed, tree: hashedTree })).rejects.toThrow(
      /no DNA sequences.*--rep-seqs/,
    );
    const others = writeText("others.fasta", ">x\nACGT\n");
    await expect(prepared({ table: hashed, repSeqs: others })).rejects.toThrow(/do not belong together/);
  });

  test("leaves out ASVs that are not in the tree, and says so", async () => {
    const asvIds = study.table.asvIds.map((id, i) => (i === 1 ? `${id}A` : id));
    const table = writeTable("extra.biom", { ...study.table, asvIds });
    const dataset = await prepared({ table, tree: files.tree, rarefyDepth: "none" });
    expect(dataset.asvCount).toBe(asvIds.length - 1);
    expect(dataset.asvSequence(1)).toBe(asvIds[2]);
    expect(dataset.manifest.dropped[0]).toMatchObject({ what: "asvs", reason: "not in the tree", count: 1 });
    expect(dataset.manifest.warnings[0]).toMatch(/^1 of \d+ ASVs \([\d.]+ % of the counts\) are not in /);
  });

  test("leaves out samples that have no ASV in the tree, and says so", async () => {
    const { sampleIds, asvIds, indptr, indices } = study.table;
    // The first sample's ASVs go from the tree, and none but these.
    const gone = new Set(Array.from(indices.subarray(indptr[0], indptr[1]), (asv) => asvIds[asv]));
    const left = asvIds.filter((id) => !gone.has(id));
    const tree = writeText("part.nwk", `(${left.map((id) => `${id}:1`).join(",")});\n`);
    const dataset = await prepared({ table: files.table, tree, rarefyDepth: "none" });
    expect(dataset.sampleIds).not.toContain(sampleIds[0]);
    expect(dataset.manifest.dropped).toContainEqual(
      expect.objectContaining({ what: "samples", reason: "no ASV in the tree" }),
    );
    const warning = `samples have no ASV that is in ${tree} and were left out; the first is "${sampleIds[0]}"`;
    expect(dataset.manifest.warnings.join()).toContain(warning);
  });

  test("refuses a pipe, of which the second look finds nothing", async () => {
    const pipe = join(scratch, "pipe.biom");
    Bun.spawnSync(["mkfifo", pipe]);
    await expect(prepared({ table: pipe })).rejects.toThrow(/is a pipe, which can be read only once/);
    await expect(prepared({ table: join(pipe, "a.biom") })).rejects.toThrow(/a part of its path is a file/);
  });

  test("refuses files that do not belong together", async () => {
    const tree = writeText("other.nwk", "(a:1,b:2);\n");
    await expect(prepared({ table: files.table, tree })).rejects.toThrow(
      /no ASV in common.*the first tip "a"/,
    );
    const metadata = writeText("other.tsv", "sample-id\tage\nx\t1\n");
    await expect(prepared({ table: files.table, metadata })).rejects.toThrow(
      /no sample id in common: the first are "x" and "S000001"/,
    );
    await expect(prepared({ table: files.table, metrics: ["unweighted"] })).rejects.toThrow(/without a tree/);
    await expect(prepared({ table: files.table, metrics: ["euclid" as "faith_pd"] })).rejects.toThrow(
      /no metric "euclid"/,
    );
    await expect(prepared({ table: files.table, rarefyDepth: 0 })).rejects.toThrow(/depth must be/);
    await expect(prepared({ table: join(scratch, "none.biom") })).rejects.toThrow(/none.biom/);
  });

  test("warns of distances beyond the end of the metric they are called by", async () => {
    const ids = study.table.sampleIds;
    const rows = ids.map((id, i) => [id, ...ids.map((_, j) => (i === j ? 0 : 1.5))].join("\t"));
    const path = writeText("far.tsv", `${["", ...ids].join("\t")}\n${rows.join("\n")}\n`);
    const warnings = async (name: string) =>
      (await prepared({ table: files.table, distances: { path, name }, rarefyDepth: "none" })).manifest
        .warnings;
    expect(await warnings("unweighted")).toEqual([expect.stringContaining("up to 1.500, but unweighted")]);
    expect(await warnings("weighted_unnormalized")).toEqual([]);
  });

  test("keeps samples without metadata, as missing values", async () => {
    const metadata = writeText("some.tsv", "sample-id\tage\tsex\nS000002\t5\tf\nS000004\t\tm\nzz\t1\tf\n");
    const dataset = await prepared({ table: files.table, metadata, rarefyDepth: "none" });
    const age = dataset.column("age");
    expect(age.kind === "numeric" && [...age.values.subarray(0, 4)]).toEqual([
      Number.NaN,
      5,
      Number.NaN,
      Number.NaN,
    ]);
    const sex = dataset.column("sex");
    expect(sex.kind === "text" && [...sex.codes.subarray(0, 4)]).toEqual([-1, 0, -1, 1]);
    expect(dataset.manifest.warnings).toEqual([
      `28 of 30 samples have no row in ${metadata} (the first is "S000001"): all their values are missing.`,
    ]);
    expect(dataset.manifest.metadata).toEqual([
      { name: "age", kind: "numeric", missing: 29 },
      { name: "sex", kind: "text", missing: 28 },
    ]);
  });
});

describe("prepareCached", () => {
  test("reuses what is unchanged and prepares anew what is not", async () => {
    const cache = join(scratch, "cache");
    const table = writeTable("cached.biom", study.table);
    let computed = 0;
    const counting: MetricFunction = (...args) => {
      computed += 1;
      return sums(...args);
    };
    const run = (more: Partial<PrepareOptions> = {}) =>
      prepareCached({ ...files, table, ...more }, cache, counting);
    const first = await run();
    expect(first.reused).toBe(false);
    expect(await run({ rarefyDepth: "auto", seed: 0 })).toEqual({ folder: first.folder, reused: true });
    expect((await run({ seed: 1 })).folder).not.toBe(first.folder);
    expect(computed).toBe(2);
    // Another content under the same name.
    writeTable("cached.biom", { ...study.table, data: study.table.data.map((count) => count + 1) });
    expect((await run()).reused).toBe(false);
    expect(readdirSync(cache)).toHaveLength(3);
    // A damaged data set is prepared again.
    writeTable("cached.biom", study.table);
    const damaged = join(first.folder, "samples.arrow");
    writeFileSync(damaged, readFileSync(damaged).subarray(0, 100));
    expect(await run()).toEqual({ folder: first.folder, reused: false });
    verifyDataset(first.folder);
  });

  test("prepares once what several processes want at once", async () => {
    const cache = join(scratch, "shared cache");
    mkdirSync(cache);
    const computed = join(scratch, "computed");
    const program = `
      const { prepareCached } = await import(${JSON.stringify(join(import.meta.dir, "../../../src/data/prepare/cached.ts"))});
      const zero = async (metric, table) => {
        await Bun.write(${JSON.stringify(computed)} + process.pid, "");
        return new Float32Array(table.sampleIds.length * (table.sampleIds.length - 1) / 2);
      };
      for (let i = 0; i < 5; i++) console.log((await prepareCached(${JSON.stringify({ ...files })}, process.argv[1], zero)).folder);
    `;
    const children = Array.from({ length: 3 }, () =>
      Bun.spawn([process.execPath, "-e", program, cache], { stdout: "pipe", stderr: "inherit" }),
    );
    for (const child of children) expect(await child.exited).toBe(0);
    const folders = new Set<string>();
    for (const child of children) {
      for (const line of (await new Response(child.stdout).text()).trim().split("\n")) folders.add(line);
    }
    expect(folders.size).toBe(1);
    expect(readdirSync(cache)).toHaveLength(1);
    expect(readdirSync(scratch).filter((name) => name.startsWith("computed"))).toHaveLength(1);
    verifyDataset([...folders][0]);
  });

  test("refuses files that are changed while they are read", async () => {
    const cache = join(scratch, "changed cache");
    const table = writeTable("changed.biom", study.table);
    const changing: MetricFunction = (...args) => {
      writeTable("changed.biom", { ...study.table, data: study.table.data.map((count) => count + 1) });
      return sums(...args);
    };
    const refused = prepareCached({ ...files, table }, cache, changing);
    await expect(refused).rejects.toThrow(`${table} was changed while it was read; start again`);
    expect(readdirSync(cache)).toEqual([]);
  });
});
