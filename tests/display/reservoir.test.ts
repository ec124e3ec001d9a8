import { expect, test } from "bun:test";
import { Random } from "../../src/common/random/random.ts";
import { Reservoir } from "../../src/display/reservoir.ts";

const numbers = (from: number, to: number) => Float64Array.from({ length: to - from }, (_, i) => from + i);

test("fewer rows than its size are all kept, in their order", () => {
  const reservoir = new Reservoir(10, 2, new Random(1));
  reservoir.offer([1, 2], [3, 4]);
  reservoir.offer([5], [6]);
  expect(reservoir.seen).toBe(3);
  expect([...reservoir.column(0)]).toEqual([1, 2, 5]);
  expect([...reservoir.column(1)]).toEqual([3, 4, 6]);
});

test("the same seed keeps the same rows, however they are cut into pieces; rows stay together", () => {
  const whole = new Reservoir(50, 2, new Random(7));
  whole.offer(
    numbers(0, 5000),
    numbers(0, 5000).map((x) => -x),
  );
  const pieces = new Reservoir(50, 2, new Random(7));
  for (let from = 0; from < 5000; from += 13) {
    const part = numbers(from, Math.min(5000, from + 13));
    pieces.offer(
      part,
      part.map((x) => -x),
    );
  }
  expect(pieces.column(0)).toEqual(whole.column(0));
  expect(pieces.column(1)).toEqual(whole.column(0).map((x) => -x));
  expect(new Set(whole.column(0)).size).toBe(50);
  expect(pieces.seen).toBe(5000);
  const other = new Reservoir(50, 1, new Random(8));
  other.offer(numbers(0, 5000));
  expect(other.column(0)).not.toEqual(whole.column(0));
});

test("every row is kept equally often", () => {
  const random = new Random(3);
  const hits = new Float64Array(40);
  const rounds = 20_000;
  for (let round = 0; round < rounds; round++) {
    const reservoir = new Reservoir(5, 1, random);
    reservoir.offer(numbers(0, 40));
    for (const row of reservoir.column(0)) hits[row]++;
  }
  // Chi-squared with 39 degrees of freedom: above 72.1 with a chance of one in a thousand.
  const expected = (rounds * 5) / 40;
  const statistic = hits.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  expect(statistic).toBeLessThan(72.1);
});

test("columns of different lengths are refused", () => {
  const reservoir = new Reservoir(5, 2, new Random(1));
  expect(() => reservoir.offer([1, 2], [1])).toThrow(RangeError);
  expect(() => reservoir.offer([1, 2])).toThrow(RangeError);
});
