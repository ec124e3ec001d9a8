import { describe, expect, test } from "bun:test";
import { CategoricalEncoder, categoryKeys, textValues } from "../../../src/data/encoding/categories.ts";
import { CategoryWeights, parseWeightRule } from "../../../src/data/encoding/categoryWeights.ts";
import { classWeights, encodeClasses, fitClasses } from "../../../src/data/encoding/classLabels.ts";

const site = { name: "site", values: ["gut", "palm", null, "Gut", "10", "9", "tongue"] };
const sex = { name: "sex", values: ["m", "f", "f", null, "m", "f", "m"] };

describe("CategoricalEncoder", () => {
  const encoder = CategoricalEncoder.fit([site, sex], [0, 1, 2, 4, 5]);

  test("numbers the training samples' categories from 1, sorted as text", () => {
    expect(encoder.state).toEqual([
      { name: "site", categories: ["10", "9", "gut", "palm"] },
      { name: "sex", categories: ["f", "m"] },
    ]);
    expect(encoder.columnNames).toEqual(["site", "sex"]);
    expect([encoder.cardinality("site"), encoder.cardinality("sex")]).toEqual([5, 3]);
  });

  test("encodes, with 0 for missing and unseen values, also after JSON", () => {
    const restored = CategoricalEncoder.fromState(JSON.parse(JSON.stringify(encoder.state)));
    for (const one of [encoder, restored]) {
      expect([...one.encode(site)]).toEqual([3, 4, 0, 0, 1, 2, 0]);
      expect([...one.encode(sex)]).toEqual([2, 1, 1, 0, 2, 1, 2]);
      expect([1, 4, 0, 5].map((index) => one.decode("site", index))).toEqual([
        "10",
        "palm",
        undefined,
        undefined,
      ]);
    }
  });

  test("has room for the unknown alone where no training sample has a value", () => {
    expect(CategoricalEncoder.fit([site], [2]).cardinality("site")).toBe(1);
  });

  test("refuses columns it does not know and states that are none", () => {
    expect(() => encoder.encode({ name: "diet", values: [] })).toThrow(
      'no categorical column "diet"; it knows "site", "sex"',
    );
    expect(() => encoder.cardinality("diet")).toThrow('"diet"');
    for (const state of [{}, [{ name: "site" }], null]) {
      expect(() => CategoricalEncoder.fromState(state)).toThrow("Not a saved categorical encoder");
    }
  });
});

test("a data set's columns become texts", () => {
  const codes = {
    kind: "text" as const,
    name: "a",
    codes: new Int32Array([1, -1, 0]),
    categories: ["x", "y"],
  };
  expect(textValues(codes)).toEqual({ name: "a", values: ["y", null, "x"] });
  const numbers = { kind: "numeric" as const, name: "b", values: new Float64Array([1, 2.5, Number.NaN]) };
  expect(textValues(numbers)).toEqual({ name: "b", values: ["1", "2.5", null] });
});

test("category keys name columns and values", () => {
  expect(categoryKeys([sex]).slice(0, 4)).toEqual(["sex=m", "sex=f", "sex=f", null]);
  expect(categoryKeys([site, sex]).slice(0, 4)).toEqual(["site=gut,sex=m", "site=palm,sex=f", null, null]);
  expect(() => categoryKeys([])).toThrow(RangeError);
});

describe("weight rules", () => {
  test("are auto, JSON or pairs", () => {
    expect(parseWeightRule(" AUTO ", "--w")).toBe("auto");
    const expected = new Map([
      ["site=gut", 2],
      ["palm", 0.5],
    ]);
    expect(parseWeightRule('{"site=gut": 2, "palm": 0.5}', "--w")).toEqual(expected);
    expect(parseWeightRule("site=gut=2, palm=.5", "--w")).toEqual(expected);
  });

  test("are refused with the place where they were given", () => {
    const cases = {
      '{"gut": ': "not valid JSON",
      "gut=0": "above 0",
      '{"gut": "2"}': 'not "2"',
      "gut=x": "above 0",
    };
    for (const [text, words] of Object.entries({
      ...cases,
      gut: "category=weight",
      "{}": "no weights",
      "": "not a weight",
    })) {
      expect(() => parseWeightRule(text, "--w")).toThrow(words);
      expect(() => parseWeightRule(text, "--w")).toThrow("--w");
    }
  });
});

describe("CategoryWeights", () => {
  const keys = ["site=gut", "site=gut", "site=gut", "site=palm", null];

  test("auto gives every category the same sum", () => {
    const weights = CategoryWeights.fit("auto", keys, ["site"]);
    expect(weights.state).toEqual({ "site=gut": 4 / 6, "site=palm": 2 });
    const applied = weights.weights([...keys, "site=new"]);
    expect([...applied]).toEqual([...[4 / 6, 4 / 6, 4 / 6, 2].map(Math.fround), 1, 1]);
    expect(CategoryWeights.fromState(JSON.parse(JSON.stringify(weights.state))).weights(keys)).toEqual(
      applied.slice(0, 5),
    );
  });

  test("B29: takes whole keys and, for one column, bare values", () => {
    for (const text of ["gut=3,palm=1", '{"site=gut": 3, "palm": 1}']) {
      const weights = CategoryWeights.fit(parseWeightRule(text, "--w"), keys, ["site"]);
      expect(weights.state).toEqual({ "site=gut": 3, "site=palm": 1 });
      expect(weights.warnings).toEqual([]);
    }
  });

  test("warns of categories without weight and weights without category", () => {
    const { warnings } = CategoryWeights.fit(
      new Map([
        ["gut", 3],
        ["nose", 1],
      ]),
      keys,
      ["site"],
    );
    expect(warnings).toEqual([
      'The weighted category "site=nose" does not occur among the training samples.',
      'The category "site=palm" has no weight and counts as 1.',
    ]);
  });

  test("refuses rules that match nothing", () => {
    const rule = new Map([["nose", 1]]);
    expect(() => CategoryWeights.fit(rule, keys, ["site"])).toThrow(
      'None of the weighted categories "site=nose" occurs',
    );
    const pairs = ["site=gut,sex=m"];
    expect(() => CategoryWeights.fit(new Map([["gut", 1]]), pairs, ["site", "sex"])).toThrow(
      'they have "site=gut,sex=m"',
    );
    expect(() => CategoryWeights.fit("auto", [null], ["site"])).toThrow(
      'No training sample has a value of "site"',
    );
    expect(() => CategoryWeights.fromState({ a: 0 })).toThrow("Not saved category weights");
  });
});

describe("classes", () => {
  const classes = fitClasses(sex.values, [0, 1, 3, 4, 6], "sex");
  const numbers = encodeClasses([...sex.values.slice(0, 5), "x"], classes);

  test("are numbered in sorted order, -1 is unknown", () => {
    expect(classes).toEqual(["f", "m"]);
    expect([...numbers]).toEqual([1, 0, 0, -1, 1, -1]);
    expect(() => fitClasses(sex.values, [0, 4], "sex")).toThrow('"sex" has only "m"');
    expect(() => fitClasses([null], [0], "sex")).toThrow("no values");
  });

  test("are weighted by rarity, in order or by name", () => {
    expect([...classWeights("auto", ["f", "m", "o"], new Int32Array([0, 0, 0, 1, -1]), "--w")]).toEqual(
      [4 / 9, 4 / 3, 1].map(Math.fround),
    );
    expect([...classWeights([2, 0.5], classes, numbers, "--w")]).toEqual([2, 0.5]);
    expect([...classWeights(parseWeightRule("m=3", "--w"), classes, numbers, "--w")]).toEqual([1, 3]);
    expect(() => classWeights([1], classes, numbers, "--w")).toThrow(
      '--w needs 2 numbers above 0, one for each class in the order "f", "m"',
    );
    expect(() => classWeights([1, -1], classes, numbers, "--w")).toThrow("above 0");
    expect(() => classWeights(new Map([["x", 1]]), classes, numbers, "--w")).toThrow(
      '"x" is no class; the classes are "f", "m"',
    );
  });
});
