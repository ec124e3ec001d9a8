import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as arrow from "apache-arrow";
import * as torch from "../../src/torch/index.ts";

const { nn, optim } = torch;

function inFolder(fn: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "aam-toolkit-"));
  try {
    using _s = torch.scope();
    fn(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("tensor() takes the widest kind of its values; randint takes one bound or two", () => {
  using _s = torch.scope();
  expect(torch.tensor([true, 2.5]).toArray()).toEqual([1, 2.5]);
  expect(torch.tensor([true, 3n]).dtype).toBe("int64");
  expect(torch.tensor([[true], [false]]).dtype).toBe("bool");
  expect(torch.tensor([]).dtype).toBe("float32");
  const drawn = torch.randint(3, [200]);
  expect([drawn.min().item(), drawn.max().item(), drawn.dtype]).toEqual([0, 2, "int64"]);
  torch.manualSeed(4);
  const one = torch.randint(3, [9], { dtype: "int32" });
  torch.manualSeed(4);
  expect(one.toArray()).toEqual(torch.randint(0, 3, [9], { dtype: "int32" }).toArray());
  expect(one.dtype).toBe("int32");
});

test("short conversions and transposes do what `to` and `transpose` do", () => {
  using _s = torch.scope();
  const x = torch.tensor([
    [1.5, -2],
    [0, 4],
  ]);
  const dtypes = [x.float(), x.double(), x.half(), x.bfloat16(), x.long(), x.int(), x.short(), x.bool()];
  expect(dtypes.map(({ dtype }) => dtype)).toEqual([
    "float32",
    "float64",
    "float16",
    "bfloat16",
    "int64",
    "int32",
    "int16",
    "bool",
  ]);
  expect(x.abs().byte().toArray()).toEqual([
    [1, 2],
    [0, 4],
  ]);
  expect(x.long().toArray()).toEqual([
    [1, -2],
    [0, 4],
  ]);
  expect(x.cpu().device).toBe("cpu");
  expect(x.T.toArray()).toEqual([
    [1.5, 0],
    [-2, 4],
  ]);
  expect(x.unsqueeze(0).mT.toArray()).toEqual([
    [
      [1.5, 0],
      [-2, 4],
    ],
  ]);
});

test("unique gives values, and positions and counts where asked", () => {
  using _s = torch.scope();
  const x = torch.tensor([3, 1, 3, 2]);
  expect(torch.unique(x).toArray()).toEqual([1, 2, 3]);
  const [values, inverse, counts] = torch.unique(x, { returnInverse: true, returnCounts: true });
  expect(values.at(inverse).toArray()).toEqual(x.toArray());
  expect(counts.toArray()).toEqual([1, 1, 2]);
  const [, onlyCounts] = torch.unique(x, { returnCounts: true });
  expect(onlyCounts.toArray()).toEqual([1, 1, 2]);
  expect(
    torch
      .unique(
        torch.tensor([
          [1, 2],
          [1, 2],
          [0, 5],
        ]),
        { dim: 0 },
      )
      .toArray(),
  ).toEqual([
    [0, 5],
    [1, 2],
  ]);
});

test("grad takes one input without a list, and its graph can be differentiated again", () => {
  using _s = torch.scope();
  const x = torch.tensor(2, { requiresGrad: true });
  const [first] = torch.grad(x.pow(3), x, { createGraph: true });
  const [second] = torch.grad(first, x);
  expect([first.item(), second.item()]).toEqual([12, 12]);
});

test("files: mapped bytes, .npy both ways, save and load in PyTorch's order", () => {
  inFolder((folder) => {
    const raw = join(folder, "raw.bin");
    writeFileSync(raw, new Uint8Array(Float32Array.from([1, 2, 3, 4, 5, 6, 7]).buffer));
    expect(torch.fromFile(raw).toArray()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(torch.fromFile(raw, { shape: [2, 3], offset: 4 }).toArray()).toEqual([
      [2, 3, 4],
      [5, 6, 7],
    ]);
    torch.fromFile(raw).fill_(0);
    expect(torch.fromFile(raw).sum().item()).toBe(28);
    torch.fromFile(raw, { shared: true }).fill_(1);
    expect(torch.fromFile(raw).sum().item()).toBe(7);
    expect(() => torch.fromFile(raw, { shape: [8] })).toThrow("has 28 bytes");
    expect(() => torch.fromFile(raw, { offset: 3 })).toThrow("multiple of 4");
    expect(() => torch.fromFile(join(folder, "none"))).toThrow("Cannot read");
    for (const dtype of torch.dtypes.filter((name) => !/^(bfloat16|float8|complex)/.test(name))) {
      const value = torch.tensor([[1, 0, 1]]).to(dtype);
      torch.saveNpy(join(folder, "a.npy"), value);
      const read = torch.loadNpy(join(folder, "a.npy"));
      expect([read.dtype, read.toArray()]).toEqual([dtype, value.toArray()]);
    }
    expect(torch.loadNpy(join(folder, "a.npy"), { dtype: "float32" }).dtype).toBe("float32");
    torch.saveNpy(join(folder, "scalar.npy"), torch.tensor(2.5));
    expect(torch.loadNpy(join(folder, "scalar.npy")).shape).toEqual([]);
    expect(() => torch.saveNpy(join(folder, "b.npy"), torch.ones([1], { dtype: "bfloat16" }))).toThrow(
      "bfloat16",
    );
    const layer = new nn.Linear(2, 3);
    torch.save(layer.stateDict(), join(folder, "model.pt"));
    const state = torch.load(join(folder, "model.pt")) as Map<string, torch.Tensor>;
    expect(new nn.Linear(2, 3).loadStateDict(state)).toEqual({ missing: [], unexpected: [] });
    layer.dispose();
  });
});

test("Arrow columns become tensors: numbers, booleans, lists; nulls are NaN or refused", () => {
  using _s = torch.scope();
  const of = (values: readonly unknown[], type: arrow.DataType) =>
    arrow.vectorFromArray(values, type) as arrow.Vector;
  expect(torch.fromArrow(of([1.5, null, 3], new arrow.Float64())).toArray()).toEqual([1.5, Number.NaN, 3]);
  expect(torch.fromArrow(of([1, 2], new arrow.Int32())).dtype).toBe("int32");
  expect(torch.fromArrow(of([1, 65535], new arrow.Uint16())).toArray()).toEqual([1, 65535]);
  expect(torch.fromArrow(of([1n, 2n], new arrow.Uint64())).dtype).toBe("int64");
  expect(() => torch.fromArrow(of([2n ** 63n], new arrow.Uint64()))).toThrow("does not fit");
  expect(torch.fromArrow(of([true, false, true], new arrow.Bool())).toArray()).toEqual([true, false, true]);
  expect(torch.fromArrow(of([1, 2], new arrow.Float32()), { dtype: "float16" }).dtype).toBe("float16");
  const pair = new arrow.FixedSizeList(2, new arrow.Field("item", new arrow.Float32()));
  expect(
    torch
      .fromArrow(
        of(
          [
            [1, 2],
            [3, 4],
            [5, 6],
          ],
          pair,
        ),
      )
      .toArray(),
  ).toEqual([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  expect(() => torch.fromArrow(of([1, null], new arrow.Int32()))).toThrow("1 nulls");
  expect(() => torch.fromArrow(of(["a"], new arrow.Utf8()))).toThrow("cannot become a tensor");
});

test("modules: Parameter and Buffer, apply, dtypes, named layers, containers that grow", () => {
  class Scale extends nn.Module {
    readonly factor = new nn.Parameter(torch.full([2], 3));
    readonly seen = new nn.Buffer(torch.zeros([1]));
    readonly passing = new nn.Buffer(torch.zeros([1]), false);
    forward(input: torch.Tensor): torch.Tensor {
      return input.mul(this.factor);
    }
  }
  using _s = torch.scope();
  const scale = new Scale();
  expect(scale.factor instanceof nn.Parameter).toBe(true);
  expect(scale.seen instanceof nn.Parameter).toBe(false);
  expect(scale.seen instanceof nn.Buffer).toBe(true);
  expect([...scale.stateDict().keys()]).toEqual(["factor", "seen"]);
  expect(scale.factor.requiresGrad).toBe(true);
  const factor = scale.factor;
  expect(scale.double().factor).toBe(factor);
  expect([scale.factor.dtype, scale.seen.dtype, scale.half().factor.dtype]).toEqual([
    "float64",
    "float64",
    "float16",
  ]);
  expect(
    scale
      .to("float32")
      .forward(torch.ones([2]))
      .toArray(),
  ).toEqual([3, 3]);
  expect(() => scale.to("int64")).toThrow("floating-point");

  const net = new nn.Sequential({ fc: new nn.Linear(2, 3), act: new nn.Mish() });
  net.append(new nn.Linear(3, 1, { bias: false }));
  expect([...net.stateDict().keys()]).toEqual(["fc.weight", "fc.bias", "2.weight"]);
  expect(net.forward(torch.ones([4, 2])).shape).toEqual([4, 1]);
  expect([...net].length).toBe(3);
  const order: string[] = [];
  net.apply((module) => {
    order.push(module.constructor.name);
    if (module instanceof nn.Linear) nn.init.ones_(module.weight);
  });
  expect(order).toEqual(["Linear", "Mish", "Linear", "Sequential"]);
  expect((net.at(0) as torch.nn.Linear).weight.sum().item()).toBe(6);
  expect(String(net)).toContain("(fc): Linear(inFeatures=2, outFeatures=3, bias=true)  # 9 parameters");

  const list = new nn.ModuleList([new nn.ReLU()]).extend([new nn.Tanh()]).insert(1, new nn.Sigmoid());
  expect([...list].map((item) => item.constructor.name)).toEqual(["ReLU", "Sigmoid", "Tanh"]);
  const dict = new nn.ModuleDict<torch.nn.Module>({ a: new nn.Linear(1, 1) }).set("b", new nn.ReLU());
  expect([dict.length, dict.keys(), [...dict.stateDict().keys()]]).toEqual([
    2,
    ["a", "b"],
    ["a.weight", "a.bias"],
  ]);
  expect(() => dict.set("x.y", new nn.ReLU())).toThrow("dots");
});

test("losses with weights keep them as buffers and give what the functions give", () => {
  using _s = torch.scope();
  const logits = torch.randn([5, 3]);
  const target = torch.randint(3, [5]);
  const weight = torch.tensor([1, 2, 0.5]);
  const loss = new nn.CrossEntropyLoss({ weight, labelSmoothing: 0.1 });
  const expected = nn.functional.crossEntropy(logits, target, { weight, labelSmoothing: 0.1 });
  expect(loss.forward(logits, target).item()).toBe(expected.item());
  expect([...loss.stateDict().keys()]).toEqual(["weight"]);
  const binary = new nn.BCEWithLogitsLoss({ posWeight: weight });
  const truth = torch.ones([5, 3]);
  const wanted = nn.functional.binaryCrossEntropyWithLogits(logits, truth, { posWeight: weight });
  expect(binary.forward(logits, truth).item()).toBe(wanted.item());
  expect([...binary.stateDict().keys()]).toEqual(["pos_weight"]);
  expect(String(new nn.HuberLoss({ delta: 2 }))).toBe("HuberLoss(delta=2)");
  expect(() => new nn.MSELoss({ reduction: "avg" as "mean" }).forward(logits, logits)).toThrow("reduction");
});

test("gumbelSoftmax draws one-hot vectors in proportion, and passes gradients", () => {
  using _s = torch.scope();
  torch.manualSeed(0);
  const logits = torch.tensor([0.2, 0.8]).log().expand([4000, 2]).clone().requiresGrad_();
  const hard = nn.functional.gumbelSoftmax(logits, { hard: true });
  expect(hard.sum(1).allclose(torch.ones([4000]))).toBe(true);
  expect(hard.mean(0).at(0).item()).toBeCloseTo(0.2, 1);
  hard.at({}, 0).sum().backward();
  expect(logits.grad!.abs().sum().item()).toBeGreaterThan(1);
});

test("schedules of functions and of schedules; later schedules keep the first base rate", () => {
  const lrs = (steps: number, scheduler: torch.optim.Scheduler) =>
    Array.from({ length: steps }, () => {
      const [lr] = scheduler.getLastLr();
      scheduler.step();
      return Number(lr.toFixed(6));
    });
  const group = () => ({ paramGroups: [{ lr: 1 }] });
  expect(lrs(3, new optim.LambdaLR(group(), (step) => 1 / (step + 1)))).toEqual([1, 0.5, 0.333333]);
  expect(() => new optim.LambdaLR(group(), [])).toThrow("0 functions for 1");
  const target = group();
  const sequence = new optim.SequentialLR(target, {
    schedulers: [
      new optim.LinearLR(target, { startFactor: 0.25, totalIters: 3 }),
      new optim.ExponentialLR(target, { gamma: 0.5 }),
    ],
    milestones: [3],
  });
  // As torch.optim.lr_scheduler.SequentialLR with the same schedules gives.
  expect(lrs(6, sequence)).toEqual([0.25, 0.5, 0.75, 1, 0.5, 0.25]);
  expect(() => new optim.SequentialLR(target, { schedulers: [], milestones: [1] })).toThrow("no schedules");
  expect(optim.lrScheduler.StepLR).toBe(optim.StepLR);
});

test("one-cycle moves momentum against the rate, as PyTorch does by default", () => {
  const w = nn.parameter(torch.zeros([1]));
  const optimizer = new optim.SGD([w], { lr: 0.1, momentum: 0.9 });
  const cycle = new optim.OneCycleLR(optimizer, { maxLr: 1, totalSteps: 10 });
  const trace = Array.from({ length: 9 }, () => {
    const momentum = optimizer.paramGroups[0].momentum;
    cycle.step();
    return Number(momentum.toFixed(4));
  });
  // torch.optim.lr_scheduler.OneCycleLR(SGD(momentum=0.9), max_lr=1, total_steps=10)
  expect(trace).toEqual([0.95, 0.9, 0.85, 0.855, 0.8688, 0.8889, 0.9111, 0.9312, 0.945]);
  const adam = new optim.Adam([w], { lr: 0.1 });
  new optim.OneCycleLR(adam, { maxLr: 1, totalSteps: 10 });
  expect(adam.paramGroups[0].betas).toEqual([0.95, 0.999]);
  w.dispose();
});

test("optimizers refuse options that they do not have", () => {
  using _s = torch.scope();
  const w = torch.zeros([1], { requiresGrad: true });
  const wrong = { weight_decay: 0.1 } as object;
  expect(() => new optim.AdamW([w], wrong)).toThrow(
    "AdamW: has no option 'weight_decay'; it takes lr, betas",
  );
  expect(() => new optim.SGD([w], wrong)).toThrow("weight_decay");
  expect(() => new optim.SGD([{ params: [w], ...wrong }])).toThrow("weight_decay");
});

test("GradScaler scales, leaves out steps with infinite gradients, halves and grows its factor", () => {
  using _s = torch.scope();
  const w = torch.tensor([1], { requiresGrad: true });
  const optimizer = new optim.SGD([w], { lr: 0.5 });
  const scaler = new torch.GradScaler({ initScale: 8, growthInterval: 2 });
  const step = (factor: number) => {
    optimizer.zeroGrad();
    scaler.scale(w.mul(factor).sum()).backward();
    const taken = scaler.step(optimizer);
    scaler.update();
    return [taken, w.item(), scaler.getScale()];
  };
  expect(step(1)).toEqual([true, 0.5, 8]);
  expect(step(Number.POSITIVE_INFINITY)).toEqual([false, 0.5, 4]);
  expect(step(1)).toEqual([true, 0, 4]);
  expect(step(1)).toEqual([true, -0.5, 8]);
  scaler.scale(w.sum()).backward();
  scaler.unscale_(optimizer);
  expect(() => scaler.unscale_(optimizer)).toThrow("since the last update");
  const copy = new torch.GradScaler();
  copy.loadStateDict(scaler.stateDict());
  expect(copy.getScale()).toBe(8);
  expect(new torch.GradScaler({ enabled: false }).scale(w)).toBe(w);
});

test("the default generator's state can be taken and put back", () => {
  using _s = torch.scope();
  torch.manualSeed(7);
  expect(torch.initialSeed()).toBe(7);
  const state = torch.getRngState();
  const first = torch.rand([4]).toArray();
  torch.setRngState(state);
  expect(torch.rand([4]).toArray()).toEqual(first);
});

test("parameters as one vector and back", () => {
  using _s = torch.scope();
  const net = new nn.Linear(2, 3);
  const vector = nn.utils.parametersToVector(net.parameters());
  expect(vector.shape).toEqual([9]);
  nn.utils.vectorToParameters(torch.arange(9).float(), net.parameters());
  expect(net.weight.toArray()).toEqual([
    [0, 1],
    [2, 3],
    [4, 5],
  ]);
  expect(() => nn.utils.vectorToParameters(torch.ones([8]), net.parameters())).toThrow("8 elements");
  net.dispose();
});

test("DataLoader gives every example once, in order or shuffled by a generator", () => {
  using _s = torch.scope();
  const { DataLoader, TensorDataset } = torch.utils.data;
  const set = new TensorDataset(torch.arange(7), torch.arange(14).view([7, 2]));
  const batches: unknown[][] = [];
  for (const [x, y] of new DataLoader(set, { batchSize: 3 })) batches.push([x.toArray(), y.toArray()]);
  expect(batches.map(([x]) => x)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
  expect(batches[2]?.[1]).toEqual([[12, 13]]);
  const shuffled = (seed: number) => {
    const generator = new torch.Generator().manualSeed(seed);
    const loader = new DataLoader(set, { batchSize: 2, shuffle: true, dropLast: true, generator });
    expect(loader.length).toBe(3);
    const order: number[] = [];
    for (const [x] of loader) order.push(...(x.toArray() as number[]));
    return order;
  };
  expect(shuffled(1)).toEqual(shuffled(1));
  expect(shuffled(1)).not.toEqual(shuffled(2));
  expect(new Set(shuffled(1)).size).toBe(6);
  const plain = { length: 3, get: (i: number) => [torch.tensor([i, i])] };
  const shapes: number[][] = [];
  for (const [x] of new DataLoader(plain, { batchSize: 2 })) shapes.push(x.shape);
  expect(shapes).toEqual([
    [2, 2],
    [1, 2],
  ]);
  expect(() => new TensorDataset(torch.ones([2]), torch.ones([3]))).toThrow("2, 3 examples");
});

test("linalg and cuda are the operators and figures of the machine under PyTorch's names", () => {
  using _s = torch.scope();
  const a = torch.tensor([
    [2, 0],
    [0, 4],
  ]);
  expect(torch.linalg.inv(a).toArray()).toEqual([
    [0.5, 0],
    [0, 0.25],
  ]);
  expect(torch.linalg.det(a).item()).toBe(8);
  expect(torch.cuda.deviceCount() > 0).toBe(torch.cuda.isAvailable());
  expect(torch.cuda.memoryAllocated()).toBeGreaterThanOrEqual(0);
});

test("an optimizer's state goes through a file and comes back, and nothing else is taken for one", () => {
  inFolder((folder) => {
    const path = join(folder, "optimizer.pt");
    const w = torch.ones([3], { requiresGrad: true });
    const optimizer = new optim.AdamW([w], { lr: 0.25, betas: [0.5, 0.75] });
    w.sum().backward();
    optimizer.step();
    torch.save(optimizer.stateDict(), path);
    const other = new optim.AdamW([w], { lr: 1 });
    other.loadStateDict(torch.load(path));
    expect(other.paramGroups[0]).toMatchObject({ lr: 0.25, betas: [0.5, 0.75] });
    const kept = (of: typeof other) =>
      [...of.stateDict().state.get(0)!].map(([name, value]) => [name, (value as torch.Tensor).toArray()]);
    expect(kept(other)).toEqual(kept(optimizer));
    torch.save({ w }, path);
    expect(() => other.loadStateDict(torch.load(path))).toThrow("AdamW: expected the state of an optimizer");
  });
});

test("attention takes lengths first, as PyTorch has it; batches first, or none, where asked", () => {
  using _s = torch.scope();
  const layer = new nn.MultiheadAttention(4, 2);
  const first = new nn.MultiheadAttention(4, 2, { batchFirst: true });
  first.loadStateDict(layer.stateDict());
  const x = torch.randn([5, 3, 4]);
  const [output] = layer.forward(x, x, x);
  const turned = x.transpose(0, 1);
  expect(first.forward(turned, turned, turned)[0].transpose(0, 1).allclose(output, 1e-5, 1e-6)).toBe(true);
  const one = x.select(1, 0);
  const [single, weights] = layer.forward(one, one, one, { needWeights: true });
  expect(single.allclose(output.select(1, 0), 1e-5, 1e-6)).toBe(true);
  expect(weights!.shape).toEqual([5, 5]);
  expect(() => new nn.Transformer({ dModel: 4, nhead: 2 }).forward(x, turned)).toThrow("the same batch");
});

test("tables take given vectors, draw nothing, and learn only where asked; maxNorm scales the table's rows", () => {
  using _s = torch.scope();
  const given = torch.tensor([
    [3, 4],
    [0.3, 0.4],
  ]);
  torch.manualSeed(3);
  const frozen = nn.Embedding.fromPretrained(given, { maxNorm: 1 });
  const bag = nn.EmbeddingBag.fromPretrained(given, { freeze: false, mode: "sum" });
  const next = torch.rand([1]).item();
  torch.manualSeed(3);
  expect(torch.rand([1]).item()).toBe(next);
  expect([frozen.weight.requiresGrad, bag.weight.requiresGrad]).toEqual([false, true]);
  expect(bag.forward(torch.tensor([[0n, 1n]])).toArray()).toEqual([[Math.fround(3.3), Math.fround(4.4)]]);
  expect(
    frozen
      .forward(torch.tensor([0n]))
      .norm()
      .item(),
  ).toBeCloseTo(1, 5);
  expect(given.at(0).toArray()).toEqual([3, 4]);
  expect(bag.forward(torch.zeros([2, 0]).long()).toArray()).toEqual([
    [0, 0],
    [0, 0],
  ]);
});

test("a pool says with its type whether it gives places, and unpooling puts values back there", () => {
  using _s = torch.scope();
  const x = torch.tensor([[[1, 5, 2, 4]]]);
  const plain: torch.Tensor = new nn.MaxPool1d(2).forward(x);
  const [values, places] = new nn.MaxPool1d(2, { returnIndices: true }).forward(x);
  expect(plain.equal(values)).toBe(true);
  expect(new nn.MaxUnpool1d(2).forward(values, places).toArray()).toEqual([[[0, 5, 0, 4]]]);
});
