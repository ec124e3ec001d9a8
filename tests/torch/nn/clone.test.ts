import { expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";

const { nn, optim } = torch;

class Tied extends nn.Module {
  readonly embedding = new nn.Embedding(5, 4);
  readonly out = new nn.Linear(4, 5, { bias: false });
  readonly blocks = new nn.ModuleList([
    new nn.Linear(4, 4),
    new nn.Sequential(new nn.Linear(4, 4), new nn.Dropout()),
  ]);
  readonly named = new nn.ModuleDict({ norm: new nn.BatchNorm1d(4) });
  readonly scale = nn.buffer(torch.ones([4]), false);
  readonly settings = { widths: [4, 4], of: new Map([["a", this.blocks.at(0)]]) };
  readonly weight = this.embedding.weight;
  forward(ids: torch.Tensor): torch.Tensor {
    const x = this.named.get("norm").forward(this.embedding.forward(ids) as never) as torch.Tensor;
    return this.out.forward(
      (this.blocks.at(1).forward as (x: torch.Tensor) => torch.Tensor).call(this.blocks.at(1), x),
    );
  }
}

test("a clone has its own weights, the same numbers, modes and ties, and draws no random numbers", () => {
  using _s = torch.scope();
  const model = new Tied().eval();
  model.out.weight.requiresGrad_(false);
  const seen = torch.getRngState().toArray();
  const copy = model.clone();
  expect(torch.getRngState().toArray()).toEqual(seen);
  expect(copy).toBeInstanceOf(Tied);
  expect([...copy.stateDict().keys()]).toEqual([...model.stateDict().keys()]);
  for (const [name, value] of copy.stateDict()) {
    expect(value).not.toBe(model.stateDict().get(name)!);
    expect([name, value.equal(model.stateDict().get(name)!)]).toEqual([name, true]);
  }
  expect(copy.weight).toBe(copy.embedding.weight);
  expect(copy.settings.of.get("a")).toBe(copy.blocks.at(0));
  expect(copy.settings.widths).not.toBe(model.settings.widths);
  expect(copy.out.weight.requiresGrad).toBe(false);
  expect(copy.training).toBe(false);
  expect(copy.blocks.at(1).training).toBe(false);
  expect(copy.parameters().length).toBe(model.parameters().length);
  expect(nn.isBuffer(copy.scale)).toBe(true);
  const ids = torch.tensor([[0n, 3n, 1n]]).reshape([-1]);
  expect(copy.forward(ids).equal(model.forward(ids))).toBe(true);
  torch.noGrad(() => copy.embedding.weight.zero_());
  expect(model.embedding.weight.abs().sum().item()).toBeGreaterThan(0);
  copy.dispose();
  model.dispose();
});

test("layers of one class, of made classes and with others inside can be cloned", () => {
  using _s = torch.scope();
  const attention = new nn.MultiheadAttention(4, 2);
  expect(attention.clone().headDim).toBe(2);
  const layer = new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 8, dropout: 0 });
  const x = torch.randn([1, 3, 4]);
  expect(layer.clone().forward(x).equal(layer.forward(x))).toBe(true);
  const classes = nn as unknown as Record<string, new () => torch.nn.Module>;
  const names = [
    "ReLU",
    "GELU",
    "PReLU",
    "LeakyReLU",
    "Hardtanh",
    "Softplus",
    "GLU",
    "Dropout",
    "Flatten",
    "BCELoss",
  ];
  for (const name of names) {
    const made = new classes[name]();
    const copy = made.clone();
    expect(copy).toBeInstanceOf(classes[name]);
    expect(copy.toString()).toBe(made.toString());
  }
});

test("classes with private names say that they can't be copied from outside", () => {
  using _s = torch.scope();
  class Secret extends nn.Module {
    readonly #factor = 2;
    forward(x: torch.Tensor) {
      return x.mul(this.#factor);
    }
  }
  expect(() => new Secret().clone()).toThrow("Secret: clone can't copy private names such as #factor");
  class Computed extends nn.Module {
    readonly twice = torch.ones([1], { requiresGrad: true }).mul(2);
    forward() {}
  }
  expect(() => new Computed().clone()).toThrow("only leaves can be copied");
});

test("AveragedModel: means, moving averages, buffers, PyTorch's state dict, batch norms anew", () => {
  using _s = torch.scope();
  const { AveragedModel, getEmaMultiAvgFn, updateBn, SWALR } = optim.swaUtils;
  const model = new nn.Sequential(new nn.Linear(2, 3), new nn.BatchNorm1d(3));
  const linear = model.at(0) as torch.nn.Linear;
  const set = (value: number) => torch.noGrad(() => linear.weight.fill_(value));
  set(1);
  const mean = new AveragedModel(model);
  const ema = new AveragedModel(model, { multiAvgFn: getEmaMultiAvgFn(0.75), useBuffers: true });
  for (const value of [1, 2, 6]) {
    set(value);
    mean.updateParameters(model);
    ema.updateParameters(model);
  }
  const weightOf = (of: { module: typeof model }) =>
    (of.module.at(0) as torch.nn.Linear).weight.at(0, 0).item();
  expect(weightOf(mean)).toBeCloseTo(3, 6);
  expect(weightOf(ema)).toBeCloseTo(0.75 * (0.75 * 1 + 0.25 * 2) + 0.25 * 6, 6);
  expect([...mean.stateDict().keys()].slice(0, 2)).toEqual(["n_averaged", "module.0.weight"]);
  expect(mean.averagedModels.item()).toBe(3);
  const batches = [torch.randn([4, 2]), [torch.randn([4, 2])]];
  updateBn(batches, mean);
  const norm = mean.module.at(1) as torch.nn.BatchNorm1d;
  const hidden = (batches.flat() as torch.Tensor[]).map((x) => mean.module.at(0).forward(x).mean(0));
  expect(norm.runningMean!.sub(hidden[0].add(hidden[1]).div(2)).abs().max().item()).toBeLessThan(1e-5);
  expect(norm.momentum).toBe(0.1);
  expect(mean.forward(batches[0] as torch.Tensor).shape).toEqual([4, 3]);
  expect(() => getEmaMultiAvgFn(2)).toThrow("decay must lie in [0, 1]");
  expect(() => mean.updateParameters(new nn.Sequential(new nn.Linear(1, 1)))).toThrow("other parameters");
  const sgd = new optim.SGD(model.parameters(), { lr: 1 });
  const schedule = new SWALR(sgd, { swaLr: 0.2, annealEpochs: 4, annealStrategy: "linear" });
  const rates = Array.from({ length: 6 }, () => {
    schedule.step();
    return schedule.getLastLr()[0];
  });
  expect(rates.map((rate) => Number(rate.toFixed(6)))).toEqual([0.8, 0.6, 0.4, 0.2, 0.2, 0.2]);
});
