import { describe, expect, test } from "bun:test";
import { Random } from "../../../src/common/random/random.ts";

/** xoshiro128** with BigInt arithmetic, straight from its published definition. */
function* xoshiro(words: readonly number[]): Generator<number> {
  const mask = 0xffffffffn;
  const rotate = (word: bigint, count: bigint) => ((word << count) | (word >> (32n - count))) & mask;
  const [a, b, c, d] = [0, 1, 2, 3];
  const s = words.map(BigInt);
  for (;;) {
    yield Number((rotate((s[b] * 5n) & mask, 7n) * 9n) & mask);
    const shifted = (s[b] << 9n) & mask;
    s[c] ^= s[a];
    s[d] ^= s[b];
    s[b] ^= s[c];
    s[a] ^= s[d];
    s[c] ^= shifted;
    s[d] = rotate(s[d], 11n);
  }
}

describe("Random", () => {
  test("follows the definition of xoshiro128**", () => {
    const words = [1, 2, 3, 4];
    const random = Random.restore({ algorithm: "xoshiro128**", words });
    const expected = xoshiro(words);
    expect(random.uint32()).toBe(11520);
    expected.next();
    for (let i = 0; i < 1000; i++) expect(random.uint32()).toBe(expected.next().value as number);
  });

  test("gives the same numbers for the same seed, for ever", () => {
    const random = new Random(42);
    const numbers = Array.from({ length: 4 }, () => random.uint32());
    expect(numbers).toEqual([1271730424, 3005328406, 168798248, 3472072036]);
  });

  test("gives different numbers for neighbouring and for very large seeds", () => {
    const seeds = [0, 1, 2, 3, 2 ** 32, 2 ** 32 + 1, 2 ** 33, Number.MAX_SAFE_INTEGER];
    const firsts = new Set(seeds.flatMap((seed) => ((r) => [r.uint32(), r.uint32()])(new Random(seed))));
    expect(firsts.size).toBe(2 * seeds.length);
  });

  test("continues from a state that went through JSON", () => {
    const random = new Random(7);
    for (let i = 0; i < 5; i++) random.float();
    const restored = Random.restore(JSON.parse(JSON.stringify(random.save())));
    expect(Array.from({ length: 20 }, () => restored.uint32())).toEqual(
      Array.from({ length: 20 }, () => random.uint32()),
    );
  });

  test("refuses impossible seeds, states and bounds", () => {
    for (const seed of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => new Random(seed)).toThrow(RangeError);
    const bad = [
      [0, 0, 0, 0],
      [1, 2, 3],
      [1, 2, 3, -1],
      [1, 2, 3, 0.5],
      [1, 2, 3, 2 ** 32],
    ];
    for (const words of bad)
      expect(() => Random.restore({ algorithm: "xoshiro128**", words })).toThrow(RangeError);
    for (const bound of [0, -1, 1.5, 2 ** 33]) expect(() => new Random(0).integer(bound)).toThrow(RangeError);
    expect(() => new Random(0).sample(3, 4)).toThrow(RangeError);
  });

  test("derives independent generators and stays as it is", () => {
    const random = new Random(3);
    const before = random.save();
    const labels = [["a"], ["b"], ["a", "b"], ["ab"], [1], ["1"], [1, 0], [0, 1]];
    const derived = labels.map((label) => random.derive(...label));
    expect(random.save()).toEqual(before);
    expect(new Set(derived.map((one) => one.uint32())).size).toBe(labels.length);
    expect(random.derive("a").uint32()).toBe(new Random(3).derive("a").uint32());
  });

  test("draws numbers in range with the right mean and spread", () => {
    const random = new Random(11);
    const n = 20_000;
    const floats = Array.from({ length: n }, () => random.float());
    expect(Math.min(...floats)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...floats)).toBeLessThan(1);
    expect(floats.reduce((sum, value) => sum + value, 0) / n).toBeCloseTo(0.5, 1);
    const normals = Array.from({ length: n }, () => random.normal());
    const mean = normals.reduce((sum, value) => sum + value, 0) / n;
    const variance = normals.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.05);
    const counts = new Array(6).fill(0);
    for (let i = 0; i < n; i++) counts[random.integer(6)]++;
    for (const count of counts) expect(Math.abs(count - n / 6)).toBeLessThan(250);
  });

  test("shuffles without losing anything, every order equally likely", () => {
    const random = new Random(5);
    const seen = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const key = random.shuffle(["a", "b", "c"]).join("");
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    expect(seen.size).toBe(6);
    for (const count of seen.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
    expect([...random.permutation(100)].sort((x, y) => x - y)).toEqual([...Array(100).keys()]);
    const sample = random.sample(50, 20);
    expect(new Set(sample).size).toBe(20);
    expect(Math.max(...sample)).toBeLessThan(50);
  });
});
