/**
 * What scikit-bio says of drawn studies and of a real one (lab/python/fixtures/statistics.py), beside what
 * is computed here.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { scratchFolder } from "../../../lab/material/exampleTable.ts";
import { type Distances, distancesOf } from "../../../src/data/distances/distances.ts";
import { readDistances } from "../../../src/data/distances/read.ts";
import { readMetadata } from "../../../src/data/metadata/read.ts";
import { type AlphaMetric, alphaDiversity } from "../../../src/data/statistics/alphaDiversity.ts";
import { type BetaMetric, betaDiversity } from "../../../src/data/statistics/betaDiversity.ts";
import { type Grouping, groupDistances, groupsOf } from "../../../src/data/statistics/grouping.ts";
import { anosim, permanova } from "../../../src/data/statistics/groupTests.ts";
import { type MantelOptions, mantel } from "../../../src/data/statistics/mantel.ts";
import { pcoa } from "../../../src/data/statistics/pcoa.ts";
import { procrustes } from "../../../src/data/statistics/procrustes.ts";
import { parseNewick } from "../../../src/data/tree/newick.ts";
import { findPython } from "../../../src/torch/setup/findPython.ts";
import { outsideData } from "../../helpers/outsideData.ts";
import { projectRoot } from "../../helpers/projectFiles.ts";
import { tableOf, worst } from "../../helpers/uniFracTables.ts";

interface Tested {
  readonly statistic: number;
  readonly p: number;
}

interface Answers {
  readonly pcoa: readonly {
    readonly dimensions: number;
    readonly eigenvalues: readonly number[];
    readonly explained: readonly number[];
    readonly coordinates?: readonly (readonly number[])[];
  }[];
  readonly permanova: Tested;
  readonly anosim: Tested;
  readonly mantel: readonly (Pick<MantelOptions, "method" | "alternative"> & {
    readonly correlation: number;
    readonly p: number;
  })[];
  readonly procrustes: readonly { readonly dimensions: number; readonly m2: number }[];
}

interface Case {
  readonly counts: readonly (readonly number[])[];
  readonly asvIds: readonly string[];
  readonly newick: string;
  readonly groups: readonly string[];
  readonly alpha: Readonly<Record<AlphaMetric, readonly (number | null)[]>>;
  readonly beta: Readonly<Record<BetaMetric, readonly number[]>>;
  readonly matrices: Readonly<Record<string, readonly number[]>>;
  readonly tests: Readonly<Record<string, Answers>>;
}

const exact = 1e-9;
const permutations = 9999;
const read = <T>(path: string) => JSON.parse(readFileSync(path, "utf8")) as T;
const fixture = (name: string) => join(import.meta.dir, "../../fixtures/statistics", name);

/** Two p of as many permutations each may differ by what chance does, 5 standard deviations. */
function expectSameP(ours: number, theirs: number): void {
  const p = (ours + theirs) / 2;
  const deviation = Math.sqrt((2 * p * (1 - p)) / permutations);
  expect(Math.abs(ours - theirs)).toBeLessThan(5 * deviation + 2 / permutations);
}

/** Compares everything that scikit-bio says of one matrix. */
async function compare(
  answers: Answers,
  distances: Distances,
  groups: Grouping,
  other: Distances,
): Promise<void> {
  for (const expected of answers.pcoa) {
    const { dimensions } = expected;
    for (const method of ["eigh", "fsvd"] as const) {
      const found = pcoa(distances, { method, dimensions });
      expect(worst(found.eigenvalues, expected.eigenvalues)).toBeLessThan(exact);
      expect(worst(found.explained, expected.explained)).toBeLessThan(exact);
      if (expected.coordinates)
        expect(worst(found.coordinates.map(Math.abs), expected.coordinates.flat())).toBeLessThan(1e-7);
    }
  }
  for (const [test, expected] of [
    [permanova, answers.permanova],
    [anosim, answers.anosim],
  ] as const) {
    const found = test(distances, groups, { permutations });
    expect(Math.abs(found.statistic - expected.statistic)).toBeLessThan(exact * expected.statistic + exact);
    expectSameP(found.p, expected.p);
  }
  for (const { correlation, p, ...options } of answers.mantel) {
    const found = await mantel(distances, other, { ...options, permutations });
    expect(Math.abs(found.correlation - correlation)).toBeLessThan(exact);
    expectSameP(found.p, p);
  }
  for (const { dimensions, m2 } of answers.procrustes) {
    const [a, b] = [distances, other].map((one) => pcoa(one, { dimensions }));
    expect(Math.abs(procrustes(a, b, { dimensions, permutations: 0 }).m2 - m2)).toBeLessThan(1e-7);
  }
}

function describeCases(title: string, cases: readonly Case[]): void {
  describe.each(cases.map((one, i) => [`${title}, study ${i}`, one] as const))("%s", (_, one) => {
    const ids = one.counts.map((_, i) => `s${i}`);
    const table = tableOf(one.counts, one.asvIds, ids);
    const matrix = (name: string) => ({ ids, values: Float64Array.from(one.matrices[name]) });

    test("alpha diversity", () => {
      const tree = parseNewick(one.newick, "tree");
      for (const [metric, expected] of Object.entries(one.alpha)) {
        const found = alphaDiversity(table, metric as AlphaMetric, { tree });
        expect([...found.keys()].filter((i) => Number.isNaN(found[i]))).toEqual(
          [...expected.keys()].filter((i) => expected[i] === null),
        );
        const known = [...found.keys()].filter((i) => expected[i] !== null);
        expect(
          worst(
            known.map((i) => found[i]),
            known.map((i) => expected[i]!),
          ),
        ).toBeLessThan(exact);
      }
    });

    test("beta diversity", () => {
      for (const [metric, expected] of Object.entries(one.beta)) {
        const { values } = betaDiversity(table, { metric: metric as BetaMetric });
        expect(worst(values, expected)).toBeLessThan(exact);
      }
    });

    test.each(Object.keys(one.tests))("tests of the matrix %s", async (name) => {
      const other = matrix(name === "braycurtis" ? "jaccard" : "braycurtis");
      await compare(one.tests[name], matrix(name), groupsOf(one.groups), other);
    });
  });
}

describeCases("as kept", read<{ cases: Case[] }>(fixture("small.json")).cases);

const python = findPython(["skbio", "biom"]);

if (python === undefined) test.skip("drawn anew: no Python with scikit-bio", () => undefined);
else {
  const seed = process.env["AAM_PARITY_SEED"] ?? "1";
  const path = join(scratchFolder(), "drawn.json");
  const script = join(projectRoot, "lab/python/fixtures/statistics.py");
  const run = Bun.spawnSync([python, script, path, "--seed", seed], {
    stdout: "ignore",
    stderr: "pipe",
    env: { ...process.env, OMP_NUM_THREADS: "1" },
  });
  if (!run.success) throw new Error(`${script} failed: ${run.stderr.toString().slice(-2000)}`);
  describeCases(`drawn anew with seed ${seed}`, read<{ cases: Case[] }>(path).cases);
}

const pictures = join(outsideData, "moving-pictures");
test.skipIf(!existsSync(pictures))("Moving Pictures by body site, on QIIME 2's distances", async () => {
  const { column, tests } = read<{ column: string; tests: Answers }>(fixture("movingPictures.json"));
  const matrix = (metric: string) => readDistances(join(pictures, `${metric}_unifrac_distance_matrix.qza`));
  const { distances, groups } = groupDistances(
    matrix("unweighted"),
    readMetadata(join(pictures, "sample-metadata.tsv")),
    column,
  );
  const other = distancesOf(matrix("weighted"), distances.ids, "weighted").distances;
  await compare(tests, distances, groups, other);
});
