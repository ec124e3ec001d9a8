import { describe, expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";
import { integrateWays } from "../../../src/training/contributions/integrateWays.ts";

/** Straight ways between points [N, D] on which a function of points [P, D] changes. */
function straight(from: number[][], to: number[][], value: (x: torch.Tensor) => torch.Tensor) {
  const [start, end] = [from, to].map((rows) =>
    torch.tensor(Float64Array.from(rows.flat()), { shape: [rows.length, rows[0].length] }),
  );
  const moves = end.sub(start);
  const rows = (all: torch.Tensor, ways: readonly number[]) =>
    all.indexSelect(0, torch.tensor(BigInt64Array.from(ways, BigInt)));
  return {
    count: from.length,
    at: (t: number, ways: readonly number[]) => rows(start, ways).add(rows(moves, ways).mul(t)),
    value,
    gains: (_t: number, ways: readonly number[], slopes: torch.Tensor) =>
      slopes.mul(rows(moves, ways).unsqueeze(1)),
  };
}

describe("the gains on ways", () => {
  test("are those of the formula for polynomials, for every output and way", () => {
    // Of x² y from (0, 0) to (a, b) x has two thirds; of x + 3 y each has its own.
    const value = (x: torch.Tensor) => {
      const [a, b] = [x.select(1, 0), x.select(1, 1)];
      return torch.stack([a.square().mul(b), a.add(b.mul(3))], 1);
    };
    const ways = straight(
      [
        [0, 0],
        [0, 0],
      ],
      [
        [1, 3],
        [2, 5],
      ],
      value,
    );
    const { gains, start, end } = integrateWays(ways, 1);
    expect([...start]).toEqual([0, 0, 0, 0]);
    expect([...end]).toEqual([3, 10, 20, 17]);
    const expected = [2, 1, 1, 9, 40 / 3, 20 / 3, 2, 15];
    gains.toFloat64Array().forEach((gain, i) => {
      expect(gain).toBeCloseTo(expected[i], 12);
    });
  });

  test("add up at kinks and steep stretches, where a single quadrature does not", () => {
    const value = (x: torch.Tensor) => {
      const [a, b] = [x.select(1, 0), x.select(1, 1)];
      return torch.stack([a.mul(3).sub(1).relu().add(b), a.mul(200).sub(60).sigmoid()], 1);
    };
    const ways = straight([[0, 0]], [[1, 1]], value);
    const off = (parts: number) => {
      const { gains, start, end } = integrateWays(ways, parts);
      const sums = gains.sum([2]).toFloat64Array();
      return Math.max(...sums.map((sum, c) => Math.abs(sum - (end[c] - start[c]))));
    };
    expect(off(1)).toBeGreaterThan(1e-3);
    expect(off(64)).toBeLessThan(5e-5);
  });
});
