/**
 * A curve fitted with LBFGS: the amplitude, decay, frequency and phase of an oscillation, found from
 * noisy points in a few steps.
 *
 *     bun examples/lbfgsFit.ts
 */
import * as torch from "aam-bun/torch";

torch.manualSeed(0);
const t = torch.linspace(0, 6, 120);

/** amplitude exp(-decay t) cos(frequency t + phase). */
const curve = ([amplitude, decay, frequency, phase]: torch.Tensor[]): torch.Tensor =>
  t.mul(decay.neg()).exp().mul(amplitude).mul(t.mul(frequency).add(phase).cos());

const truth = [2, 0.3, 3, 0.5];
const y = curve(truth.map((value) => torch.tensor(value))).add(torch.randn([120]).mul(0.05));

const parameters = [1, 0.1, 2.7, 0].map((value) => new torch.nn.Parameter(torch.tensor(value)));
const optimizer = new torch.optim.LBFGS(parameters, { lineSearchFn: "strong_wolfe", maxIter: 10 });

for (let step = 0; step < 5; step++) {
  using _step = torch.scope();
  const loss = optimizer.step(() => {
    optimizer.zeroGrad();
    const error = torch.nn.functional.mseLoss(curve(parameters), y);
    error.backward();
    return error;
  });
  console.log(`step ${step}: loss ${loss?.item().toFixed(6)}`);
}
console.log(`found: ${parameters.map((value) => value.item().toFixed(3)).join(" ")}`);
