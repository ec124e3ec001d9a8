import { describe, expect, test } from "bun:test";
import { Mt19937 } from "../../../src/common/random/mt19937.ts";
import { formatIds, readIdFile, splitFromFiles } from "../../../src/data/split/files.ts";
import { groupedSplit, randomSplit, stratifiedSplit } from "../../../src/data/split/split.ts";
import fixtures from "../../fixtures/split/splits.json";
import { useScratch } from "../../helpers/scratch.ts";

const plain = ({ train, validation }: { train: Int32Array; validation: Int32Array }) => ({
  train: [...train],
  validation: [...validation],
});

test.each(fixtures.generator)("Mt19937 gives NumPy's numbers for seed $seed", ({ seed, words }) => {
  const random = new Mt19937(seed);
  const drawn = Array.from({ length: 700 }, () => random.uint32());
  expect([0, 1, 2, 622, 623, 624, 625, 699].map((i) => drawn[i])).toEqual(words);
});

describe("splits equal scikit-learn's", () => {
  test("for the reference's test vector", () => {
    expect(plain(randomSplit(10, 0.2, 42))).toEqual({ train: [5, 0, 7, 2, 9, 4, 3, 6], validation: [8, 1] });
  });

  test.each(fixtures.random)("at random: $count samples, share $share, seed $seed", (expected) => {
    const { train, validation } = expected;
    expect(plain(randomSplit(expected.count, expected.share, expected.seed))).toEqual({ train, validation });
  });

  test.each(fixtures.stratified)(
    "stratified: share $share, seed $seed",
    ({ labels, share, seed, ...parts }) => {
      expect(plain(stratifiedSplit(labels, share, seed, "site"))).toEqual(parts);
    },
  );

  test.each(fixtures.grouped)("grouped: share $share, seed $seed", ({ labels, share, seed, ...parts }) => {
    expect(plain(groupedSplit(labels, share, seed, "host"))).toEqual(parts);
  });
});

describe("splits refuse", () => {
  test("shares and seeds out of range", () => {
    for (const share of [0, 1, -0.1, Number.NaN])
      expect(() => randomSplit(10, share, 0)).toThrow("between 0 and 1");
    for (const seed of [-1, 2 ** 32, 0.5]) expect(() => randomSplit(10, 0.5, seed)).toThrow(RangeError);
  });

  test("parts that would be empty", () => {
    expect(() => randomSplit(1, 0.5, 0)).toThrow("leaves none for training");
    expect(() => randomSplit(10, 0.95, 0)).toThrow("A share of 0.95 of 10 samples leaves none for training");
    expect(() => groupedSplit(["a", "a", "a"], 0.5, 0, "host")).toThrow('of 1 values of "host"');
  });

  test("labels that cannot be split", () => {
    expect(() => stratifiedSplit(["a", null, "b", null], 0.5, 0, "sex")).toThrow(
      "2 of 4 samples have no value",
    );
    expect(() => groupedSplit(["a", null], 0.5, 0, "host")).toThrow("1 of 2 samples have no value");
    expect(() => stratifiedSplit(["a", "a", "b"], 0.5, 0, "sex")).toThrow('"b" has one sample only');
    const labels = [..."aabbccddee"];
    expect(() => stratifiedSplit(labels, 0.2, 0, "site")).toThrow("it has 5 values, but one part has only 2");
  });
});

describe("splits from files", () => {
  const { path, write } = useScratch();
  const samples = ["a", "b", "c", "d"];

  test("take ids in the file's order, trimmed, and say which are unknown", () => {
    const train = write("train.txt", "\ufeffd \r\n\r\n a\r\nx\r\n");
    const validation = write("validation.txt", formatIds(["b", "y"]));
    const { split, unknownIds } = splitFromFiles(samples, { train, validation });
    expect(plain(split)).toEqual({ train: [3, 0], validation: [1] });
    expect(unknownIds).toEqual(["x", "y"]);
  });

  test("give the rest to a part without a file", () => {
    const file = write("one.txt", "c\n");
    expect(plain(splitFromFiles(samples, { validation: file }).split)).toEqual({
      train: [0, 1, 3],
      validation: [2],
    });
    expect(plain(splitFromFiles(samples, { train: file }).split)).toEqual({
      train: [2],
      validation: [0, 1, 3],
    });
  });

  test("refuse what is no split", () => {
    const [one, both] = [write("a.txt", "a\nb\n"), write("b.txt", "b\nc\n")];
    expect(() => splitFromFiles(samples, { train: one, validation: both })).toThrow(
      'both name the sample "b"',
    );
    expect(() => splitFromFiles(samples, {})).toThrow("needs a file");
    expect(() => splitFromFiles(samples, { train: write("all.txt", "a\nb\nc\nd\n") })).toThrow(
      "names all samples",
    );
    const other = write("other.txt", "z\n");
    expect(() => splitFromFiles(samples, { train: one, validation: other })).toThrow('its first id is "z"');
    expect(() => readIdFile(write("twice.txt", "a\nb\na\n"))).toThrow('line 3: the id "a" stands on line 1');
    expect(() => readIdFile(write("empty.txt", " \n"))).toThrow("names no samples");
    expect(() => readIdFile(path("none.txt"))).toThrow("no such file");
  });
});
