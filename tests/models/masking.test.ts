import { expect, test } from "bun:test";
import { chooseMask, type MaskStrategy, maskCapacity, selectPositions } from "../../src/models/masking.ts";
import * as torch from "../../src/torch/index.ts";

interface Estimate {
  readonly value: number;
  readonly tolerance: number;
}
interface Entry {
  readonly strategy: MaskStrategy;
  readonly ratio: number;
  readonly bases: number;
  readonly unknown: readonly number[];
  readonly sampleSize: number;
  readonly fraction: Estimate;
  readonly fractionSpread: Estimate;
  readonly untouched: Estimate;
  readonly perPosition: readonly Estimate[];
  readonly runShare: readonly Estimate[];
  readonly adjacent: Estimate;
}

const entries = (await Bun.file(`${import.meta.dir}/../fixtures/masking.json`).json()) as Entry[];

function tokensOf({ bases, unknown }: Entry, rows: number): torch.Tensor {
  const tokens = torch.randint(1, 5, [rows, bases + 1]);
  tokens.select(1, 0).fill_(5);
  for (const position of unknown) tokens.select(1, position).fill_(0);
  return tokens;
}

function near(what: string, actual: number, { value, tolerance }: Estimate): void {
  expect({ what, actual, value, within: Math.abs(actual - value) <= tolerance }).toEqual({
    what,
    actual,
    value,
    within: true,
  });
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Lengths of the maximal runs of true. */
function runs(row: Uint8Array): number[] {
  const lengths: number[] = [];
  let length = 0;
  for (const masked of [...row, 0]) {
    if (masked) length++;
    else if (length > 0) lengths.push(length);
    if (!masked) length = 0;
  }
  return lengths;
}

for (const entry of entries) {
  const { strategy, ratio, bases, sampleSize } = entry;
  test(`${strategy} masks of ${ratio} of ${bases} bases are distributed as the reference's`, () => {
    torch.manualSeed(5);
    const tokens = tokensOf(entry, sampleSize);
    const mask = chooseMask(tokens, ratio, strategy);
    const known = tokens.ge(1).logicalAnd(tokens.le(4));
    expect(mask.logicalAnd(known.logicalNot()).any().itemBool()).toBe(false);
    const fractions = [...mask.sum(1).div(known.sum(1)).toFloat64Array()];
    const average = mean(fractions);
    near("fraction", average, entry.fraction);
    const spread = Math.sqrt(mean(fractions.map((value) => (value - average) ** 2)));
    near("spread", spread, entry.fractionSpread);
    near("untouched", mean(fractions.map((value) => (value === 0 ? 1 : 0))), entry.untouched);
    const perPosition = mask.to("float64").mean(0).toFloat64Array();
    entry.perPosition.forEach((expected, i) => {
      near(`position ${i}`, perPosition[i], expected);
    });
    const values = mask.data() as Uint8Array;
    const length = bases + 1;
    const found = Array.from({ length: sampleSize }, (_, row) =>
      runs(values.subarray(row * length, (row + 1) * length)),
    );
    const all = found.flat();
    entry.runShare.forEach((expected, i) => {
      const fits = (run: number) => (i === entry.runShare.length - 1 ? run > i : run === i + 1);
      near(`runs of ${i + 1}`, all.filter(fits).length / all.length, expected);
    });
    const left = mask.narrow(1, 0, length - 1);
    const pairs = left
      .logicalAnd(known.narrow(1, 1, length - 1))
      .sum()
      .item();
    const both = left
      .logicalAnd(mask.narrow(1, 1, length - 1))
      .sum()
      .item();
    near("adjacent", pairs === 0 ? 0 : both / pairs, entry.adjacent);
    expect(mask.sum().item()).toBeLessThanOrEqual(maskCapacity(sampleSize, length, ratio, strategy));
  });
}

test("a mask never exceeds its capacity, also in small batches", () => {
  torch.manualSeed(6);
  for (const strategy of ["random", "span"] as const) {
    for (const ratio of [0.05, 0.15, 0.5, 0.9]) {
      for (let round = 0; round < 50; round++) {
        const tokens = torch.randint(0, 6, [1 + (round % 4), 2 + round]);
        const count = chooseMask(tokens, ratio, strategy).sum().item();
        expect(count).toBeLessThanOrEqual(maskCapacity(tokens.size(0), tokens.size(1), ratio, strategy));
      }
    }
  }
});

test("equal seeds choose equal masks", () => {
  const tokens = torch.randint(1, 5, [20, 30]);
  for (const strategy of ["random", "span"] as const) {
    torch.manualSeed(1);
    const first = chooseMask(tokens, 0.3, strategy);
    torch.manualSeed(1);
    expect(chooseMask(tokens, 0.3, strategy).equal(first)).toBe(true);
    expect(chooseMask(tokens, 0.3, strategy).equal(first)).toBe(false);
  }
});

test("selected positions are those of the mask, in order, and the rest is not filled", () => {
  const mask = torch.tensor([
    [false, true, false],
    [true, false, true],
  ]);
  const enough = selectPositions(mask, 5);
  expect(enough.positions.toArray()).toEqual([1, 3, 5, 0, 0]);
  expect(enough.filled.toArray()).toEqual([true, true, true, false, false]);
  const few = selectPositions(mask, 2);
  expect(few.positions.toArray()).toEqual([1, 3]);
  expect(few.filled.toArray()).toEqual([true, true]);
});
