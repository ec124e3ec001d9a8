/**
 * Run as several ranks by zero.test.ts: an optimizer whose state is divided makes the steps of one
 * that is whole, and their states can be exchanged. Rank 0 prints what the test looks at.
 */
import assert from "node:assert/strict";
import * as torch from "../../../src/torch/index.ts";

const { distributed } = torch;
const { ZeroRedundancyOptimizer } = distributed.optim;
distributed.initProcessGroup({ timeoutSeconds: 20 });
const rank = distributed.getRank();
const size = distributed.getWorldSize();
torch.setNumThreads(1);

/** Layers of several sizes, one parameter that lies in memory the other way round, and one in float64. */
class Net extends torch.nn.Module {
  readonly words = new torch.nn.Embedding(60, 8);
  readonly first = new torch.nn.Linear(8, 30);
  readonly second = new torch.nn.Linear(30, 14);
  readonly last = new torch.nn.Linear(14, 1);
  readonly turned = new torch.nn.Parameter(torch.randn([8, 30]).t());
  readonly scale = new torch.nn.Parameter(torch.ones([1], { dtype: "float64" }));
  readonly unused = new torch.nn.Parameter(torch.randn([5]));
  forward(tokens: torch.Tensor): torch.Tensor {
    const words = this.words.forward(tokens);
    const hidden = this.first.forward(words).tanh().add(words.matmul(this.turned.t()));
    return this.last.forward(this.second.forward(hidden).tanh()).mul(this.scale.to("float32"));
  }
}
const make = () => {
  torch.manualSeed(7);
  return new Net();
};
const groupsOf = (model: Net) => [
  { params: [model.words.weight, model.turned, model.scale], lr: 0.02 },
  {
    params: model
      .parameters()
      .filter((p) => p !== model.words.weight && p !== model.turned && p !== model.scale),
  },
];
const tokens = torch.arange(24).remainder(40).view([6, 4]);
/** All ranks have the same gradients, as DistributedDataParallel leaves them. */
function train(model: Net, optimizer: torch.optim.Optimizer<{ lr: number }>, steps: number): void {
  for (let i = 0; i < steps; i++)
    torch.tidy(() => {
      optimizer.zeroGrad();
      model.forward(tokens.add(i).remainder(40)).sub(0.5).square().mean().backward();
      optimizer.step();
    });
}
const elementsOf = ({ state }: torch.optim.OptimizerState) =>
  [...state.values()]
    .flatMap((values) => [...values])
    .reduce(
      (sum, [name, value]) => sum + (name !== "step" && value instanceof torch.Tensor ? value.numel : 0),
      0,
    );
const assertSame = (a: Net, b: Net) => {
  const others = new Map(b.namedParameters());
  for (const [name, value] of a.namedParameters()) assert.ok(torch.equal(value, others.get(name)!), name);
};
const assertSameState = (a: torch.optim.OptimizerState, b: torch.optim.OptimizerState) => {
  assert.deepEqual(a.param_groups, b.param_groups);
  assert.deepEqual([...a.state.keys()], [...b.state.keys()]);
  for (const [number, values] of a.state)
    for (const [name, value] of values)
      assert.ok(torch.equal(value as torch.Tensor, b.state.get(number)!.get(name) as torch.Tensor), name);
};

const { AdamW, SGD, NAdam } = torch.optim;
/** Two steps, exchanged in the middle, as many as all in one. */
function compare<S extends { lr: number }>(
  optimizerClass: torch.distributed.optim.OptimizerClass<S>,
  options: Partial<S>,
): [own: number, all: number] {
  const [whole, divided] = [make(), make()];
  const one = new optimizerClass(groupsOf(whole) as torch.optim.Params<Partial<S>>, options);
  const zero = new ZeroRedundancyOptimizer(
    groupsOf(divided) as torch.optim.Params<Partial<S>>,
    optimizerClass,
    options,
  );
  for (const optimizer of [one, zero]) new torch.optim.StepLR(optimizer, { stepSize: 5 });
  assert.throws(() => zero.stateDict(), /call consolidateStateDict/);
  train(whole, one, 20);
  train(divided, zero, 20);
  assertSame(whole, divided);
  const elements: [number, number] = [elementsOf(zero.optim.stateDict()), elementsOf(one.stateDict())];

  zero.consolidateStateDict(size - 1);
  if (rank < size - 1) assert.throws(() => zero.stateDict(), /not on this rank/);
  else assertSameState(zero.stateDict(), one.stateDict());

  // What is divided goes on as one, what is one divided.
  zero.consolidateStateDict();
  const copy = make();
  const other = make();
  copy.loadStateDict(divided.stateDict());
  other.loadStateDict(divided.stateDict());
  const resumed = new ZeroRedundancyOptimizer(
    groupsOf(copy) as torch.optim.Params<Partial<S>>,
    optimizerClass,
    options,
  );
  resumed.loadStateDict(one.stateDict());
  assert.equal(elementsOf(resumed.optim.stateDict()), elements[0]);
  train(copy, resumed, 5);
  if (rank === 0) {
    const single = new optimizerClass(groupsOf(other) as torch.optim.Params<Partial<S>>, options);
    single.loadStateDict(zero.stateDict());
    train(other, single, 5);
  }
  train(whole, one, 5);
  train(divided, zero, 5);
  assertSame(whole, copy);
  assertSame(whole, divided);
  if (rank === 0) assertSame(whole, other);
  assert.throws(() => zero.stateDict(), /after the last step/);
  return elements;
}

const adam = compare(AdamW, { lr: 0.01, amsgrad: true });
compare(AdamW, { lr: 0.01, fused: false, foreach: true } as object);
compare(SGD, { lr: 0.05, momentum: 0.9 });
compare(NAdam, { lr: 0.01 });
assert.equal(
  distributed.allGatherObject(adam[0]).reduce((a, b) => a + b),
  adam[1],
);

const model = make();
const optimizer = new ZeroRedundancyOptimizer(model.first.parameters(), SGD, { lr: 0.1 });
optimizer.addParamGroup({ params: model.second.parameters(), lr: 0.2 });
assert.deepEqual(
  optimizer.paramGroups.map(({ lr }) => lr),
  [0.1, 0.2],
);
const before = model.second.weight.detach().clone();
train(model, optimizer, 1);
assert.ok(
  torch.allclose(before.sub(model.second.weight.grad!.mul(0.2)), model.second.weight, { atol: 1e-6 }),
);
assert.throws(() => optimizer.addParamGroup({ params: model.first.parameters() }), /there twice/);
assert.throws(() => optimizer.consolidateStateDict(size), /there is no rank/);
assert.throws(() => new ZeroRedundancyOptimizer(model.parameters(), SGD, { lr: -1 }), /must not be negative/);
assert.throws(
  () => new ZeroRedundancyOptimizer(model.parameters(), torch.optim.LBFGS),
  /LBFGS steps all parameters as one/,
);
const shares = distributed.allGatherObject(adam[0] / adam[1]);
if (rank === 0) console.log(JSON.stringify(shares));
distributed.destroyProcessGroup();
