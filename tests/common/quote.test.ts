import { expect, test } from "bun:test";
import { quote, quoteSome } from "../../src/common/quote.ts";

test("quote shows any value on one short line", () => {
  expect(quote("a b")).toBe('"a b"');
  expect(quote('line\nbreak "x"\t')).toBe('"line\\nbreak \\"x\\"\\t"');
  expect(quote("x".repeat(60))).toBe(`"${"x".repeat(60)}"`);
  expect(quote("x".repeat(61))).toBe(`"${"x".repeat(57)}..."`);
  expect([5, -0.5, Number.NaN, Infinity, true, null].map(quote)).toEqual([
    "5",
    "-0.5",
    "NaN",
    "Infinity",
    "true",
    "null",
  ]);
  expect(quote(undefined)).toBe("absent");
  expect(quote([5, "a", null])).toBe('[5, "a", null]');
  expect(quote([])).toBe("[]");
  expect(quote([1, 2, 3, 4, 5])).toBe("a list of 5");
  expect(quote([[1]])).toBe("a list of 1");
  expect(quote({ a: 1 })).toBe("an object");
});

test("quoteSome shows the first few", () => {
  expect(quoteSome([])).toBe("");
  expect(quoteSome(["a", "b"])).toBe('"a", "b"');
  expect(quoteSome(["a", "b", "c"], 2)).toBe('"a", "b", ...');
});
