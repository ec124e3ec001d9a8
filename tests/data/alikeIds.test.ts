import { describe, expect, test } from "bun:test";
import { quote } from "../../src/common/quote.ts";
import { alikeIds } from "../../src/data/alikeIds.ts";

describe("ids that do not match", () => {
  const pairs: [ours: string, theirs: string, what: RegExp][] = [
    ["S1", "S1\u200b", /"S1" and "S1\\u200b" differ only in invisible characters/],
    ["S1", "\ufeffS1", /"\\ufeffS1" differ only in invisible/],
    ["S1", "S1\u00a0", /"S1\\u00a0" differ only in invisible/],
    ["S1", "s1", /upper and lower case/],
    ["caf\u00e9", "cafe\u0301", /how accents are encoded/],
    ["a1", "a1;size=12;", /an annotation such as ;size=/],
    ["ASV 1", "ASV_1", /blanks and underscores/],
    ["10317.0001-a", "X10317.0001.a", /what R makes of names/],
    ["1001", "1001.0", /how a number is written/],
    ["1e5", "100000", /how a number is written/],
    ["1E05", "1.00E+05", /how a number is written/],
    ["012", "12", /how a number is written/],
    ["S7", "S007", /leading zeros/],
    ["ACGT", "ACGU", /T and U/],
    ["a1 first", "a1", /words behind the first/],
    ["'a1'", "a1", /quotation marks/],
  ];
  for (const [ours, theirs, what] of pairs)
    test(`${quote(ours)} and ${quote(theirs)}`, () => {
      expect(alikeIds(["other", ours], [theirs, "third"])).toMatch(what);
      expect(alikeIds([theirs, "other"], ["third", ours])).not.toBe("");
    });

  test("that mean different things say nothing", () =>
    expect(alikeIds(["S1", "S2", "12345678901234567801"], ["T1", "S12", "12345678901234567802"])).toBe(""));
});
