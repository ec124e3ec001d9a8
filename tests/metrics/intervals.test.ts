import { describe, expect, test } from "bun:test";
import { Random } from "../../src/common/random/random.ts";
import { conformalRadius, groupBootstrap } from "../../src/metrics/intervals.ts";

const meanOf = (values: ArrayLike<number>) => (rows: Int32Array) =>
  rows.reduce((sum, row) => sum + values[row], 0) / rows.length;

/** Values of groups that share an offset. */
function clustered(random: Random, groups: number, each: number) {
  const values: number[] = [];
  const groupOf: number[] = [];
  for (let group = 0; group < groups; group++) {
    const offset = random.normal();
    for (let i = 0; i < each; i++) {
      values.push(offset + 0.3 * random.normal());
      groupOf.push(group);
    }
  }
  return { values, groupOf };
}

describe("a bootstrap over groups", () => {
  test("holds the true mean about as often as it says, where one over rows does not", () => {
    let [held, heldByRows] = [0, 0];
    const trials = 40;
    for (let seed = 0; seed < trials; seed++) {
      const { values, groupOf } = clustered(new Random(seed), 40, 6);
      const options = { resamples: 150, seed };
      const byGroups = groupBootstrap(groupOf, meanOf(values), options);
      const byRows = groupBootstrap([...values.keys()], meanOf(values), options);
      if (byGroups.low <= 0 && byGroups.high >= 0) held++;
      if (byRows.low <= 0 && byRows.high >= 0) heldByRows++;
    }
    expect(held / trials).toBeGreaterThan(0.86);
    expect(heldByRows / trials).toBeLessThan(0.8);
  });

  test("is the same for the same seed, and refuses no values", () => {
    const { values, groupOf } = clustered(new Random(1), 10, 3);
    const options = { resamples: 100, seed: 5 };
    expect(groupBootstrap(groupOf, meanOf(values), options)).toEqual(
      groupBootstrap(groupOf, meanOf(values), options),
    );
    expect(() => groupBootstrap([], () => 0)).toThrow(RangeError);
  });
});

describe("a conformal radius", () => {
  test("is the quantile with one group more, each group weighing the same", () => {
    const each = Array.from({ length: 19 }, (_, i) => i + 1);
    // ceil(0.9 * 20) = 18
    expect(conformalRadius(each, each, 0.9)).toBe(18);
    // A group of 100 small scores weighs as much as each of the others.
    expect(
      conformalRadius([...each, ...new Array(100).fill(0)], [...each, ...new Array(100).fill(0)], 0.9),
    ).toBe(18);
    expect(conformalRadius([3, 1, 2], [0, 1, 2], 0.9)).toBe(3);
  });

  test("holds the share it promises of samples of new groups", () => {
    const random = new Random(7);
    let [held, all] = [0, 0];
    for (let trial = 0; trial < 200; trial++) {
      const { values, groupOf } = clustered(random, 30, 4);
      const radius = conformalRadius(values.map(Math.abs), groupOf, 0.9);
      const fresh = clustered(random, 1, 4).values;
      held += fresh.filter((value) => Math.abs(value) <= radius).length;
      all += fresh.length;
    }
    expect(held / all).toBeGreaterThan(0.86);
    expect(held / all).toBeLessThan(0.95);
  });
});
