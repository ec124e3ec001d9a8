import { expect, test } from "bun:test";
import { countAskers } from "../../../src/torch/autograd/turns.ts";
import * as torch from "../../../src/torch/index.ts";

const { nn } = torch;
const numbers = (tensor: torch.Tensor | null) => [...tensor!.toFloat64Array()];

test("hooks on tensors see and replace gradients, in order, until they are taken off", () => {
  using _s = torch.scope();
  const x = torch.tensor([1, 2, 3], { requiresGrad: true });
  const y = x.mul(2);
  const seen: number[][] = [];
  const first = y.registerHook((gradient) => {
    seen.push(numbers(gradient));
    return gradient.mul(10);
  });
  y.registerHook((gradient) => {
    seen.push(numbers(gradient));
  });
  const out = y.pow(2).sum();
  out.backward({ retainGraph: true });
  expect(seen).toEqual([
    [4, 8, 12],
    [40, 80, 120],
  ]);
  expect(numbers(x.grad)).toEqual([80, 160, 240]);
  first.remove();
  first.remove();
  x.grad = null;
  out.backward();
  expect(numbers(x.grad)).toEqual([8, 16, 24]);
  expect(seen.length).toBe(3);
});

test("hooks on leaves, in torch.grad, and errors in hooks", () => {
  using _s = torch.scope();
  const x = torch.tensor([1, 2], { requiresGrad: true });
  using _hook = x.registerHook((gradient) => gradient.neg());
  const [dx] = torch.grad(x.mul(3).sum(), x);
  expect(numbers(dx)).toEqual([-3, -3]);
  const y = x.mul(1);
  const failing = y.registerHook(() => {
    throw new RangeError("hook");
  });
  expect(() => y.sum().backward()).toThrow(new RangeError("hook"));
  failing.remove();
  const wrong = y.registerHook(() => torch.ones([5]));
  expect(() => y.sum().backward()).toThrow(/size/);
  wrong.remove();
  const text = y.registerHook(() => "text" as unknown as torch.Tensor);
  expect(() => y.sum().backward()).toThrow(/tensor or nothing/);
  text.remove();
  y.sum().backward();
  expect(numbers(x.grad)).toEqual([-1, -1]);
  expect(() => torch.ones([1]).registerHook(() => undefined)).toThrow(/requires a gradient/);
});

test("retainGrad keeps the gradient of what is no leaf", () => {
  using _s = torch.scope();
  const x = torch.tensor([1, 2], { requiresGrad: true });
  const y = x.mul(2);
  y.retainGrad();
  y.pow(2).sum().backward();
  expect(numbers(y.grad)).toEqual([4, 8]);
  expect(() => torch.ones([1]).retainGrad()).toThrow();
});

test("an optimizer's step within the backward pass", () => {
  using _s = torch.scope();
  const x = torch.tensor([1, 2], { requiresGrad: true });
  const steps: number[][] = [];
  const handle = x.registerPostAccumulateGradHook((leaf) => {
    steps.push(numbers(leaf.grad));
    torch.noGrad(() => leaf.sub_(leaf.grad!.mul(0.5)));
    leaf.grad = null;
  });
  x.mul(2).sum().backward();
  x.mul(4).sum().backward();
  expect(steps).toEqual([
    [2, 2],
    [4, 4],
  ]);
  expect(numbers(x)).toEqual([-2, -1]);
  expect(x.grad).toBeNull();
  handle.remove();
  expect(() => x.mul(1).registerPostAccumulateGradHook(() => undefined)).toThrow(/leaves/);
  const nested = x.registerPostAccumulateGradHook((leaf) => leaf.sum().backward());
  expect(() => x.sum().backward()).toThrow(/leaf is locked/);
  nested.remove();
});

test("hooks of a module: before, after, also when it throws", () => {
  using _s = torch.scope();
  const layer = new nn.Linear(2, 3);
  const told: string[] = [];
  const pre = layer.registerForwardPreHook((module, [x]) => {
    told.push(`pre ${module === layer}`);
    return (x as torch.Tensor).mul(2);
  });
  const post = layer.registerForwardHook((_module, [x], output) => {
    told.push(`post ${numbers(x as torch.Tensor)}`);
    return (output as torch.Tensor).mul(0);
  });
  layer.registerForwardPreHook(() => void told.push("first"), { prepend: true });
  const model = new nn.Sequential(layer, new nn.ReLU());
  expect(
    model
      .forward(torch.ones([1, 2]))
      .abs()
      .sum()
      .item(),
  ).toBe(0);
  expect(told).toEqual(["first", "pre true", "post 2,2"]);
  pre.remove();
  post.remove();
  expect(
    model
      .forward(torch.ones([1, 2]))
      .abs()
      .sum()
      .item(),
  ).toBeGreaterThan(0);
  expect([...layer.stateDict().keys()]).toEqual(["weight", "bias"]);
  layer.registerForwardHook((_m, _a, output) => void told.push(`always ${output}`), { alwaysCall: true });
  expect(() => layer.forward(torch.ones([5]))).toThrow();
  expect(told.at(-1)).toBe("always undefined");
});

test("full backward hooks see the gradients by inputs and outputs, and may replace them", () => {
  using _s = torch.scope();
  const layer = new nn.Linear(2, 1, { bias: false });
  torch.noGrad(() => layer.weight.copy_(torch.tensor([[3, 4]])));
  const seen: unknown[] = [];
  layer.registerFullBackwardPreHook((_module, [gradient]) => [gradient!.mul(2)]);
  const handle = layer.registerFullBackwardHook((module, gradInput, gradOutput) => {
    seen.push(module === layer, numbers(gradInput[0]), numbers(gradOutput[0]));
    return [gradInput[0]!.mul(100)];
  });
  const x = torch.ones([1, 2], { requiresGrad: true });
  layer.forward(x).sum().backward();
  expect(seen).toEqual([true, [6, 8], [2]]);
  expect(numbers(x.grad)).toEqual([600, 800]);
  expect(numbers(layer.weight.grad)).toEqual([2, 2]);
  seen.length = 0;
  handle.remove();
  layer.registerFullBackwardHook((_module, gradInput, gradOutput) => {
    seen.push(gradInput, numbers(gradOutput[0]));
  });
  layer
    .forward(torch.ones([1, 2]))
    .sum()
    .backward();
  expect(seen).toEqual([[null], [2]]);
});

test("anomaly mode names the program's line, of NaN and of errors, also for a function of one's own", () => {
  using _s = torch.scope();
  const x = torch.zeros([1], { requiresGrad: true });
  expect(() => torch.detectAnomaly(() => x.sqrt().mul(0).sum().backward())).toThrow(
    /SqrtBackward0.*nan[\s\S]*hooks\.test\.ts:\d+/i,
  );
  const y = torch.detectAnomaly(() => {
    const middle = x.exp();
    const out = middle.mul(middle);
    middle.add_(1);
    return out;
  });
  expect(() => y.backward()).toThrow(/inplace operation[\s\S]*hooks\.test\.ts/);
  class Bad extends torch.autograd.Function {
    static forward(_ctx: torch.autograd.FunctionContext, value: torch.Tensor): torch.Tensor {
      return value.clone();
    }
    static backward(_ctx: torch.autograd.FunctionContext, gradient: torch.Tensor): torch.Tensor {
      return gradient.mul(Number.NaN);
    }
  }
  expect(() => torch.detectAnomaly(() => Bad.apply(x).sum().backward())).toThrow(
    /BadBackward.*nan[\s\S]*hooks\.test\.ts/,
  );
  expect(() =>
    torch.detectAnomaly(() => x.sqrt().mul(0).sum().backward(), { checkNan: false }),
  ).not.toThrow();
});

test("hooks are let go with what they are on", () => {
  Bun.gc(true);
  const before = countAskers();
  for (let i = 0; i < 50; i++) {
    using _s = torch.scope();
    const x = torch.ones([2], { requiresGrad: true });
    x.registerHook((gradient) => gradient.mul(2));
    x.exp().registerHook((gradient) => gradient.mul(2));
  }
  expect(countAskers()).toBe(before);
});
