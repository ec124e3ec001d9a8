import { describe, expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";
import {
  type AsvSums,
  ColumnSums,
  LinearSums,
  surenessOf,
  UnionSums,
} from "../../../src/training/contributions/asvSums.ts";

const [asvs, codes] = [5, 3];
torch.manualSeed(4);
const table = torch.rand([asvs, codes]).mul(4);
const values = table.toFloat64Array();
const base = Float64Array.of(0.2, 1, 0, 0.7, 0.4);
const samples = [
  [0, 1, 3],
  [1, 2],
];

/** Gains by the slopes of sums at t, against differences of the sums themselves. */
function compareWithDifferences(sums: AsvSums): void {
  const slopes = torch.tensor(Float64Array.of(1, -2, 0.5), { shape: [1, 1, codes] });
  for (const way of samples.keys())
    for (const t of [0.1, 0.6]) {
      const step = 1e-6;
      const [before, after] = [t - step, t + step].map((at) =>
        sums.at(at, [way]).matmul(slopes.view([-1, 1])),
      );
      const gained = sums.gains(t, [way], slopes).sum().item();
      expect(gained).toBeCloseTo((after.item() - before.item()) / (2 * step), 6);
    }
}

describe("sums of codes on the way from a base", () => {
  const union = () => new UnionSums(surenessOf(table), base, samples, new Map());

  test("are the chance of any ASV with the code, over all sets of ASVs there could be", () => {
    for (const [way, own] of samples.entries())
      for (const t of [0, 0.3, 0.99]) {
        const has = (asv: number) => Number(own.includes(asv));
        const degrees = Array.from(base, (degree, asv) => degree + t * (has(asv) - degree));
        const found = union().at(t, [way]).neg().expm1().neg().toFloat64Array();
        for (let code = 0; code < codes; code++) {
          let chance = 0;
          for (let set = 0; set < 1 << asvs; set++) {
            let [likely, sum] = [1, 0];
            degrees.forEach((degree, asv) => {
              const isThere = (set >> asv) & 1;
              likely *= isThere ? degree : 1 - degree;
              if (isThere) sum += values[asv * codes + code];
            });
            chance += likely * (1 - Math.exp(-sum));
          }
          expect(found[code]).toBeCloseTo(chance, 6);
        }
      }
  });

  test("are at its end the sums of the sample's codes, of which a set encoder makes features", () => {
    const found = union().at(1, [0, 1]).toFloat64Array();
    samples.forEach((own, way) => {
      for (let code = 0; code < codes; code++)
        expect(found[way * codes + code]).toBeCloseTo(
          own.reduce((sum, asv) => sum + values[asv * codes + code], 0),
          6,
        );
    });
  });

  test("gain what they change by, also with an ASV that is always there", () => {
    compareWithDifferences(union());
  });

  test("are finite where an ASV that is always there surely has a code", () => {
    const sure = new UnionSums(surenessOf(torch.full([1, 1], 50)), Float64Array.of(1), [[0]], new Map());
    const slopes = torch.ones([1, 1, 1], { dtype: "float64" });
    for (const t of [0, 0.5, 1])
      expect([sure.at(t, [0]).item(), sure.gains(t, [0], slopes).item()].every(Number.isFinite)).toBe(true);
  });
});

test("linear sums gain each ASV's weight times its movement", () => {
  const degrees = [0.5, 0.3, 0.2];
  const given = samples.map((own) => ({ asvs: own, degrees: degrees.slice(0, own.length) }));
  const sums = new LinearSums(table, base, given);
  compareWithDifferences(sums);
  const slopes = torch.tensor(Float64Array.of(1, 0, 0), { shape: [1, 1, codes] });
  const gains = sums.gains(0.5, [0], slopes).toFloat64Array();
  base.forEach((degree, asv) => {
    const at = samples[0].indexOf(asv);
    expect(gains[asv]).toBeCloseTo(((at < 0 ? 0 : degrees[at]) - degree) * values[asv * codes], 6);
  });
});

test("sums in columns are of each ASV's degree, and ASVs without a column have none", () => {
  const columns = [2, 0, 1, 3, 2];
  const there = samples.map((own) => ({ asvs: own, degrees: own.map((asv) => (asv + 1) / 8) }));
  const sums = new ColumnSums(columns, codes, base, there);
  there.forEach(({ asvs: own, degrees }, way) => {
    const t = 0.4;
    const expected = [0, 0, 0];
    columns.forEach((column, asv) => {
      const end = own.includes(asv) ? degrees[own.indexOf(asv)] : 0;
      if (column > 0) expected[column - 1] += base[asv] + t * (end - base[asv]);
    });
    const found = sums.at(t, [way]).toFloat64Array();
    for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 10);
  });
  compareWithDifferences(sums);
  const slopes = torch.ones([1, 1, codes], { dtype: "float64" });
  expect(sums.gains(0.5, [0], slopes).toFloat64Array()[1]).toBeCloseTo(0, 12);
});
