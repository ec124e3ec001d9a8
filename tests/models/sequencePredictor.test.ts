import { expect, test } from "bun:test";
import { onTestDevice, testDevice } from "../../lab/material/testDevice.ts";
import type { Fusion } from "../../src/models/fusion.ts";
import { denseToRagged, type RaggedBatch } from "../../src/models/raggedBatch.ts";
import { SequenceEncoder } from "../../src/models/sequenceEncoder.ts";
import { SequencePredictor, type SequencePredictorOptions } from "../../src/models/sequencePredictor.ts";
import { ReferencePredictor } from "../../src/reference/predictor.ts";
import * as torch from "../../src/torch/index.ts";
import { perturb, smallEncoder, smallTransformer } from "../helpers/smallModels.ts";

torch.setNumThreads(1);

const cardinalities = { site: 4, season: 3 };

function predictor(
  options: Partial<SequencePredictorOptions> = {},
  Predictor = SequencePredictor,
): SequencePredictor {
  torch.manualSeed(2);
  const one = { ...smallTransformer, layers: 1 };
  const made = new Predictor({ base: smallEncoder(), count: one, target: one, ...options });
  perturb(made, 5);
  return made.to(testDevice);
}

function categorical(
  fusion: Fusion,
  Predictor = SequencePredictor,
  options: Partial<SequencePredictorOptions> = {},
): SequencePredictor {
  const categories = { cardinalities, columnDim: 4, fusion, heads: 2, latents: 3, layers: 1, dropout: 0 };
  return predictor({ categories, ...options }, Predictor);
}

const ids = onTestDevice({
  site: torch.tensor([1, 2, 3], { dtype: "int64" }),
  season: torch.tensor([2, 0, 1], { dtype: "int64" }),
});

/** Three samples of 3, 1 and 2 ASVs, behind them `spare` empty slots. */
function batch(spare = 0): RaggedBatch {
  const tokens = torch.randint(1, 5, [3, 3, 9], { generator: new torch.Generator("cpu").manualSeed(3) });
  tokens.select(2, 0).fill_(5);
  tokens.select(0, 1).narrow(0, 1, 2).fill_(0);
  tokens.select(0, 2).narrow(0, 2, 1).fill_(0);
  return onTestDevice(denseToRagged(torch.cat([tokens, torch.zeros([3, spare, 9], { dtype: "int64" })], 1)));
}

function distance(a: torch.Tensor, b: torch.Tensor): number {
  return a.sub(b).abs().max().item();
}

test("B18: cross-attention: slots differ in what they take, and columns in how much; the reference's form cannot", () => {
  const weights = categorical("cross-attention").eval().forward(batch(), { categories: ids }).fusionWeights!;
  expect(weights.shape).toEqual([3, 2, 3, 3]);
  expect(distance(weights.sum(-1), torch.ones([3, 2, 3], { device: testDevice }))).toBeLessThan(1e-5);
  expect(
    weights
      .select(0, 0)
      .std({ dim: [1] })
      .max()
      .item(),
  ).toBeGreaterThan(1e-3);
  expect(
    weights
      .select(2, 0)
      .std({ dim: [2] })
      .max()
      .item(),
  ).toBeGreaterThan(1e-3);
  const old = categorical("cross-attention", ReferencePredictor).eval();
  const constant = old.forward(batch(), { categories: ids }).fusionWeights!;
  expect(constant.shape).toEqual([3, 2, 3, 1]);
  expect(constant.eq(1).all().itemBool()).toBe(true);
});

test("B19: no fusion depends on how many empty slots there are; the reference's perceiver does", () => {
  for (const fusion of ["concat", "add", "gmu", "cross-attention", "perceiver"] as const) {
    const model = categorical(fusion).eval();
    const [few, many] = [0, 4].map((spare) => model.forward(batch(spare), { categories: ids }).target);
    expect({ fusion, same: distance(few, many) < 1e-5 }).toEqual({ fusion, same: true });
  }
  const old = categorical("perceiver", ReferencePredictor).eval();
  const [few, many] = [0, 4].map((spare) => old.forward(batch(spare), { categories: ids }).target);
  expect(distance(few, many)).toBeGreaterThan(1e-3);
});

test("every fusion depends on each column, and an absent column is the unknown category", () => {
  for (const fusion of ["concat", "add", "gmu", "cross-attention", "perceiver"] as const) {
    const model = categorical(fusion).eval();
    const zeros = torch.zeros([3], { dtype: "int64", device: testDevice });
    const predict = (categories: Record<string, torch.Tensor>) =>
      model.forward(batch(), { categories }).target;
    const all = predict(ids);
    expect({ fusion, site: distance(all, predict({ ...ids, site: zeros })) > 1e-4 }).toEqual({
      fusion,
      site: true,
    });
    expect({ fusion, season: distance(all, predict({ ...ids, season: zeros })) > 1e-4 }).toEqual({
      fusion,
      season: true,
    });
    const unknown = predict({ site: zeros, season: zeros });
    expect(predict({}).equal(unknown)).toBe(true);
    expect(model.forward(batch()).target.equal(unknown)).toBe(true);
  }
});

test("the weights of the reference's form load into the mended one, but for a perceiver's unused transformer", () => {
  for (const fusion of ["concat", "add", "gmu", "cross-attention", "perceiver"] as const) {
    const state = categorical(fusion, ReferencePredictor).stateDict();
    const { missing, unexpected } = categorical(fusion).loadStateDict(state, { strict: false });
    expect(missing).toEqual([]);
    const unused = unexpected.every((name) => /^target_(encoder|pooling)\./.test(name));
    expect({ fusion, unused, any: unexpected.length > 0 }).toEqual({
      fusion,
      unused: true,
      any: fusion === "perceiver",
    });
  }
});

test("B35: a frozen encoder keeps its weights and works as in evaluation", () => {
  const noisy = { ...smallTransformer, dropout: 0.5 };
  const base = { ...smallEncoder(), sample: noisy, encoder: noisy };
  const model = predictor({ base, freezeBase: true }).train();
  expect(model.baseModel.training).toBe(false);
  expect(model.targetEncoder!.training).toBe(true);
  const first = model.forward(batch());
  expect(first.base.embeddings!.equal(model.forward(batch()).base.embeddings!)).toBe(true);
  first.target.sum().add(first.count!.sum()).backward();
  for (const [name, parameter] of model.namedParameters()) {
    const isBase = name.startsWith("base_model.");
    expect({ name, gradient: parameter.grad !== null }).toEqual({ name, gradient: !isBase });
  }
  const old = predictor({ base, freezeBase: true }, ReferencePredictor).train();
  expect(old.baseModel.training).toBe(true);
});

test("a predictor takes over an encoder that is there", () => {
  const base = new SequenceEncoder(smallEncoder());
  perturb(base, 77);
  const model = predictor({ base });
  expect(model.baseModel).toBe(base);
  const names = [...model.stateDict().keys()];
  expect(names.filter((name) => name.startsWith("base_model.")).map((name) => name.slice(11))).toEqual([
    ...base.stateDict().keys(),
  ]);
});

test("checkpointed heads that share the encoder give the same gradients", () => {
  const gradients = [false, true].map((gradientCheckpointing) => {
    const one = { ...smallTransformer, gradientCheckpointing };
    const base = { ...smallEncoder(), sample: one, encoder: one };
    const model = predictor({ base, count: one, target: one }).train();
    const { target, count, base: encoding } = model.forward(batch(1));
    target.sum().add(count!.square().sum()).add(encoding.embeddings!.square().sum()).backward();
    return new Map([...model.namedParameters()].map(([name, value]) => [name, value.grad?.clone()]));
  });
  for (const [name, expected] of gradients[0]) {
    const found = gradients[1].get(name);
    expect({ name, there: found !== undefined }).toEqual({ name, there: expected !== undefined });
    if (!expected || !found) continue;
    const scale = Math.max(expected.abs().max().item(), 1e-2);
    expect({ name, fits: distance(found, expected) / scale < 1e-4 }).toEqual({ name, fits: true });
  }
});

test("outputs: quantiles, classes, bounds, activations", () => {
  const target = (options: Partial<SequencePredictorOptions>) =>
    predictor(options).eval().forward(batch()).target;
  expect(target({ quantiles: 3, outputs: 2 }).shape).toEqual([3, 2, 3]);
  const classes = target({ classifier: true, outputs: 4 });
  expect(distance(classes.exp().sum(-1), torch.ones([3], { device: testDevice }))).toBeLessThan(1e-5);
  const bounded = target({ bounded: true });
  expect(bounded.min().item()).toBeGreaterThan(0);
  expect(bounded.max().item()).toBeLessThan(1);
  for (const activation of ["relu", "softplus", "exp"] as const) {
    expect(target({ activation }).min().item()).toBeGreaterThanOrEqual(0);
  }
  expect(predictor({ count: null }).forward(batch()).count).toBeNull();
  const counts = predictor({ countActivation: "none" }).eval().forward(batch()).count!;
  const squashed = predictor().eval().forward(batch()).count!;
  expect(distance(counts.sigmoid(), squashed)).toBeLessThan(1e-6);
});

test("options that contradict each other are refused in words", () => {
  expect(() => predictor({ activation: "cube" as "exp" })).toThrow(/Unknown output activation "cube"/);
  expect(() => predictor({ activation: "exp", bounded: true })).toThrow(/does not go with bounded/);
  expect(() => predictor({ activation: "exp", classifier: true })).toThrow(/does not go with classes/);
  expect(() => predictor({ quantiles: 2, classifier: true })).toThrow(/not for classes/);
  expect(() => predictor({ quantiles: 0 })).toThrow(/number of quantiles/);
  expect(() => predictor({ residualHead: true })).toThrow(/needs hidden layers/);
  expect(() => predictor({ hidden: [4, 0] })).toThrow(/whole numbers above 0, got 0/);
  expect(() => predictor({ scaledColumns: ["site"] })).toThrow(/no categorical column; there are none/);
  expect(() => categorical("concat", SequencePredictor, { scaledColumns: ["moon"] })).toThrow(
    /"moon".*there are site, season/,
  );
  expect(() => categorical("sum" as "add")).toThrow(/Unknown fusion "sum"/);
});
