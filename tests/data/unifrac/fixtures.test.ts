import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseNewick } from "../../../src/data/tree/newick.ts";
import {
  faithPd,
  shearTree,
  type UniFracOptions,
  uniFracAllPairs,
  uniFracOfBatch,
} from "../../../src/data/unifrac/index.ts";
import { tableOf, worst } from "../../helpers/uniFracTables.ts";

interface SmallCase {
  readonly name: string;
  readonly newick: string;
  readonly featureIds: readonly string[];
  readonly counts: readonly (readonly number[])[];
  readonly faithPd: readonly number[];
  readonly distances: readonly (UniFracOptions & { readonly condensed: readonly number[] })[];
}

const cases = JSON.parse(
  readFileSync(join(import.meta.dir, "../../fixtures/unifrac/small.json"), "utf8"),
) as readonly SmallCase[];

describe.each(cases.map((one) => [one.name, one] as const))(
  "%s",
  (_, { newick, featureIds, counts, faithPd: diversity, distances }) => {
    const table = tableOf(counts, featureIds);
    const tree = parseNewick(newick, "tree");

    test("Faith's PD", () => {
      expect(worst(faithPd(table, tree), diversity)).toBeLessThan(1e-14);
    });

    const variants = distances.map(
      ({ condensed, ...options }) => [JSON.stringify(options), options, condensed] as const,
    );
    test.each(variants)("%s", async (_text, options, condensed) => {
      // All branches sparse, all dense, and as it comes.
      for (const denseShare of [2, 0, undefined]) {
        const exact = await uniFracAllPairs(table, tree, { ...options, precision: "float64", denseShare });
        expect(exact).toBeInstanceOf(Float64Array);
        expect(worst(exact, condensed)).toBeLessThan(1e-12);
        const single = await uniFracAllPairs(table, tree, { ...options, denseShare });
        expect(single).toBeInstanceOf(Float32Array);
        const largest = condensed.reduce((most, value) => Math.max(most, value), 1);
        expect(worst(single, condensed)).toBeLessThan(2e-6 * largest);
      }
      const batch = uniFracOfBatch(table, shearTree(tree, featureIds), { ...options, precision: "float64" });
      expect(worst(batch, condensed)).toBeLessThan(1e-12);
    });
  },
);
