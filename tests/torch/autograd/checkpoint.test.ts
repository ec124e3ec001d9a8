import { expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";

const { nn } = torch;
const live = () => torch.memory().liveTensors;
const values = (tensor: torch.Tensor | null) => tensor?.toArray();

/** Gradients of parameters and input for `forward`, with and without its segments being recomputed. */
function gradients(
  forward: (x: torch.Tensor, segment: typeof torch.checkpoint) => torch.Tensor,
  parameters: readonly torch.Tensor[],
  seed = 0,
): unknown[][] {
  const direct = ((fn: (...inputs: torch.Tensor[]) => unknown, ...inputs: torch.Tensor[]) =>
    fn(...inputs)) as typeof torch.checkpoint;
  return [direct, torch.checkpoint].map((segment) => {
    using _s = torch.scope();
    torch.manualSeed(seed);
    const x = torch.randn([4, 6], { requiresGrad: true });
    for (const parameter of parameters) parameter.grad = null;
    const loss = forward(x, segment).pow(2).sum();
    loss.backward();
    const after = torch.rand([1]).item();
    return [loss.item(), values(x.grad), ...parameters.map((parameter) => values(parameter.grad)), after];
  });
}

const layer = () => new nn.Sequential(new nn.Linear(6, 6), new nn.Tanh(), new nn.Linear(6, 6));

test("one segment gives the same gradients", () => {
  const net = layer();
  const [plain, again] = gradients((x, segment) => segment((v) => net.forward(v), x), net.parameters());
  expect(again).toEqual(plain);
});

test("dropout draws the same numbers again, and what follows draws the next ones", () => {
  const net = layer();
  const drop = new nn.Dropout(0.5);
  const forward = (x: torch.Tensor, segment: typeof torch.checkpoint) =>
    segment((v) => drop.forward(net.forward(drop.forward(v))), x).add(drop.forward(x));
  const [plain, again] = gradients(forward, net.parameters(), 3);
  expect(again).toEqual(plain);
});

test("an explicit generator is put back for the second run and stays where it was afterwards", () => {
  const states: unknown[] = [];
  const forward = (x: torch.Tensor, segment: typeof torch.checkpoint) => {
    const generator = new torch.Generator().manualSeed(5);
    torch.rand([3], { generator });
    const out = segment((v) => v.mul(torch.rand([6], { generator })).sin(), x);
    const copy = out.mul(1);
    states.push(values(generator.getState()));
    return copy;
  };
  const [plain, again] = gradients(forward, []);
  expect(again).toEqual(plain);
  expect(states[1]).toEqual(states[0]);
});

test("chains, residuals around segments and inputs used twice", () => {
  const blocks = [layer(), layer(), layer()];
  const parameters = blocks.flatMap((block) => block.parameters());
  const forward = (x: torch.Tensor, segment: typeof torch.checkpoint) => {
    let value = x.mul(2).sin();
    for (const block of blocks) value = value.add(segment((v) => block.forward(v), value));
    return value.add(segment((a, b) => a.mul(b), value, x));
  };
  const [plain, again] = gradients(forward, parameters);
  expect(again).toEqual(plain);
});

test("nested segments", () => {
  const [a, b] = [layer(), layer()];
  const drop = new nn.Dropout(0.3);
  const forward = (x: torch.Tensor, segment: typeof torch.checkpoint) =>
    segment((v) => {
      const inner = segment((w) => drop.forward(a.forward(w)), v.mul(2));
      const second = segment((w, z) => b.forward(w).add(z), inner, v);
      return drop.forward(second).add(inner);
    }, x);
  const [plain, again] = gradients(forward, [...a.parameters(), ...b.parameters()], 11);
  expect(again).toEqual(plain);
});

test("several outputs, some unused, some without gradient, an input given back", () => {
  const net = layer();
  const forward = (x: torch.Tensor, segment: typeof torch.checkpoint) => {
    const [first, unused, best, same] = segment((v) => {
      const out = net.forward(v);
      return [out.sin(), out.cos(), out.argmax(-1), v];
    }, x);
    expect(unused.shape).toEqual([4, 6]);
    expect(best.requiresGrad).toBe(false);
    expect(best.dtype).toBe("int64");
    return first.mul(same).add(best.to("float32").unsqueeze(-1));
  };
  const [plain, again] = gradients(forward, net.parameters());
  expect(again).toEqual(plain);
});

test("lists, views and in-place operators inside", () => {
  const net = layer();
  const forward = (x: torch.Tensor, segment: typeof torch.checkpoint) =>
    segment((v) => {
      const parts = net.forward(v).chunk(3, -1);
      const joined = torch.cat([parts[2], parts[0], parts[1]], -1).mul(3);
      joined.at({}, 0).mul_(2);
      joined.add_(v);
      const [big] = joined.topk(2, -1);
      return torch.cat([joined, big.indexSelect(1, torch.tensor([1n, 0n]))], 1);
    }, x);
  const [plain, again] = gradients(forward, net.parameters());
  expect(again).toEqual(plain);
});

test("autocast is the same in the second run", () => {
  const net = layer();
  const forward = (x: torch.Tensor, segment: typeof torch.checkpoint) => {
    const out = torch.autocast({ dtype: "bfloat16" }, () =>
      segment((v) => {
        const half = net.forward(v);
        expect(half.dtype).toBe("bfloat16");
        return torch.autocast({ enabled: false }, () => net.forward(v)).add(half);
      }, x),
    );
    return out.to("float32");
  };
  const [plain, again] = gradients(forward, net.parameters());
  expect(again).toEqual(plain);
});

test("noGrad and detach inside a segment", () => {
  const net = layer();
  const forward = (x: torch.Tensor, segment: typeof torch.checkpoint) =>
    segment((v) => {
      expect(torch.isGradEnabled()).toBe(true);
      const constant = torch.noGrad(() => net.forward(v));
      return net.forward(v).mul(constant).add(v.detach());
    }, x);
  const [plain, again] = gradients(forward, net.parameters());
  expect(again).toEqual(plain);
});

test("torch.grad, retainGraph, and a second backward pass without it", () => {
  using _s = torch.scope();
  const net = layer();
  const x = torch.randn([2, 6], { requiresGrad: true });
  const out = torch.checkpoint((v) => net.forward(v), x).sum();
  const plain = torch.grad(net.forward(x).sum(), [x, net.parameters()[0]]);
  const first = torch.grad(out, [x, net.parameters()[0]], { retainGraph: true });
  expect(first.map(values)).toEqual(plain.map(values));
  out.backward({ retainGraph: true });
  out.backward();
  expect(values(x.grad)).toEqual(values(plain[0].mul(2)));
  expect(() => out.backward()).toThrow(/second time/);
});

test("double backward", () => {
  using _s = torch.scope();
  const net = new nn.Sequential(new nn.Linear(3, 3, { dtype: "float64" }), new nn.Tanh());
  const x = torch.randn([2, 3], { dtype: "float64", requiresGrad: true });
  const second = (forward: (v: torch.Tensor) => torch.Tensor) => {
    const [first] = torch.grad(forward(x.mul(1)).pow(3).sum(), [x], { createGraph: true });
    return torch.grad(first.pow(2).sum(), [x, ...net.parameters()]).map(values);
  };
  const plain = second((v) => net.forward(v));
  const again = second((v) => torch.checkpoint((w) => net.forward(w), v)).flat(3) as number[];
  (plain.flat(3) as number[]).forEach((value, i) => {
    expect(again[i]).toBeCloseTo(value, 12);
  });
});

test("nothing to differentiate: the result requires no gradient; without gradients the function just runs", () => {
  using _s = torch.scope();
  const x = torch.randn([3]);
  expect(torch.checkpoint((v) => v.sin(), x).requiresGrad).toBe(false);
  const y = torch.randn([3], { requiresGrad: true });
  expect(torch.noGrad(() => torch.checkpoint((v) => v.sin(), y)).requiresGrad).toBe(false);
  expect(torch.checkpoint((v) => v.sin(), y).requiresGrad).toBe(true);
});

test("a weight changed in place between the two runs is noticed", () => {
  using _s = torch.scope();
  const net = layer();
  const x = torch.randn([2, 6]);
  const loss = torch.checkpoint((v) => net.forward(v), x).sum();
  torch.noGrad(() => net.parameters()[0].add_(1));
  expect(() => loss.backward()).toThrow(/modified by an inplace operation/);
});

test("what cannot be repeated is refused, and the segment forgotten", () => {
  using _s = torch.scope();
  const x = torch.randn([3], { requiresGrad: true });
  const attempts: [(v: torch.Tensor) => torch.Tensor, RegExp][] = [
    [() => torch.manualSeed(1) as unknown as torch.Tensor, /manualSeed/],
    [(v) => v.sin().fillFrom(new Float32Array(3)), /fillFrom/],
    [(v) => v.sum().backward() as unknown as torch.Tensor, /backward/],
    [(v) => torch.inferenceMode(() => v.sin()), /inferenceMode/],
    [(v) => v.sin().requiresGrad_(), /requiresGrad_/],
    [() => 3 as unknown as torch.Tensor, /must give a tensor/],
    [() => Promise.resolve() as unknown as torch.Tensor, /not a promise/],
    [
      () => {
        throw new RangeError("own error");
      },
      /own error/,
    ],
  ];
  for (const [fn, message] of attempts) {
    expect(() => torch.checkpoint(fn, x)).toThrow(message);
    expect(torch.isGradEnabled()).toBe(true);
    expect(x.sin().requiresGrad).toBe(true);
  }
});

test("segments leave nothing behind, also when a step stops between forward and backward", () => {
  const net = layer();
  const step = (fail: boolean) => {
    using _s = torch.scope();
    const x = torch.randn([4, 6], { requiresGrad: true });
    const out = torch.checkpoint((v) => torch.checkpoint((w) => net.forward(w), v), x);
    if (fail) throw new Error("stop");
    out.sum().backward();
    net.zeroGrad();
  };
  step(false);
  const before = live();
  for (let i = 0; i < 20; i++) {
    if (i % 2) step(false);
    else expect(() => step(true)).toThrow("stop");
  }
  expect(live()).toBe(before);
});

test("memory: only the segments' inputs are kept for the backward pass", () => {
  const blocks = Array.from({ length: 6 }, () => new nn.Linear(256, 256));
  const run = (segment: typeof torch.checkpoint) => {
    using _s = torch.scope();
    let value = torch.randn([256, 256], { requiresGrad: true });
    torch.resetPeakMemory();
    const base = torch.memory().cpu.allocated;
    for (const block of blocks) {
      value = torch.tidy(() =>
        segment((v) => {
          const wide = torch.tidy(() => block.forward(v).sin().exp().cos().tanh().sin());
          return wide;
        }, value),
      );
    }
    const held = torch.memory().cpu.allocated - base;
    value.sum().backward();
    return held;
  };
  const plain = run(((fn: (v: torch.Tensor) => torch.Tensor, v: torch.Tensor) =>
    fn(v)) as typeof torch.checkpoint);
  const saved = run(torch.checkpoint);
  expect(saved).toBeLessThan(0.4 * plain);
});
