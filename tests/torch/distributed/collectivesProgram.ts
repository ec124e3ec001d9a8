/** Run as several ranks by group.test.ts: every collective, its numbers checked on every rank. */
import assert from "node:assert/strict";
import * as torch from "../../../src/torch/index.ts";

const { distributed } = torch;
distributed.initProcessGroup({ timeoutSeconds: 20 });
const rank = distributed.getRank();
const size = distributed.getWorldSize();
const ranks = Array.from({ length: size }, (_, i) => i);
const sum = ranks.reduce((a, b) => a + b, 0);

for (const dtype of ["float32", "float64", "int64"] as const) {
  const value = torch.full([2, 3], rank + 1, { dtype });
  distributed.allReduce(value);
  assert.deepEqual(
    value.toArray(),
    [1, 2].map(() => [1, 2, 3].map(() => sum + size)),
  );
}
const reduced = (op: "avg" | "min" | "max" | "product") => {
  const value = torch.tensor([rank + 1, 1 - rank]);
  distributed.allReduce(value, { op });
  return value.toArray();
};
assert.deepEqual(reduced("avg"), [sum / size + 1, 1 - sum / size]);
assert.deepEqual(reduced("max"), [size, 1]);
assert.deepEqual(reduced("min"), [1, 2 - size]);
assert.equal(
  (reduced("product") as number[])[0],
  ranks.reduce((product, i) => product * (i + 1), 1),
);

const gathered = torch.empty([size, 2]);
distributed.allGatherIntoTensor(gathered, torch.tensor([[rank, 10 * rank]]));
assert.deepEqual(
  gathered.toArray(),
  ranks.map((i) => [i, 10 * i]),
);
const list = ranks.map(() => torch.empty([2]));
distributed.allGather(list, torch.tensor([rank, 1]));
assert.deepEqual(
  list.map((item) => item.toArray()),
  ranks.map((i) => [i, 1]),
);

const shared = torch.full([4], rank);
distributed.broadcast(shared, size - 1);
assert.deepEqual(
  shared.toArray(),
  [1, 2, 3, 4].map(() => size - 1),
);

const own = torch.empty([2]);
distributed.reduceScatterTensor(own, torch.arange(2 * size, { dtype: "float32" }).add(rank));
assert.deepEqual(
  own.toArray(),
  [0, 1].map((i) => size * (2 * rank + i) + sum),
);
distributed.reduceScatter(
  own,
  ranks.map((i) => torch.full([2], i)),
  { op: "avg" },
);
assert.deepEqual(own.toArray(), [rank, rank]);

const first = torch.ones([3]).mul(rank);
const second = torch.ones([2, 2]).mul(rank);
const works = [first, second].map((value) => distributed.allReduce(value, { asyncOp: true })!);
for (const work of works) work.wait();
assert.equal(first.sum().item() + second.sum().item(), 7 * sum);

assert.deepEqual(distributed.allGatherObject({ rank, text: "é".repeat(rank) })[size - 1], {
  rank: size - 1,
  text: "é".repeat(size - 1),
});
assert.equal(distributed.broadcastObject(rank + 5, 0), 5);
distributed.barrier();

// What does not fit is refused before any rank waits for another.
assert.throws(() => distributed.allReduce(torch.zeros([2, 3]).transpose(0, 1)), /must be contiguous/);
assert.throws(() => distributed.broadcast(first, size), /there is no rank/);
assert.throws(() => distributed.allGatherIntoTensor(torch.empty([1]), torch.ones([3])), /times its elements/);
assert.throws(() => distributed.initProcessGroup(), /open already/);

assert.deepEqual(await distributed.onRankZero(async () => ({ from: rank })), { from: 0 });

// The mean of a batch's gradients over ranks is that of the whole batch; a parameter
// that no rank uses has none.
torch.manualSeed(rank);
class Net extends torch.nn.Module {
  readonly a = new torch.nn.Linear(3, 4);
  readonly unused = new torch.nn.Linear(2, 2);
  readonly onlyLast = new torch.nn.Linear(4, 1);
  forward(x: torch.Tensor): torch.Tensor {
    const hidden = this.a.forward(x).tanh();
    return rank === size - 1 ? this.onlyLast.forward(hidden) : hidden;
  }
}
const model = new torch.nn.parallel.DistributedDataParallel(new Net().double(), { bucketCapMb: 1e-4 });
const whole = torch
  .arange(6 * size, { dtype: "float64" })
  .view([2 * size, 3])
  .div(10);
const batch = whole.narrow(0, 2 * rank, 2);
model.forward(batch).square().sum().backward();
const grads = model.module.a.weight.grad!;
const reference = new Net().double();
reference.loadStateDict(model.module.stateDict());
const hidden = reference.a.forward(whole).tanh();
const lastLoss = reference.onlyLast
  .forward(hidden.narrow(0, 2 * size - 2, 2))
  .square()
  .sum();
const restLoss = hidden
  .narrow(0, 0, 2 * size - 2)
  .square()
  .sum();
lastLoss.add(restLoss).div(size).backward();
assert.ok(torch.allclose(grads, reference.a.weight.grad!, { rtol: 1e-12, atol: 1e-12 }));
assert.ok(
  torch.allclose(model.module.onlyLast.weight.grad!, reference.onlyLast.weight.grad!, { rtol: 1e-12 }),
);
assert.equal(model.module.unused.weight.grad, null);
model.zeroGrad();
model.noSync(() => model.forward(batch).square().sum().backward());
const local = model.module.a.weight.grad!.clone();
model.forward(batch).square().sum().backward();
assert.ok(torch.allclose(model.module.a.weight.grad!, grads.mul(2), { rtol: 1e-12 }), String(local));

if (size > 1) {
  assert.throws(
    () => new torch.nn.parallel.DistributedDataParallel(new torch.nn.Linear(2, 1 + rank)),
    /the models differ: rank 0 has weight float32 \[1, 2\], rank 1 weight float32 \[2, 2\]/,
  );
}
distributed.destroyProcessGroup();
distributed.destroyProcessGroup();
assert.ok(!distributed.isInitialized());
assert.throws(() => distributed.getRank(), /no process group/);
console.log(`rank ${rank} of ${size} is done`);
