import { describe, expect, test } from "bun:test";
import { type Fold, makeFolds } from "../../../src/data/split/folds.ts";

const samples = Int32Array.from({ length: 60 }, (_, i) => i);
const hosts = { column: "host", values: Array.from(samples, (i) => `h${Math.floor(i / 4)}`) };
const sexes = { column: "sex", values: Array.from(samples, (i) => (i % 3 === 0 ? "f" : "m")) };

function expectPartition(folds: readonly Fold[], all = samples): void {
  for (const { train, test } of folds) {
    expect([...train, ...test].sort((a, b) => a - b)).toEqual([...all]);
    expect(test.length).toBeGreaterThan(0);
  }
  for (const repeat of new Set(folds.map((fold) => fold.repeat))) {
    const held = folds.filter((fold) => fold.repeat === repeat).flatMap(({ test }) => [...test]);
    expect(held.sort((a, b) => a - b)).toEqual([...all]);
  }
}

describe("folds", () => {
  test("hold out every sample once in each repeat, in parts of equal size", () => {
    const folds = makeFolds(samples, { folds: 7, repeats: 3, seed: 1 });
    expect(folds.length).toBe(21);
    expectPartition(folds);
    for (const { test } of folds) expect([8, 9]).toContain(test.length);
    expect(folds[0].test).not.toEqual(folds[7].test);
  });

  test("depend on the seed and the samples alone, not on their order", () => {
    const options = { folds: 5, seed: 4 };
    expect(makeFolds(samples.toReversed(), options)).toEqual(makeFolds(samples, options));
    expect(makeFolds(samples, { ...options, seed: 5 })).not.toEqual(makeFolds(samples, options));
  });

  test("keep groups whole, also stratified and when as many folds as groups", () => {
    for (const options of [{ folds: 5 }, { folds: 15 }, { folds: 4, strata: sexes }]) {
      const folds = makeFolds(samples, { ...options, groups: hosts, repeats: 2 });
      expectPartition(folds);
      for (const { train, test } of folds) {
        const trained = new Set(Array.from(train, (i) => hosts.values[i]));
        expect(Array.from(test).filter((i) => trained.has(hosts.values[i]))).toEqual([]);
      }
    }
  });

  test("groups of very different sizes still fill every part", () => {
    const values = Array.from(samples, (i) => (i < 50 ? "large" : `small${i}`));
    const folds = makeFolds(samples, { folds: 11, groups: { column: "g", values } });
    expectPartition(folds);
  });

  test("stratified folds have each label in the same proportion", () => {
    for (const { test } of makeFolds(samples, { folds: 5, strata: sexes }))
      expect(Array.from(test).filter((i) => sexes.values[i] === "f").length).toBe(4);
  });

  test("leave out one group after the other, by name", () => {
    const some = samples.filter((i) => i < 40);
    const folds = makeFolds(some, { leaveOut: hosts });
    expect(folds.map(({ heldOut }) => heldOut)).toEqual([..."0123456789"].map((i) => `h${i}`));
    expectPartition(folds, some);
  });

  test.each([
    [{ folds: 1 }, "at least 2 folds"],
    [{ folds: 61 }, "61 folds need as many samples"],
    [{ folds: 16, groups: hosts }, 'as many values of "host"'],
    [{ leaveOut: hosts, groups: sexes }, "exclude each other"],
    [{ leaveOut: hosts, repeats: 2 }, "--repeats"],
    [{ leaveOut: { column: "one", values: sexes.values.map(() => "a") } }, "only one value"],
    [{ groups: { column: "g", values: sexes.values.map(() => null) } }, "60 of 60 samples have no value"],
    [{ strata: { column: "g", values: sexes.values.map((v) => (v === "f" ? v : null)) } }, "40 of 60"],
  ] as const)("refuse what cannot be divided: case %#", (options, said) => {
    expect(() => makeFolds(samples, options)).toThrow(said);
  });
});
