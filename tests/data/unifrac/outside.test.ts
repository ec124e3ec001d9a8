import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Distances, distancesOf } from "../../../src/data/distances/distances.ts";
import { readDistances } from "../../../src/data/distances/read.ts";
import { readSampleVector } from "../../../src/data/distances/sampleVector.ts";
import { readTable } from "../../../src/data/table/read.ts";
import { selectSamples } from "../../../src/data/table/select.ts";
import type { Table } from "../../../src/data/table/table.ts";
import { parseNewick } from "../../../src/data/tree/newick.ts";
import { readTree } from "../../../src/data/tree/read.ts";
import { faithPd, type UniFracOptions, uniFracAllPairs } from "../../../src/data/unifrac/index.ts";
import { outsideData } from "../../helpers/outsideData.ts";
import { tableOf, worst } from "../../helpers/uniFracTables.ts";

const isThere = existsSync(join(outsideData, "unifrac-expected.json"));
const at = (...parts: string[]) => join(outsideData, ...parts);
const readJson = (path: string) => JSON.parse(readFileSync(path, "utf8"));

/** What the peers' names of values mean. */
const meanings: Record<string, UniFracOptions> = {
  unweighted: { metric: "unweighted" },
  unweighted_unnormalized: { metric: "unweighted_unnormalized" },
  unweighted_bypass_tips: { metric: "unweighted", bypassTips: true },
  weighted_unnormalized: { metric: "weighted_unnormalized" },
  weighted_normalized: { metric: "weighted_normalized" },
  weighted_normalized_absolute: { metric: "weighted_normalized", absolute: true },
  weighted_normalized_vaw: { metric: "weighted_normalized", varianceAdjusted: true },
  weighted_unnormalized_vaw: { metric: "weighted_unnormalized", varianceAdjusted: true },
  generalized_0: { metric: "generalized", alpha: 0 },
  "generalized_0.5": { metric: "generalized", alpha: 0.5 },
  generalized_1: { metric: "generalized", alpha: 1 },
};

interface PeerCase {
  readonly name: string;
  readonly newick: string;
  readonly feature_ids: readonly string[];
  readonly sample_ids: readonly string[];
  readonly counts_sample_major: readonly (readonly number[])[];
  readonly expected: Record<string, readonly number[] | readonly (readonly number[])[]>;
  readonly agreed: Record<string, { readonly values: readonly number[] | readonly (readonly number[])[] }>;
  readonly tolerance: number;
}

const upperTriangle = (rows: readonly (readonly number[])[]): number[] =>
  rows.flatMap((row, i) => row.slice(i + 1));

/** Largest differences in float64 and in float32. */
async function differences(
  table: Table,
  tree: Parameters<typeof uniFracAllPairs>[1],
  options: UniFracOptions,
  expected: ArrayLike<number>,
) {
  const double = await uniFracAllPairs(table, tree, { ...options, precision: "float64" });
  const single = await uniFracAllPairs(table, tree, options);
  return { double: worst(double, expected), single: worst(single, expected) };
}

describe.skipIf(!isThere)("values of other programs", () => {
  const { cases } = isThere ? readJson(at("unifrac-expected.json")) : { cases: [] };
  const values = (cases as PeerCase[]).flatMap((one) => [
    ...Object.entries(one.expected).map(
      ([name, value]) => [`${one.name}, ${name}`, one, name, value, one.tolerance] as const,
    ),
    ...Object.entries(one.agreed).map(
      ([name, { values }]) => [`${one.name}, ${name} (agreed)`, one, name, values, 1e-7] as const,
    ),
  ]);
  test.each(values)(
    "%s",
    async (_, { newick, feature_ids, sample_ids, counts_sample_major }, name, value, tolerance) => {
      const table = tableOf(counts_sample_major, feature_ids, sample_ids);
      const tree = parseNewick(newick, "tree");
      if (name === "faith_pd") {
        expect(worst(faithPd(table, tree), value as readonly number[])).toBeLessThan(
          Math.max(tolerance, 1e-7),
        );
        return;
      }
      expect(Object.keys(meanings)).toContain(name);
      const expected = upperTriangle(value as readonly (readonly number[])[]);
      for (const denseShare of [0, 2]) {
        const { double, single } = await differences(
          table,
          tree,
          { ...meanings[name], denseShare },
          expected,
        );
        expect(double).toBeLessThan(Math.max(tolerance, 1e-7));
        // Absolute counts and unnormalized sums may be large numbers.
        expect(single).toBeLessThan(1e-5 * Math.max(1, ...expected));
      }
    },
  );
});

describe.skipIf(!isThere)("what other programs refuse or disagree about", () => {
  const { error_cases, peer_disagreements } = isThere
    ? readJson(at("unifrac-expected.json"))
    : { error_cases: [], peer_disagreements: [] };

  /** Refused with this message, or taken with these distances. */
  const verdicts: Record<string, RegExp | readonly number[]> = {
    "duplicate-tip-names": /has more than one tip named "OTU2"/,
    // unifrac-binaries takes these two as well: any node may be the root, and a missing length is 0.
    "unrooted-tree": [0, 0.157894736842],
    "some-branch-lengths-missing": [0, 0.066666666667],
    "no-branch-lengths": /has no branch lengths/,
    "table-id-not-in-tree": /has no tip for 1 of the table's 3 ASVs \("OTU42"\)/,
    "negative-count": /count of ASV "OTU3" in sample "sample 0" is -3/,
    "duplicate-feature-ids": /more than one ASV named "OTU2"/,
  };
  // A `Table` cannot hold rows of different lengths; reading such a file is refused by the readers.
  const representable = (error_cases as { name: string }[]).filter(({ name }) => name !== "length-mismatch");

  test.each(representable.map((one) => [one.name, one] as const))("%s", async (name, one) => {
    const { newick, feature_ids, counts_sample_major } = one as unknown as PeerCase;
    const run = async (metric: UniFracOptions["metric"]) =>
      (
        await uniFracAllPairs(tableOf(counts_sample_major, feature_ids), parseNewick(newick, "tree"), {
          metric,
          precision: "float64",
        })
      )[0];
    const verdict = verdicts[name];
    if (verdict instanceof RegExp) await expect(run("unweighted")).rejects.toThrow(verdict);
    else {
      expect(Math.abs((await run("unweighted")) - verdict[0])).toBeLessThan(1e-9);
      expect(Math.abs((await run("weighted_normalized")) - verdict[1])).toBeLessThan(1e-9);
    }
  });

  test("a length on the root does not count, a stem below it does", async () => {
    const [{ rows, table }] = peer_disagreements;
    for (const { newick, unifrac_1_2: peer } of rows) {
      const tree = parseNewick(newick, "tree");
      const both = tableOf([table.u, table.v], table.feature_ids);
      expect(worst(faithPd(both, tree), peer.faith)).toBeLessThan(1e-12);
      for (const metric of ["unweighted", "weighted_normalized"] as const) {
        const { double } = await differences(both, tree, { metric }, [peer[metric]]);
        expect(double).toBeLessThan(1e-12);
      }
    }
  });
});

describe.skipIf(!isThere)("real studies", () => {
  test("Moving Pictures as QIIME 2 has computed it", async () => {
    const tree = readTree(at("moving-pictures", "rooted-tree.qza"));
    const table = await readTable(at("moving-pictures", "filtered_rarefied_table.qza"));
    for (const [file, metric] of [
      ["unweighted", "unweighted"],
      ["weighted", "weighted_unnormalized"],
    ] as const) {
      const matrix: Distances = readDistances(at("moving-pictures", `${file}_unifrac_distance_matrix.qza`));
      const { distances, lackingIds } = distancesOf(matrix, table.sampleIds, file);
      expect(lackingIds).toEqual([]);
      const { double, single } = await differences(table, tree, { metric }, distances.values);
      expect(double).toBeLessThan(1e-7);
      expect(single).toBeLessThan(1e-5);
    }
  });

  test("96 oral samples, as a batch and among all", async () => {
    const expected = readJson(at("oral", "unifrac-expected.json"));
    const tree = readTree(at("oral", "oral_2550.nwk"));
    const all = await readTable(at("oral", "oral_2550.biom"));
    const rowOf = new Map(all.sampleIds.map((id, row) => [id, row]));
    const table = selectSamples(
      all,
      expected.sample_ids.map((id: string) => rowOf.get(id)),
    );
    for (const [name, options] of Object.entries({
      ...meanings,
      generalized_0_5: meanings["generalized_0.5"],
    })) {
      if (expected[name] === undefined) continue;
      for (const denseShare of [0, 0.3, 2]) {
        const { double, single } = await differences(table, tree, { ...options, denseShare }, expected[name]);
        expect(double).toBeLessThan(1e-7);
        expect(single).toBeLessThan(1e-5);
      }
    }
    expect(worst(faithPd(table, tree), expected.faith_pd)).toBeLessThan(1e-7);

    const statistics = expected.all_2537_samples_statistics_ssu_fp64;
    for (const name of ["unweighted", "weighted_normalized"]) {
      const distances = await uniFracAllPairs(all, tree, meanings[name]);
      let sum = 0;
      for (const value of distances) sum += value;
      expect(Math.abs(sum / distances.length - statistics[name].mean)).toBeLessThan(1e-6);
      const among: Distances = { ids: all.sampleIds, values: distances };
      const part = distancesOf(among, expected.sample_ids, name).distances.values;
      expect(worst(part, expected[name])).toBeLessThan(1e-5);
    }
  }, 60_000);

  test("Faith's PD of all oral samples", async () => {
    const tree = readTree(at("oral", "oral_2550.nwk"));
    const table = await readTable(at("oral", "oral_2550.biom"));
    const expected = readSampleVector(at("oral", "faith_pd.tsv"));
    const diversityOf = new Map(expected.ids.map((id, i) => [id, expected.values[i]]));
    const diversity = faithPd(table, tree);
    expect(
      worst(
        diversity,
        table.sampleIds.map((id) => diversityOf.get(id)!),
      ),
    ).toBeLessThan(1e-5);
  });
});

describe.skipIf(!isThere)("small files of other programs", () => {
  const folder = "unifrac-tests";
  const study = async (table: string, tree: string) => ({
    table: await readTable(at(folder, table)),
    tree: readTree(at(folder, tree)),
  });

  test.each([
    ["test.absquant.wn.dm", true],
    ["test.absquant_not.wn.dm", false],
  ] as const)("%s: counts as they are, or shares", async (file, absolute) => {
    const { table, tree } = await study("absquant.biom", "absquant.tree");
    const { values } = distancesOf(readDistances(at(folder, file)), table.sampleIds, file).distances;
    const { double, single } = await differences(
      table,
      tree,
      { metric: "weighted_normalized", absolute },
      values,
    );
    // The files hold six digits.
    expect(double).toBeLessThan(1.1e-6);
    expect(single).toBeLessThan(1e-5);
  });

  test.each([
    ["unweighted", "dart-ASVs_unweighted_truth.txt"],
    ["weighted_normalized", "dart-ASVs_weighted_normalized_truth.tsv"],
  ] as const)("a 16S table, %s", async (metric, file) => {
    const { table, tree } = await study("dart-ASVs_counts.biom", "dart-ASVs_aligned.tre");
    const { values } = distancesOf(readDistances(at(folder, file)), table.sampleIds, file).distances;
    const { double, single } = await differences(table, tree, { metric }, values);
    expect(double).toBeLessThan(1e-6);
    expect(single).toBeLessThan(1e-5);
    const text = await readTable(at(folder, "dart-ASVs_counts.txt"));
    expect((await differences(text, tree, { metric }, values)).double).toBeLessThan(1e-6);
  });

  test("tables whose ASVs are only a part of the tree", async () => {
    const { table, tree } = await study("q2-two_feature_table.biom", "q2-extra_tip.tree");
    const whole = await study("q2-two_feature_table.biom", "q2-three_feature.tree");
    for (const metric of ["unweighted", "weighted_normalized"] as const) {
      const expected = await uniFracAllPairs(table, tree, { metric });
      expect(worst(await uniFracAllPairs(whole.table, whole.tree, { metric }), expected)).toBe(0);
    }
    const missing = readTree(at(folder, "q2-missing_tip.tree"));
    await expect(uniFracAllPairs(table, missing)).rejects.toThrow(
      /no tip for 1 of the table's 2 ASVs \("O2"\)/,
    );
    await expect(uniFracAllPairs(table, readTree(at(folder, "q2-root_only.tree")))).rejects.toThrow(
      /none of the table's 2 ASVs/,
    );
  });
});
