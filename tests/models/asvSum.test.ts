import { expect, test } from "bun:test";
import { AsvSum } from "../../src/models/asvSum.ts";
import * as torch from "../../src/torch/index.ts";

/** Two samples of 3 and 2 ASVs in 3 slots. */
function samples() {
  torch.manualSeed(3);
  const slots = torch.randn([2, 3, 4]);
  const valid = torch.tensor(Uint8Array.of(1, 1, 1, 1, 1, 0), { shape: [2, 3] }).ne(0);
  return { slots, valid };
}

/** The rows of a sample's filled slots. */
const rowsOf = (slots: torch.Tensor, sample: number, count: number) =>
  Array.from({ length: count }, (_, i) => [...slots.select(0, sample).select(0, i).toFloat64Array()]);

const squared = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0);

test("products of sums are sums of exp(-d² / s) over all pairs of ASVs, and empty slots count nothing", () => {
  using _scope = torch.scope();
  const { slots, valid } = samples();
  const sum = new AsvSum(4, 20_000);
  const rows = [rowsOf(slots, 0, 3), rowsOf(slots, 1, 2)];
  const asvs = torch.tensor(Float32Array.from(rows.flat(2)), { shape: [5, 4] });
  sum.fitWidth(asvs);
  const all = rows.flat();
  // All others are among the ten nearest.
  const means = all
    .map((own) => all.reduce((total, other) => total + squared(own, other), 0) / 4)
    .sort((a, b) => a - b);
  const width = means[2] / 2;
  const values = sum.forward(slots, valid);
  const products = values
    .matmul(values.t())
    .mul(2 / 20_000)
    .toFloat64Array();
  const expected = rows.flatMap((left) =>
    rows.map((right) =>
      left.reduce(
        (total, a) => total + right.reduce((part, b) => part + Math.exp(-squared(a, b) / width), 0),
        0,
      ),
    ),
  );
  for (const [i, value] of expected.entries()) expect(Math.abs(products[i] - value)).toBeLessThan(0.1);
});

test("scaled sums of the samples they were fitted on have mean squared length 1", () => {
  using _scope = torch.scope();
  const { slots, valid } = samples();
  const sum = new AsvSum(4, 8);
  sum.fitScale(sum.forward(slots, valid));
  expect(sum.forward(slots, valid).square().sum([1]).mean().item()).toBeCloseTo(1, 5);
});
