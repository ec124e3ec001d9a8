import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { binomial } from "../../../src/common/random/numpyBinomial.ts";
import { Pcg64 } from "../../../src/common/random/pcg64.ts";
import { rarefy } from "../../../src/data/table/rarefy.ts";
import { readTable } from "../../../src/data/table/read.ts";
import type { Table } from "../../../src/data/table/table.ts";
import binomials from "../../fixtures/rarefaction/binomial.json";
import digests from "../../fixtures/rarefaction/digests.json";
import generator from "../../fixtures/rarefaction/generator.json";
import tables from "../../fixtures/rarefaction/tables.json";
import { outsideData } from "../../helpers/outsideData.ts";
import { toTable } from "../../helpers/toTable.ts";

function toDense(table: Table): number[][] {
  return table.sampleIds.map((_, sample) => {
    const row = new Array<number>(table.asvIds.length).fill(0);
    for (let i = table.indptr[sample]; i < table.indptr[sample + 1]; i++)
      row[table.indices[i]] = table.data[i];
    return row;
  });
}

describe("Pcg64 gives NumPy's numbers", () => {
  test.each(generator.cases)("for seed $seed", ({ seed, uint64, double, bounded }) => {
    const whole = new Pcg64(seed);
    expect(uint64.map(() => String(whole.uint64()))).toEqual(uint64);
    const doubles = new Pcg64(seed);
    expect(double.map(() => doubles.double())).toEqual(double);
    const limited = new Pcg64(seed);
    expect(bounded.map(([largest]) => [largest, limited.bounded(largest)])).toEqual(bounded);
  });

  test("in halves, low half first, which whole draws leave alone", () => {
    const random = new Pcg64(42);
    const [first, second] = [new Pcg64(42)].flatMap((one) => [one.uint64(), one.uint64()]);
    expect(random.uint32()).toBe(Number(first & 0xffffffffn));
    expect(random.uint64()).toBe(second);
    expect(random.uint32()).toBe(Number(first >> 32n));
  });

  test("and refuses seeds that are no whole numbers", () => {
    for (const seed of [-1, 1.5, Number.NaN, 2 ** 53]) expect(() => new Pcg64(seed)).toThrow(RangeError);
  });
});

test("binomial draws equal NumPy's in every branch", () => {
  const random = new Pcg64(binomials.seed);
  for (const { n, p, drawn } of binomials.cases) {
    expect({ n, p, drawn: drawn.map(() => binomial(random, n, p)) }).toEqual({ n, p, drawn });
  }
});

describe("rarefy equals biom-format", () => {
  for (const { name, counts, cases } of tables) {
    test.each(cases)(
      `on ${name}: depth $depth, seed $seed, with replacement $withReplacement`,
      (expected) => {
        const { depth, seed, withReplacement } = expected;
        const { table } = rarefy(toTable(counts), { depth, seed, withReplacement });
        expect(table.sampleIds).toEqual(expected.sampleIds);
        expect(table.asvIds).toEqual(expected.asvIds);
        expect(toDense(table)).toEqual(expected.counts);
      },
    );
  }

  const paths = [...new Set(digests.map(({ path }) => path))];
  test.skipIf(!existsSync(outsideData)).each(paths)("on %s with seeds 0 to 9", async (path) => {
    const original = await readTable(`${outsideData}/${path}`);
    const cases = digests.filter((one) => one.path === path);
    expect(cases).toHaveLength(20);
    for (const { depth, seed, withReplacement, samples, asvs, sha256 } of cases) {
      const { table } = rarefy(original, { depth, seed, withReplacement });
      const digest = createHash("sha256").update(table.sampleIds.join("\n")).update(table.asvIds.join("\n"));
      for (const array of [table.indptr, table.indices, Int32Array.from(table.data)]) digest.update(array);
      expect({
        seed,
        samples: table.sampleIds.length,
        asvs: table.asvIds.length,
        sha256: digest.digest("hex"),
      }).toEqual({
        seed,
        samples,
        asvs,
        sha256,
      });
    }
  });
});

describe("rarefy", () => {
  const table = toTable([
    [5, 0, 5],
    [1, 0, 0],
    [0, 3, 4],
  ]);

  test("reports what it drops and leaves the input as it is", () => {
    const before = table.data.slice();
    const { table: rarefied, report } = rarefy(table, { depth: 7, seed: 1 });
    expect(table.data).toEqual(before);
    expect(rarefied.sampleIds).toEqual(["s0", "s2"]);
    expect(toDense(rarefied).map((row) => row.reduce((a, b) => a + b))).toEqual([7, 7]);
    expect(report).toEqual({
      depth: 7,
      samplesBefore: 3,
      samplesAfter: 2,
      droppedSamples: [{ id: "s1", total: 1 }],
      asvsBefore: 3,
      asvsAfter: rarefied.asvIds.length,
      countsBefore: 18,
      countsAfter: 14,
    });
  });

  test("draws every ASV in proportion to its counts", () => {
    const sums = [0, 0, 0];
    for (let seed = 0; seed < 300; seed++) {
      const drawn = rarefy(toTable([[100, 200, 700]]), { depth: 100, seed }).table;
      for (const [asv, count] of toDense(drawn)[0].entries()) sums[asv] += count / 300;
    }
    for (const [asv, mean] of [10, 20, 70].entries()) expect(Math.abs(sums[asv] - mean)).toBeLessThan(1);
  });

  test("refuses depths and counts that make no sense", () => {
    const source = "t.biom";
    for (const depth of [0, -1, 2.5, Number.NaN]) {
      expect(() => rarefy(table, { depth, seed: 0 })).toThrow("must be a whole number of at least 1");
    }
    expect(() => rarefy(table, { depth: 11, seed: 0, source })).toThrow(
      "t.biom has no sample with 11 counts (the deepest has 10)",
    );
    expect(() => rarefy(toTable([[0.5, 2]]), { depth: 1, seed: 0, source })).toThrow(
      't.biom cannot be rarefied: ASV "a0" has the count 0.5 in sample "s0"',
    );
    expect(() => rarefy(toTable([[-1, 2]]), { depth: 1, seed: 0 })).toThrow("the count -1");
    expect(() => rarefy(toTable([[2 ** 32]]), { depth: 1, seed: 0 })).toThrow("more than 4,294,967,295");
    expect(() => rarefy(toTable([]), { depth: 1, seed: 0 })).toThrow("the deepest has 0");
  });
});
