/**
 * Linear regression by gradient descent: finds the line behind noisy points.
 *
 *     bun examples/linearRegression.ts
 */
import * as torch from "aam-bun/torch";

torch.manualSeed(0);
const x = torch.rand([200, 1]).mul(4).sub(2);
const y = x
  .mul(3)
  .add(-1)
  .add(torch.randn([200, 1]).mul(0.1));

const model = new torch.nn.Linear(1, 1);
const optimizer = new torch.optim.SGD(model.parameters(), { lr: 0.1 });

for (let step = 0; step <= 100; step++) {
  using _step = torch.scope(); // frees what this step makes
  const loss = torch.nn.functional.mseLoss(model.forward(x), y);
  optimizer.zeroGrad();
  loss.backward();
  optimizer.step();
  if (step % 20 === 0) console.log(`step ${step}: loss ${loss.item().toFixed(4)}`);
}

const slope = model.weight.item();
const intercept = model.bias!.item();
console.log(`y = ${slope.toFixed(2)} x + ${intercept.toFixed(2)}, made as y = 3 x - 1 with noise of 0.1`);
