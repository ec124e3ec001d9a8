import { expect, test } from "bun:test";
import { Random } from "../../../src/common/random/random.ts";
import { tokenizeAll } from "../../../src/data/sequences/tokenizer.ts";
import { sketchWords, WordSketch } from "../../../src/data/sequences/wordSketch.ts";

const random = new Random(3);
const randomSequence = (bases: number) =>
  Array.from({ length: bases }, () => "ACGT"[random.integer(4)]).join("");
const mutated = (sequence: string, rate: number) =>
  [...sequence].map((base) => (random.float() < rate ? "ACGT"[random.integer(4)] : base)).join("");
const turned = (sequence: string) =>
  [...sequence]
    .reverse()
    .map((base) => ({ A: "T", C: "G", G: "C", T: "A" })[base])
    .join("");
const tokens = (sequence: string) => tokenizeAll([sequence]).values.subarray(1);

const family = Array.from({ length: 20 }, () => randomSequence(150));
const sketch = new WordSketch(sketchWords(family.map(tokens)), 150);

test("relatives are known, reverse complements and strangers are told from them", () => {
  for (const member of family) {
    const relative = mutated(member, 0.01);
    expect(sketch.judge(tokens(member))).toBe("known");
    expect(sketch.judge(tokens(relative))).toBe("known");
    expect(sketch.judge(tokens(turned(relative)))).toBe("reversed");
    expect(sketch.judge(tokens(randomSequence(150)))).toBe("foreign");
  }
});

test("only the bases that a model reads count", () => {
  const [member] = family;
  const shifted = randomSequence(150) + member;
  expect(sketch.judge(tokens(shifted))).toBe("foreign");
  expect(sketch.judge(tokens(member + randomSequence(150)))).toBe("known");
  expect(sketch.judge(tokens(turned(member + randomSequence(150))))).toBe("reversed");
});

test("sequences without words are not judged", () => {
  expect(sketch.judge(tokens("ACGTACGTA"))).toBe("too short");
  expect(sketch.judge(tokens("ACGTNACGTN".repeat(15)))).toBe("too short");
});

test("a sketch does not depend on the order of sequences", () => {
  expect(sketchWords(family.map(tokens).reverse())).toBe(sketchWords(family.map(tokens)));
});
