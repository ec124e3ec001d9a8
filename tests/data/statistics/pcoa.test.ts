import { describe, expect, test } from "bun:test";
import { Random } from "../../../src/common/random/random.ts";
import { type Distances, pairCount, squareRows } from "../../../src/data/distances/distances.ts";
import { groupsOf } from "../../../src/data/statistics/grouping.ts";
import { permanova } from "../../../src/data/statistics/groupTests.ts";
import {
  ordinationText,
  parseOrdination,
  writeCoordinatesTsv,
  writeOrdination,
  writeOrdinationArtifact,
} from "../../../src/data/statistics/ordination.ts";
import { pcoa } from "../../../src/data/statistics/pcoa.ts";
import { procrustes } from "../../../src/data/statistics/procrustes.ts";
import { squareTensor } from "../../../src/data/statistics/squareTensor.ts";
import * as torch from "../../../src/torch/index.ts";
import { userErrorOf } from "../../helpers/scratch.ts";
import { worst } from "../../helpers/uniFracTables.ts";

/** Euclidean distances of points in `dimensions`, and some noise, which no space holds. */
function drawn(
  samples: number,
  dimensions: number,
  noise: number,
  precision: "float32" | "float64",
): Distances {
  const random = new Random(samples);
  const points = Array.from({ length: samples }, () =>
    Array.from({ length: dimensions }, (_, axis) => random.normal() / (1 + axis)),
  );
  const values = new (precision === "float32" ? Float32Array : Float64Array)(pairCount(samples));
  let place = 0;
  for (let i = 0; i < samples; i++)
    for (let j = i + 1; j < samples; j++)
      values[place++] =
        Math.hypot(...points[i].map((x, axis) => x - points[j][axis])) + noise * random.float();
  return { ids: points.map((_, i) => `s${i}`), values };
}

test.each([1, 2, 127, 128, 129, 300])("the square matrix of %d samples is what its rows are", (samples) => {
  const distances = drawn(samples, 2, 0, "float64");
  using square = squareTensor(distances);
  const rows = Array.from(squareRows(distances), (row) => [...row]);
  expect([...square.toFloat64Array()]).toEqual(rows.flat());
});

test.each(["eigh", "fsvd"] as const)("%s finds the same axes in any unit", (method) => {
  const { ids, values } = drawn(40, 3, 0, "float64");
  const small = { ids, values: values.map((distance) => distance * 1e-6) };
  const [usual, scaled] = [{ ids, values }, small].map((one) => pcoa(one, { method, dimensions: 4 }));
  expect(
    worst(
      scaled.coordinates.map((place) => place * 1e6),
      usual.coordinates,
    ),
  ).toBeLessThan(1e-6);
  expect(scaled.explained.filter((share) => share > 0)).toHaveLength(3);
});

describe("fsvd", () => {
  test.each([
    ["float64", 0, 1e-9],
    ["float64", 0.3, 1e-9],
    ["float32", 0.3, 1e-5],
  ] as const)("finds what eigh finds, in %s with noise %d", (precision, noise, tolerance) => {
    const distances = drawn(300, 20, noise, precision);
    const exact = pcoa(distances, { method: "eigh", dimensions: 8 });
    const shares: number[] = [];
    const onProgress = (share: number) => shares.push(share);
    const found = pcoa(distances, { method: "fsvd", dimensions: 8, precision, seed: 5, onProgress });
    expect(worst(found.eigenvalues, exact.eigenvalues)).toBeLessThan(tolerance * exact.eigenvalues[0]);
    expect(worst(found.coordinates, exact.coordinates)).toBeLessThan(100 * tolerance);
    expect(worst(found.explained, exact.explained)).toBeLessThan(tolerance);
    expect(found.residual).toBeLessThan(tolerance);
    expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true);
    if (noise === 0) return;
    // The lowest one met is no lower than the true one.
    expect(found.negative!.lowest).toBeGreaterThanOrEqual(exact.negative!.lowest - 1e-4);
    expect(exact.negative!.count).toBeGreaterThan(50);
  });

  test("leaves no tensors", () => {
    const distances = drawn(200, 20, 0.3, "float64");
    const groups = groupsOf(distances.ids.map((_, i) => "ab"[i % 2]));
    pcoa(distances, { method: "fsvd" });
    const live = torch.memory().liveTensors;
    const axes = pcoa(distances, { method: "fsvd", dimensions: 4 });
    permanova(distances, groups, { permutations: 9 });
    procrustes(axes, axes, { permutations: 9 });
    expect(torch.memory().liveTensors).toBe(live);
  });

  test("finds the axes of points that have fewer than are asked for", () => {
    const found = pcoa(drawn(80, 3, 0, "float64"), { method: "fsvd", dimensions: 10 });
    expect(found.eigenvalues.slice(3)).toEqual(new Float64Array(7));
    expect(found.explained.slice(0, 3).reduce((sum, share) => sum + share)).toBeCloseTo(1, 9);
    expect(found.coordinates.every(Number.isFinite)).toBe(true);
  });
});

test("distances between coordinates on all axes are the distances", () => {
  const distances = drawn(30, 4, 0, "float64");
  const { coordinates, eigenvalues } = pcoa(distances, { dimensions: 30 });
  const axes = eigenvalues.length;
  const between = (i: number, j: number) =>
    Math.hypot(
      ...Array.from({ length: axes }, (_, k) => coordinates[i * axes + k] - coordinates[j * axes + k]),
    );
  const again = distances.ids.flatMap((_, i) =>
    distances.ids.slice(i + 1).map((_, k) => between(i, i + 1 + k)),
  );
  expect(worst(again, distances.values)).toBeLessThan(1e-9);
});

describe("an ordination's text", () => {
  const found = pcoa(drawn(5, 2, 0, "float64"), { dimensions: 2 });
  const text = new TextDecoder().decode(Buffer.concat([...ordinationText(found)]));

  test("comes back as it was", () => {
    const { ids, eigenvalues, explained, coordinates } = found;
    expect(parseOrdination(text, "x.txt")).toEqual({ ids, eigenvalues, explained, coordinates });
  });

  test.each([
    [
      "cut off",
      (whole: string) => whole.split("\n").slice(0, 9).join("\n"),
      "x.txt, line 10: 0 numbers stand where 2",
    ],
    ["another kind", () => "sample-id\tPC1\n", 'no section "Eigvals"'],
    ["a word", (whole: string) => whole.replace(/^s1\t\S+/m, "s1\tmany"), '"many" is not a finite number'],
    [
      "an axis too many",
      (whole: string) => whole.replace("Site\t5\t2", "Site\t5\t3"),
      "the samples have 3 axes",
    ],
    ["an id twice", (whole: string) => whole.replace("\ns2\t", "\ns1\t"), '"s1"'],
  ])("is refused with its place: %s", (_, change, said) => {
    expect(userErrorOf(() => parseOrdination(change(text), "x.txt"))).toContain(said);
  });

  test("an id with a tab cannot be written", () => {
    const torn = { ...found, ids: ["a\tb", "b", "c", "d", "e"] };
    for (const write of [writeOrdination, writeOrdinationArtifact, writeCoordinatesTsv])
      expect(userErrorOf(() => write("x", torn))).toContain("a tab or line break");
  });
});
