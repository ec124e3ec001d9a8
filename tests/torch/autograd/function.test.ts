import { expect, test } from "bun:test";
import { countAskers } from "../../../src/torch/autograd/turns.ts";
import * as torch from "../../../src/torch/index.ts";

type Context = torch.autograd.FunctionContext;
const { Tensor } = torch;
const numbers = (tensor: torch.Tensor | null) => [...tensor!.toFloat64Array()];
const leaf = (values: number[], dtype: torch.DType = "float64") =>
  torch.tensor(values, { dtype, requiresGrad: true });

class Cube extends torch.autograd.Function {
  static forward(ctx: Context, x: torch.Tensor): torch.Tensor {
    ctx.saveForBackward(x);
    return x.pow(3);
  }
  static backward(ctx: Context, gradient: torch.Tensor): torch.Tensor {
    const [x] = ctx.savedTensors;
    return gradient.mul(x.pow(2)).mul(3);
  }
}

/** Its backward is wrong on purpose, so that it is seen which one was called. */
class Scaled extends torch.autograd.Function {
  static forward(ctx: Context & { factor: number }, x: torch.Tensor, factor: number): torch.Tensor {
    ctx.factor = factor;
    return x.mul(factor);
  }
  static backward(ctx: Context & { factor: number }, gradient: torch.Tensor): (torch.Tensor | null)[] {
    return [gradient.mul(ctx.factor * 1000), null];
  }
}

test("a function of one's own: its backward is the one that counts", () => {
  using _s = torch.scope();
  const x = leaf([1, 2, -3]);
  const y = Cube.apply(x);
  expect(numbers(y)).toEqual([1, 8, -27]);
  expect(y.gradFn).toBe("CubeBackward");
  y.sum().backward();
  expect(numbers(x.grad)).toEqual([3, 12, 27]);
  const z = leaf([2]);
  Scaled.apply(z, 3).sum().backward();
  expect(numbers(z.grad)).toEqual([3000]);
});

test("several in one graph, shared inputs, used a second time, beside common operators", () => {
  using _s = torch.scope();
  const x = leaf([1, 2]);
  const shared = Cube.apply(x.mul(2));
  const out = shared.mul(Cube.apply(shared)).sum().add(Cube.apply(x).sum());
  out.backward({ retainGraph: true });
  const exact = (v: number) => 12 * (2 * v) ** 11 * 2 + 3 * v ** 2;
  expect(numbers(x.grad)).toEqual([exact(1), exact(2)]);
  out.backward();
  expect(numbers(x.grad)).toEqual([2 * exact(1), 2 * exact(2)]);
  expect(() => out.backward()).toThrow(/second time/);
});

test("double and triple derivatives go through the backward; once-differentiable says that it is not", () => {
  using _s = torch.scope();
  const x = leaf([1.5, -2]);
  const [first] = torch.grad(Cube.apply(x).sum(), x, { createGraph: true });
  const [second] = torch.grad(first.sum(), x, { createGraph: true });
  expect(numbers(second)).toEqual([9, -12]);
  const [third] = torch.grad(second.sum(), x);
  expect(numbers(third)).toEqual([6, 6]);
  class Once extends Cube {
    static readonly onceDifferentiable = true;
  }
  const [plain] = torch.grad(Once.apply(x).sum(), x);
  expect(numbers(plain)).toEqual([6.75, 12]);
  expect(plain.requiresGrad).toBe(false);
  // `Cube`'s gradient depends on the incoming one alone here, which needs none: as in
  // PyTorch this is where it shows.
  const [graph] = torch.grad(Once.apply(x.mul(x)).pow(2).sum(), x, { createGraph: true });
  expect(() => graph.sum().backward()).toThrow(/onceDifferentiable/);
});

class Split extends torch.autograd.Function {
  static forward(ctx: Context, x: torch.Tensor): torch.Tensor[] {
    const order = x.argsort();
    ctx.markNonDifferentiable(order);
    return [x.mul(2), order, x.mul(5)];
  }
  static backward(_ctx: Context, a: torch.Tensor, order: torch.Tensor, b: torch.Tensor): torch.Tensor {
    seen.push(order.dtype, b.sum().item());
    return a.mul(2).add(b.mul(5));
  }
}
const seen: unknown[] = [];

test("several outputs: missing gradients are zeros, indices have none", () => {
  using _s = torch.scope();
  const x = leaf([3, 1]);
  const [a, order, b] = Split.apply(x);
  expect(order.requiresGrad).toBe(false);
  expect(order.toArray()).toEqual([1, 0]);
  a.sum().backward({ retainGraph: true });
  expect(numbers(x.grad)).toEqual([2, 2]);
  expect(seen).toEqual(["int64", 0]);
  b.sum().backward();
  expect(numbers(x.grad)).toEqual([7, 7]);
  class Nulls extends torch.autograd.Function {
    static forward(ctx: Context, x: torch.Tensor): torch.Tensor[] {
      ctx.setMaterializeGrads(false);
      return [x.clone(), x.neg()];
    }
    static backward(_ctx: Context, a: torch.Tensor | null, b: torch.Tensor | null): torch.Tensor | null {
      expect(b).toBeNull();
      return a;
    }
  }
  const y = leaf([1]);
  Nulls.apply(y)[0].backward();
  expect(numbers(y.grad)).toEqual([1]);
});

test("needsInputGrad, setupContext, null for saved tensors, gradients of arguments that are no tensors", () => {
  using _s = torch.scope();
  const asked: unknown[] = [];
  class Affine extends torch.autograd.Function {
    static forward(x: torch.Tensor, w: torch.Tensor, bias: torch.Tensor | null): torch.Tensor {
      return bias ? x.mul(w).add(bias) : x.mul(w);
    }
    static setupContext(
      ctx: Context,
      [x, w, bias]: [torch.Tensor, torch.Tensor, torch.Tensor | null],
      output: torch.Tensor,
    ): void {
      expect(output).toBeInstanceOf(Tensor);
      ctx.saveForBackward(x, w, bias);
      asked.push(ctx.needsInputGrad);
    }
    static backward(ctx: Context, gradient: torch.Tensor): (torch.Tensor | null)[] {
      const [x, w, bias] = ctx.savedTensors;
      asked.push(ctx.needsInputGrad, bias === null);
      const [forX, forW] = ctx.needsInputGrad;
      return [forX ? gradient.mul(w) : null, forW ? gradient.mul(x) : null, null];
    }
  }
  const x = leaf([2]);
  const w = leaf([5]);
  const y = Affine.apply(x, w, null);
  const [dx] = torch.grad(y, x);
  expect(numbers(dx)).toEqual([5]);
  expect(asked).toEqual([[true, true, false], [true, false, false], true]);
  asked.length = 0;
  expect(Affine.apply(x.detach(), w.detach(), null).requiresGrad).toBe(false);
  expect(torch.noGrad(() => Affine.apply(x, w, null)).requiresGrad).toBe(false);
});

test("an input changed in place is marked, gives back itself, and its old values are refused", () => {
  using _s = torch.scope();
  class AddOne extends torch.autograd.Function {
    static forward(ctx: Context, x: torch.Tensor): torch.Tensor {
      x.add_(1);
      ctx.markDirty(x);
      return x;
    }
    static backward(_ctx: Context, gradient: torch.Tensor): torch.Tensor {
      return gradient.mul(7);
    }
  }
  const x = leaf([1, 2]);
  const y = x.mul(2);
  const z = AddOne.apply(y);
  expect(numbers(y)).toEqual([3, 5]);
  z.sum().backward();
  expect(numbers(x.grad)).toEqual([14, 14]);
  const w = leaf([1]);
  const held = w.mul(1);
  const cube = Cube.apply(held);
  held.add_(1);
  expect(() => cube.backward()).toThrow(/modified by an inplace operation/);
});

test("what a backward throws arrives as it is, and autograd works on", () => {
  using _s = torch.scope();
  class Failing extends torch.autograd.Function {
    static forward(_ctx: Context, x: torch.Tensor, how: string): torch.Tensor {
      return how === "forward" ? failed() : x.mul(1);
    }
    static backward(ctx: Context, gradient: torch.Tensor): torch.Tensor | (torch.Tensor | null)[] | string {
      const how = kind;
      if (how === "throw") throw new RangeError("mine");
      if (how === "shape") return [torch.ones([7], { dtype: "float64" }), null];
      if (how === "count") return [];
      if (how === "text") return "no tensor";
      void ctx;
      return Promise.resolve(gradient) as unknown as torch.Tensor;
    }
  }
  const failed = (): never => {
    throw new RangeError("in forward");
  };
  let kind = "throw";
  const x = leaf([1, 2]);
  const apply = Failing.apply as unknown as (x: torch.Tensor, how: string) => torch.Tensor;
  const run = (how: string) => () => {
    kind = how;
    apply.call(Failing, x, how).sum().backward();
  };
  expect(run("throw")).toThrow(new RangeError("mine"));
  expect(run("forward")).toThrow("in forward");
  expect(run("shape")).toThrow(/invalid gradient at index 0.*shape/);
  expect(run("count")).toThrow(/gave 0 gradients for 2 arguments/);
  expect(run("text")).toThrow(/array of them/);
  expect(run("promise")).toThrow(/not a promise/);
  x.grad = null;
  Cube.apply(x).sum().backward();
  expect(numbers(x.grad)).toEqual([3, 12]);
});

test("a backward may run a backward pass of its own, with such functions in it", () => {
  using _s = torch.scope();
  class Through extends torch.autograd.Function {
    static forward(ctx: Context, x: torch.Tensor): torch.Tensor {
      ctx.saveForBackward(x);
      return x.pow(3);
    }
    static backward(ctx: Context, gradient: torch.Tensor): torch.Tensor {
      const [x] = ctx.savedTensors;
      return torch.enableGrad(() => {
        const inner = x.detach().requiresGrad_();
        const [found] = torch.grad(Cube.apply(inner).sum(), inner);
        return found.mul(gradient);
      });
    }
  }
  const x = leaf([2, 3]);
  Through.apply(Through.apply(x)).sum().backward();
  expect(numbers(x.grad)).toEqual([3 * 8 ** 2 * 12, 3 * 27 ** 2 * 27]);
});

test("what belongs to a graph is let go with it", () => {
  Bun.gc(true);
  const before = countAskers();
  for (let i = 0; i < 200; i++) {
    using _s = torch.scope();
    const x = leaf([1, 2]);
    const y = Cube.apply(Cube.apply(x));
    if (i % 2 === 0) y.sum().backward();
  }
  expect(countAskers()).toBe(before);
  {
    using _s = torch.scope();
    let y = leaf([1]);
    for (let i = 0; i < 20_000; i++) y = Scaled.apply(y, 1);
    expect(countAskers()).toBe(before + 20_000);
  }
  expect(countAskers()).toBe(before);
});

test("autograd's errors stay errors: within checkpoint, func's transforms, wrong classes", () => {
  using _s = torch.scope();
  const x = leaf([1]);
  expect(() => torch.checkpoint(() => Cube.apply(x))).toThrow(/checkpoint/);
  expect(() => torch.func.grad((v: torch.Tensor) => Cube.apply(v).sum())(x)).toThrow(/transforms/);
  class Empty extends torch.autograd.Function {}
  expect(() => (Empty as unknown as typeof Cube).apply(x)).toThrow(/static methods/);
  const context = new torch.autograd.FunctionContext();
  expect(() => context.savedTensors).toThrow(/within backward/);
  expect(() =>
    torch.autograd.forwardAD.dualLevel(() => Cube.apply(torch.autograd.forwardAD.makeDual(x, x))),
  ).toThrow(/forward-mode/);
});
