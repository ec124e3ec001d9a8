import { expect, test } from "bun:test";
import { pairwiseDistances } from "../../../src/models/pairwiseDistances.ts";
import * as torch from "../../../src/torch/index.ts";
import {
  baseValueLoss,
  countLoss,
  nucleotideLoss,
  unifracLoss,
} from "../../../src/training/objectives/losses.ts";
import { totalLoss } from "../../../src/training/objectives/multiTaskLoss.ts";
import { TargetLoss, type TargetLossOptions } from "../../../src/training/objectives/targetLoss.ts";

torch.setNumThreads(1);

const wide = { dtype: "float64" } as const;
const square = torch.tensor(
  [
    [0, 0],
    [3, 4],
    [3, 4],
    [6, 8],
  ],
  wide,
);

test("B20: distances of a known square, raw and through tanh of any scale", () => {
  const raw = pairwiseDistances(square).toArray() as number[][];
  expect(raw[0]).toEqual([0, 5, 5, 10]);
  expect(raw[1][2]).toBeCloseTo(1e-4, 12);
  const squashed = pairwiseDistances(square, { tanhScale: 10 }).toArray() as number[][];
  expect(squashed[0][1]).toBeCloseTo(0.4621171573, 9);
  expect(squashed[0][3]).toBeCloseTo(0.761594156, 9);
  expect(squashed[1][2]).toBeCloseTo(1e-5, 12);
});

test("distances of close embeddings far from the origin keep their digits", () => {
  const generator = new torch.Generator("cpu").manualSeed(1);
  const common = torch.randn([1, 128], { generator });
  const close = torch.randn([64, 128], { generator }).mul(0.003).add(common.mul(1));
  const exact = pairwiseDistances(close.to("float64"));
  const error = pairwiseDistances(close).sub(exact).abs().max().item();
  expect(error / exact.max().item()).toBeLessThan(1e-5);
});

test("the gradient of a distance is finite where samples coincide, and that of a learned scale is right", () => {
  const embeddings = torch.tensor(
    [
      [1, 2],
      [1, 2],
      [0, 1],
    ],
    { ...wide, requiresGrad: true },
  );
  const scale = torch.tensor(2, { ...wide, requiresGrad: true });
  pairwiseDistances(embeddings, { tanhScale: scale }).sum().backward();
  expect(embeddings.grad!.isfinite().all().itemBool()).toBe(true);
  // Four ordered pairs at a distance of sqrt(2), two at 1e-4: d/ds tanh(d/s) = -d/s^2 (1 - tanh^2(d/s))
  const slope = (d: number) => (-d / 4) * (1 - Math.tanh(d / 2) ** 2);
  expect(scale.grad!.item()).toBeCloseTo(4 * slope(Math.SQRT2) + 2 * slope(1e-4), 9);
});

test("UniFrac loss: the strict upper triangle, known pairs alone", () => {
  const target = torch.tensor(
    [
      [9, 4, 5, 8],
      [0, 9, 1, Number.NaN],
      [0, 0, 9, 3],
      [0, 0, 0, 9],
    ],
    wide,
  );
  const known = [1, 0, 4, (1e-4 - 1) ** 2, 4];
  const embeddings = square.clone().requiresGrad_();
  const loss = unifracLoss(embeddings, target);
  expect(loss.item()).toBeCloseTo(known.reduce((sum, value) => sum + value) / known.length, 9);
  loss.backward();
  expect(embeddings.grad!.isfinite().all().itemBool()).toBe(true);
  const mask = torch.zeros([4, 4], { dtype: "bool" });
  mask.setAt([0, 3], true);
  expect(unifracLoss(square, target, { known: mask }).item()).toBeCloseTo(4, 9);
});

test("no known pair: 0, with a gradient of 0", () => {
  for (const [embeddings, target] of [
    [torch.ones([1, 3]), torch.zeros([1, 1])],
    [torch.ones([2, 3]), torch.full([2, 2], Number.NaN)],
  ]) {
    const leaf = embeddings.requiresGrad_();
    const loss = unifracLoss(leaf, target);
    expect(loss.item()).toBe(0);
    loss.backward();
    expect(leaf.grad!.eq(0).all().itemBool()).toBe(true);
  }
});

test("values and counts: unknown ones and empty slots do not count", () => {
  const prediction = torch.tensor([[1], [2], [4]], { ...wide, requiresGrad: true });
  const loss = baseValueLoss(prediction, torch.tensor([2, Number.NaN, 1], wide));
  expect(loss.item()).toBe(5);
  loss.backward();
  expect(prediction.grad!.toArray()).toEqual([[-1], [0], [3]]);
  const counts = torch.tensor([[1, 5]], wide);
  const valid = torch.tensor([[true, false]]);
  expect(countLoss(torch.tensor([[[3], [9]]], wide), counts, valid).item()).toBe(4);
  expect(countLoss(torch.tensor([[[3], [9]]], wide), counts, null).item()).toBe(10);
  expect(countLoss(counts, counts.add(1), valid.logicalNot().logicalAnd(valid)).item()).toBe(0);
});

test("nucleotide loss weighs each ASV by how often it occurs", () => {
  const tokens = torch.tensor(
    [
      [5, 1],
      [5, 0],
    ],
    { dtype: "int64" },
  );
  const logits = torch.randn([4, 7], wide);
  const each = torch.nn.functional
    .crossEntropy(logits, tokens.flatten(), { reduction: "none" })
    .toFloat64Array();
  const prediction = { logits, positions: null, filled: null, mask: null };
  const loss = nucleotideLoss(prediction, { tokens, multiplicity: torch.tensor([3, 2], wide) });
  expect(loss.item()).toBeCloseTo((3 * each[0] + 3 * each[1] + 2 * each[2]) / 8, 12);
  const hidden = { ...prediction, filled: torch.zeros([4], { dtype: "bool" }) };
  expect(nucleotideLoss(hidden, { tokens, multiplicity: torch.ones([2]) }).item()).toBe(0);
});

const predictions = torch.tensor(
  [
    [0.5, -1],
    [2, 0],
    [1, 3.5],
  ],
  wide,
);
const truth = torch.tensor(
  [
    [0, 0],
    [1, -2],
    [4, 3],
  ],
  wide,
);
const weights = torch.tensor([1, 2, 0.5], wide);

for (const [name, options, plain, weighted] of [
  ["mse", { type: "mse" }, 2.5833333, 2.6458333],
  ["mae", { type: "mae" }, 1.3333333, 1.5416667],
  ["huber", {}, 0.875, 0.9895833],
  ["asymmetric", { type: "asymmetric", overPenalty: 2, underPenalty: 0.5 }, 1.6666667, 2.4583333],
  ["by column", { perColumn: { 0: "mse", 1: "mae" } }, 2.2916667, null],
  ["by name", { type: "mae", perColumn: { ph: "mse" }, columns: ["ph", "age"] }, 2.2916667, null],
  [
    "by column, ignored with weights",
    { perColumn: { 0: "mse" }, ignoreColumnsWithWeights: true },
    null,
    0.9895833,
  ],
] as const satisfies readonly (readonly [string, TargetLossOptions, number | null, number | null])[]) {
  test(`target loss ${name}`, () => {
    const loss = new TargetLoss(options);
    if (plain !== null) expect(loss.regression(predictions, truth).item()).toBeCloseTo(plain, 7);
    if (weighted !== null) {
      expect(loss.regression(predictions, truth, { sampleWeights: weights }).item()).toBeCloseTo(weighted, 7);
    }
  });
}

test("B29: losses by column hold with sample weights too", () => {
  const loss = new TargetLoss({ perColumn: { 0: "mse", 1: "mae" } });
  const each = [(0.25 + 1) / 2, (1 + 2) / 2, (9 + 0.5) / 2];
  const expected = (each[0] + 2 * each[1] + 0.5 * each[2]) / 3;
  expect(loss.regression(predictions, truth, { sampleWeights: weights }).item()).toBeCloseTo(expected, 9);
});

test("quantiles", () => {
  const spread = torch.stack([predictions.sub(1), predictions, predictions.add(1)], -1);
  const loss = new TargetLoss({ type: "quantile", quantiles: [0.1, 0.5, 0.9] });
  expect(loss.regression(spread, truth).item()).toBeCloseTo(0.4555556, 7);
  expect(loss.regression(spread, truth, { sampleWeights: weights }).item()).toBeCloseTo(0.5013889, 7);
});

test("classes, class weights, sample weights", () => {
  const logits = torch
    .tensor(
      [
        [1, 2, 0],
        [0, 0, 3],
        [2, 0, 1],
      ],
      wide,
    )
    .logSoftmax(-1);
  const classes = torch.tensor([1, 2, 0], { dtype: "int64" });
  const balanced = new TargetLoss({ classWeights: [1, 2, 3] });
  expect(new TargetLoss().classification(logits, classes).item()).toBeCloseTo(0.3033783, 7);
  expect(balanced.classification(logits, classes).item()).toBeCloseTo(0.2512645, 7);
  expect(balanced.classification(logits, classes, { sampleWeights: weights }).item()).toBeCloseTo(
    0.5295175,
    7,
  );
  const partly = torch.tensor([1, -1, 0], { dtype: "int64" });
  const two = [logits.at(0, 1).item(), logits.at(2, 0).item()];
  expect(new TargetLoss().classification(logits, partly).item()).toBeCloseTo(-(two[0] + two[1]) / 2, 9);
  expect(balanced.classification(logits, classes.fill_(-1)).item()).toBe(0);
});

test("unknown targets neither count nor give NaN gradients", () => {
  const holes = truth.clone();
  holes.setAt([0, 1], Number.NaN);
  holes.setAt([2], Number.NaN);
  for (const type of ["mse", "mae", "huber", "asymmetric"] as const) {
    const leaf = predictions.clone().requiresGrad_();
    const loss = new TargetLoss({ type }).regression(leaf, holes);
    loss.backward();
    expect(loss.item()).toBeCloseTo(
      new TargetLoss({ type })
        .regression(torch.tensor([[0.5], [2], [0]], wide), torch.tensor([[0], [1], [-2]], wide))
        .item(),
      9,
    );
    expect(leaf.grad!.isfinite().all().itemBool()).toBe(true);
    expect(leaf.grad!.at(2).eq(0).all().itemBool()).toBe(true);
  }
});

test("wrong settings are refused in words", () => {
  const make = (options: unknown) => () => new TargetLoss(options as TargetLossOptions);
  expect(make({ type: "cubic" })).toThrow(/"cubic" does not exist/);
  expect(make({ type: "quantile" })).toThrow(/needs levels/);
  expect(make({ type: "quantile", quantiles: [] })).toThrow(/needs levels/);
  expect(make({ type: "quantile", quantiles: [0.5, 1] })).toThrow(/between 0 and 1, got 1/);
  expect(make({ type: "asymmetric", overPenalty: 0 })).toThrow(/above 0, got 0 over/);
  expect(make({ perColumn: { ph: "quantile" } })).toThrow(/column "ph" is "quantile"/);
  expect(make({ type: "asymmetric", perColumn: { ph: "mse" } })).toThrow(/do not go with/);
});

test("the total is the weighted sum of the parts that there are", () => {
  const part = (value: number) => torch.tensor(value, { ...wide, requiresGrad: true });
  const [target, count, unifrac, nuc] = [part(2), part(3), part(5), part(7)];
  const all = totalLoss(
    { target_loss: target, count_loss: count, unifrac_loss: unifrac, nuc_loss: nuc },
    { target_loss: 3, count_loss: 0, unifrac_loss: 0.5 },
  );
  expect(all.total_loss.item()).toBe(6 + 2.5 + 7);
  all.total_loss.backward();
  expect([target, count, unifrac, nuc].map((leaf) => leaf.grad!.item())).toEqual([3, 0, 0.5, 1]);
  const some = totalLoss({ unifrac_loss: unifrac, nuc_loss: null });
  expect([some.total_loss.item(), some.nuc_loss.item(), some.target_loss.item()]).toEqual([5, 0, 0]);
  const nothing = totalLoss({});
  nothing.total_loss.backward();
  expect(nothing.total_loss.item()).toBe(0);
});
