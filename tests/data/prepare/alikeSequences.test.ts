import { expect, test } from "bun:test";
import { alikeSequences } from "../../../src/data/prepare/alikeSequences.ts";

const sequences = ["ACGTACGTAC", "TTGTACGTAC", "GGGTACGTAC"];

test("different sequences say nothing", () => {
  expect(alikeSequences(["a", "b", "c"], sequences)).toEqual([]);
  expect(alikeSequences([], [])).toEqual([]);
});

test("one sequence under two names is told, however it is written", () => {
  expect(alikeSequences(["a", "b", "c", "d"], [...sequences, "acguacguac"])).toEqual([
    expect.stringMatching(/^1 of 4 ASVs have the sequence of another one \(the first are "a" and "d"\)/),
  ]);
});

test("sequences that were cut shorter are told where they are many", () => {
  const short = sequences.map((sequence) => sequence.slice(0, 7));
  expect(alikeSequences(["a", "b", "c", "d", "e", "f"], [...sequences, ...short])).toEqual([
    expect.stringMatching(/^3 of 6 ASVs are the beginning of a longer one \("d" and "a"\)/),
  ]);
  const many = Array.from({ length: 32 }, (_, i) =>
    `CC${i.toString(2).padStart(5, "0")}`.replace(/[01]/g, (bit) => "AG"[+bit]),
  );
  const ids = [...many.keys(), "x"].map(String);
  expect(alikeSequences(ids, [...many, many[0].slice(0, 4)])).toEqual([]);
});
