/**
 * One model trained by several processes, each with a share of the batch: the gradients are averaged, so
 * that all make the same step.
 *
 *     bun scripts/ranks.ts 2 examples/dataParallel.ts
 *     torchrun --nproc-per-node 2 --no-python bun examples/dataParallel.ts
 */
import * as torch from "aam-bun/torch";

const { distributed } = torch;
distributed.initProcessGroup();
const rank = distributed.getRank();
const ranks = distributed.getWorldSize();

// Every rank draws the same points, and takes every `ranks`-th for its own.
torch.manualSeed(1);
const angles = torch.rand([960]).mul(2 * Math.PI);
const isOuter = torch.rand([960]).gt(0.5);
const radii = isOuter
  .to("float32")
  .add(1)
  .add(torch.randn([960]).mul(0.15));
const points = torch.stack([angles.cos().mul(radii), angles.sin().mul(radii)], 1);
const own = torch.arange(rank, 960, ranks);
const x = points.indexSelect(0, own);
const y = isOuter.indexSelect(0, own).to("float32").unsqueeze(1);

// The weights of rank 0 are given to all; a difference in seeds does no harm.
torch.manualSeed(100 + rank);
const { Linear, Sequential, Tanh } = torch.nn;
const net = new Sequential(new Linear(2, 16), new Tanh(), new Linear(16, 1));
const model = new torch.nn.parallel.DistributedDataParallel(net);
const optimizer = new torch.optim.AdamW(model.parameters(), { lr: 2e-2 });
const criterion = new torch.nn.BCEWithLogitsLoss();

for (let step = 1; step <= 150; step++) {
  using _step = torch.scope();
  optimizer.zeroGrad();
  const loss = criterion.forward(model.forward(x), y);
  loss.backward(); // ends with the mean of all ranks' gradients
  optimizer.step();
  if (step % 50 === 0) {
    const mean = loss.detach().clone();
    distributed.allReduce(mean, { op: "avg" });
    if (rank === 0) console.log(`step ${step}: loss ${mean.item().toFixed(4)} over ${ranks} ranks`);
  }
}

const right = model.forward(x).gt(0).eq(y.gt(0)).sum();
const total = torch.tensor([right.item()]);
distributed.allReduce(total);
if (rank === 0) console.log(`accuracy ${(total.item() / 960).toFixed(3)}`);
distributed.destroyProcessGroup();
