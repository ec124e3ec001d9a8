import { expect, test } from "bun:test";
import { Random } from "../../../src/common/random/random.ts";
import { makeFolds } from "../../../src/data/split/folds.ts";
import * as torch from "../../../src/torch/index.ts";
import { fineTuneConfig } from "../../../src/training/config/defaults.ts";
import { TargetLoss } from "../../../src/training/objectives/targetLoss.ts";
import type { Targets } from "../../../src/training/targets/targets.ts";
import { chooseRidge, settleRidge, triedPowers } from "../../../src/training/tasks/chooseRidge.ts";

const n = 120;
const folds = makeFolds(Int32Array.from({ length: n }, (_, i) => i));

/** Rows of mean squared length 1, and a score that is linear in them. */
function problem(width: number) {
  const random = new Random(5);
  const rows = Float64Array.from({ length: n * width }, () => random.normal() / Math.sqrt(width));
  const weights = Float64Array.from({ length: width }, () => random.normal());
  const scores = Float64Array.from({ length: n }, (_, i) =>
    weights.reduce((sum, weight, k) => sum + weight * rows[i * width + k], 0),
  );
  return { features: torch.tensor(rows, { shape: [n, width] }), scores, random };
}

test("what features tell exactly gets the least penalty, and what they do not tell the largest", () => {
  using _scope = torch.scope();
  const { features, scores, random } = problem(8);
  expect(chooseRidge(features, [scores], folds)).toEqual({ penalty: 0.03, power: 1 });
  const noise = Float64Array.from({ length: n }, () => random.normal());
  expect(chooseRidge(features, [noise], folds).penalty).toBeGreaterThanOrEqual(30);
  const some = scores.map((score, i) => score + noise[i]);
  const { penalty } = chooseRidge(features, [some], folds);
  expect(penalty).toBeGreaterThan(0.03);
  expect(penalty).toBeLessThan(100);
});

test("the power is chosen of which the features tell most", () => {
  using _scope = torch.scope();
  const { features, scores } = problem(8);
  const above = scores.map((score) => score + 5);
  for (const power of triedPowers)
    expect(
      chooseRidge(features, [above.map((value) => value ** (1 / power))], folds, { powers: triedPowers }),
    ).toEqual({ penalty: 0.03, power });
});

test("columns count alike whatever their units, and a constant one has no say", () => {
  using _scope = torch.scope();
  const { features, scores, random } = problem(8);
  const noises = Array.from({ length: 3 }, () => Float64Array.from({ length: n }, () => random.normal()));
  const some = scores.map((score, i) => score + noises[0][i]);
  const alone = chooseRidge(features, [some], folds);
  const all = chooseRidge(features, [some, ...noises], folds);
  expect(all.penalty).toBeGreaterThan(alone.penalty);
  expect(chooseRidge(features, [some.map((score) => 1e6 * score), ...noises], folds)).toEqual(all);
  const constant = new Float64Array(n).fill(3);
  expect(chooseRidge(features, [scores, constant], folds)).toEqual({ penalty: 0.03, power: 1 });
});

test("a penalty is a weight decay with which the loss is least at the ridge regression, for one column or two", () => {
  using _scope = torch.scope();
  const { features, scores, random } = problem(8);
  const train = Int32Array.from({ length: n }, (_, i) => i);
  const penalty = 3;
  for (const lossType of ["huber", "mse"] as const)
    for (const columns of [["a"], ["a", "b"]]) {
      const pooling = "blocks" as const;
      // The weight of the loss counts for both.
      const weight = columns.length;
      const config = fineTuneConfig({
        freezeBase: true,
        target: {
          metadataColumn: columns,
          ridge: penalty,
          transform: "zscore",
          pooling,
          lossType,
          penalty: weight,
        },
      });
      const targets = { classes: null, columns } as unknown as Targets;
      settleRidge(...([null, null, config, targets, train] as unknown as Parameters<typeof settleRidge>));
      const y = torch.stack(
        columns.map(() => torch.tensor(scores.map((score) => score + random.normal()))),
        1,
      );
      const inside = features
        .t()
        .matmul(features)
        .add(torch.eye(8, { dtype: "float64" }).mul(penalty));
      const weights = torch.linalg.solve(inside, features.t().matmul(y)).requiresGrad_();
      // Wide enough for Huber's loss to be half the squared error.
      const loss = new TargetLoss({ type: lossType, huberDelta: 1e3 });
      const [slope] = torch.grad(loss.regression(features.matmul(weights), y).mul(weight), weights);
      const rest = slope.add(weights.mul(config.training.weightDecay)).abs().max().item();
      expect(rest).toBeLessThan(1e-9);
    }
});
