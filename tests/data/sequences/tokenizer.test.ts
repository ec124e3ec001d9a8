import { describe, expect, test } from "bun:test";
import { tokenizeAll } from "../../../src/data/sequences/tokenizer.ts";
import { tokenize } from "../../helpers/tokenize.ts";

describe("the tokens of a sequence", () => {
  test("puts START before the bases, whatever their case", () => {
    expect([...tokenize("ACGTacgt")]).toEqual([5, 1, 2, 3, 4, 1, 2, 3, 4]);
    expect([...tokenize("")]).toEqual([5]);
  });

  test("B40: reads U as T, and everything else as 0 at its own position", () => {
    expect([...tokenize("AUuNRY-4é𝄞")]).toEqual([5, 1, 4, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
  });
});

describe("tokenizeAll", () => {
  test("lays the sequences end to end and says what is unknown", () => {
    const { values, offsets, unknown } = tokenizeAll(["AC", "", "NGn", "T-"]);
    expect([...offsets]).toEqual([0, 3, 4, 8, 11]);
    expect([...values]).toEqual([5, 1, 2, 5, 5, 0, 3, 0, 5, 4, 0]);
    expect(unknown).toEqual({
      positions: 3,
      sequences: 2,
      characters: { N: 1, n: 1, "-": 1 },
      firstSequence: 2,
    });
  });

  test("reports nothing for clean sequences", () => {
    expect(tokenizeAll(["ACGT"]).unknown).toEqual({
      positions: 0,
      sequences: 0,
      characters: {},
      firstSequence: -1,
    });
  });
});
