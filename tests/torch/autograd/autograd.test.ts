import { expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";

const values = (tensor: torch.Tensor | null) => tensor?.toArray();

test("backward adds to the leaves' gradients", () => {
  using _s = torch.scope();
  const x = torch.tensor([1, 2, 3], { requiresGrad: true });
  const w = torch.tensor([4, 5, 6], { requiresGrad: true });
  x.mul(w).sum().backward();
  x.mul(w).sum().backward();
  expect(values(x.grad)).toEqual([8, 10, 12]);
  expect(values(w.grad)).toEqual([2, 4, 6]);
  expect(x.grad!.requiresGrad).toBe(false);
  x.grad = null;
  expect(x.grad).toBeNull();
  x.grad = torch.ones([3]);
  expect(values(x.grad)).toEqual([1, 1, 1]);
});

test("backward with a gradient, several roots, chosen inputs, a kept graph", () => {
  using _s = torch.scope();
  const x = torch.tensor([1, 2], { requiresGrad: true });
  const y = torch.tensor([3, 4], { requiresGrad: true });
  x.pow(2).backward({ gradient: torch.tensor([1, 10]) });
  expect(values(x.grad)).toEqual([2, 40]);
  x.grad = null;
  const product = x.mul(y);
  product.sum().backward({ inputs: [x], retainGraph: true });
  expect(values(x.grad)).toEqual([3, 4]);
  expect(y.grad).toBeNull();
  torch.backward([product.sum(), x.sum()]);
  expect(values(x.grad)).toEqual([7, 9]);
  expect(values(y.grad)).toEqual([1, 2]);
  torch.backward([x.exp(), y.sum()], [torch.zeros([2]), null]);
  expect(values(y.grad)).toEqual([2, 3]);
});

test("torch.grad touches no grad, allows unused inputs where told so", () => {
  using _s = torch.scope();
  const x = torch.tensor([2], { requiresGrad: true });
  const unused = torch.tensor([1], { requiresGrad: true });
  const [dx] = torch.grad(x.pow(3), [x]);
  expect(values(dx)).toEqual([12]);
  expect(x.grad).toBeNull();
  const [again, none] = torch.grad(x.pow(3), [x, unused], { allowUnused: true });
  expect(values(again)).toEqual([12]);
  expect(none).toBeNull();
  const [weighted] = torch.grad([x.pow(2), x.mul(3)], [x], { gradOutputs: [torch.tensor([10]), null] });
  expect(values(weighted)).toEqual([43]);
});

test("double and triple derivatives", () => {
  using _s = torch.scope();
  const x = torch.tensor([1.5, -0.5], { dtype: "float64", requiresGrad: true });
  const [first] = torch.grad(x.pow(4).sum(), [x], { createGraph: true });
  const [second] = torch.grad(first.sum(), [x], { createGraph: true });
  const [third] = torch.grad(second.sum(), [x]);
  x.toFloat64Array().forEach((value, i) => {
    expect(first.toFloat64Array()[i]).toBeCloseTo(4 * value ** 3, 12);
    expect(second.toFloat64Array()[i]).toBeCloseTo(12 * value ** 2, 12);
    expect(third.toFloat64Array()[i]).toBeCloseTo(24 * value, 12);
  });
  // A gradient penalty through backward itself.
  const w = torch.tensor([2], { requiresGrad: true });
  const [slope] = torch.grad(w.pow(3).sum(), [w], { createGraph: true });
  slope.pow(2).sum().backward();
  expect(w.grad!.item()).toBe(2 * 12 * 12);
});

test("requiresGrad, isLeaf and detach", () => {
  using _s = torch.scope();
  const x = torch.ones([2]);
  expect([x.requiresGrad, x.isLeaf]).toEqual([false, true]);
  x.requiresGrad = true;
  const y = x.mul(2);
  expect([y.requiresGrad, y.isLeaf]).toEqual([true, false]);
  const d = y.detach();
  expect([d.requiresGrad, d.isLeaf]).toEqual([false, true]);
  d.fill_(9);
  expect(values(y)).toEqual([9, 9]);
  expect(() => y.requiresGrad_(false)).toThrow(/leaf/);
});

test("modes nest and are restored when their function throws", () => {
  using _s = torch.scope();
  const x = torch.ones([1], { requiresGrad: true });
  const grows = () => x.mul(1).requiresGrad;
  expect(torch.noGrad(grows)).toBe(false);
  expect(torch.noGrad(() => torch.enableGrad(grows))).toBe(true);
  expect(torch.inferenceMode(grows)).toBe(false);
  expect(torch.inferenceMode(() => x.mul(1)).isInference).toBe(true);
  expect(torch.setGradEnabled(false, grows)).toBe(false);
  for (const mode of [torch.noGrad, torch.inferenceMode, torch.detectAnomaly]) {
    expect(() =>
      mode(() => {
        throw new RangeError("own");
      }),
    ).toThrow("own");
    expect(() => mode(async () => 1)).toThrow(/asynchronous/);
  }
  expect(grows()).toBe(true);
});

test("anomaly detection names the operator of a NaN gradient", () => {
  using _s = torch.scope();
  const x = torch.zeros([1], { requiresGrad: true });
  expect(() => torch.detectAnomaly(() => x.sqrt().mul(0).sum().backward())).toThrow(/SqrtBackward.*nan/is);
});

test("gradients that autograd keeps without memory can be read, changed and seen", () => {
  using _s = torch.scope();
  const x = torch.tensor([1, -2], { requiresGrad: true });
  const [none] = torch.grad(x.sgn().sum(), [x]);
  expect(values(none)).toEqual([0, 0]);
  expect([...(none.dataView() as Float32Array)]).toEqual([0, 0]);
  x.sgn().sum().backward();
  x.grad!.add_(1);
  expect(values(x.grad)).toEqual([1, 1]);
});

test("gradients through indexing and in-place changes", () => {
  using _s = torch.scope();
  const x = torch.arange(6, { dtype: "float32" }).view([2, 3]).requiresGrad_();
  const y = x.mul(1);
  y.setAt([{}, 0], 0);
  y.at(1).mul_(3);
  y.sum().backward();
  expect(values(x.grad)).toEqual([
    [0, 1, 1],
    [0, 3, 3],
  ]);
});
