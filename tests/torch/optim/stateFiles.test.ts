import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as torch from "../../../src/torch/index.ts";
import { findPython } from "../../../src/torch/setup/findPython.ts";
import { projectRoot } from "../../../src/torch/setup/places.ts";
import { disagreement } from "../parity/agreement.ts";
import { whyNoPython } from "../parity/pythonCases.ts";

const obstacle = whyNoPython();
if (obstacle) console.log(`states through files: skipped, ${obstacle}`);

const names = [
  ...[
    "SGD",
    "Adam",
    "AdamW",
    "AdamW-fused",
    "RMSprop",
    "Adagrad",
    "Adadelta",
    "NAdam",
    "RAdam",
    "Adamax",
    "LBFGS",
  ],
];
type AnyOptimizer = torch.optim.Optimizer<{ lr: number }>;
const classes = torch.optim as unknown as Record<string, new (params: torch.Tensor[]) => AnyOptimizer>;

function python(mode: string, folder: string): string {
  const script = join(projectRoot, "lab", "python", "parity", "optimizer_states.py");
  const run = Bun.spawnSync([findPython(["torch"])!, script, mode, folder], {
    env: { ...process.env, OMP_NUM_THREADS: "1" },
  });
  return run.stdout.toString() + run.stderr.toString();
}

type Loaded = Map<string, torch.Tensor[] & torch.Tensor[][] & number[]>;

/**
 * Takes Python's state after three steps, goes on for three, writes its own; tells what
 * differs from Python's numbers.
 */
function goOn(name: string, folder: string): string[] {
  using _s = torch.scope();
  const before = torch.load(join(folder, `${name}.pt`)) as unknown as Loaded;
  const after = torch.load(join(folder, `${name}-after.pt`)) as unknown as Loaded;
  const params = before.get("params")!.map((value) => torch.nn.parameter(value.clone()));
  const optimizer = new classes[name.split("-")[0]](params);
  const first = new torch.optim.LinearLR(optimizer, { startFactor: 0.5, totalIters: 4 });
  const second = new torch.optim.ExponentialLR(optimizer, { gamma: 0.8 });
  const schedule = new torch.optim.SequentialLR(optimizer, { schedulers: [first, second], milestones: [5] });
  optimizer.loadStateDict(before.get("optimizer") as never);
  schedule.loadStateDict(before.get("schedule") as never);
  // The base rate of the schedule is what Python's began with.
  for (const draws of before.get("draws")!.slice(3, 6) as unknown as torch.Tensor[][]) {
    const closure = () => {
      optimizer.zeroGrad();
      const losses = params.map((p, i) => p.sub(draws[i]).square().add(p.pow(4).mul(0.1)).sum());
      const loss = losses.reduce((sum, value) => sum.add(value));
      loss.backward();
      return loss;
    };
    if (name === "LBFGS") optimizer.step(closure);
    else {
      params.forEach((param, i) => {
        param.grad = draws[i];
      });
      optimizer.step();
    }
    schedule.step();
  }
  const wrong = params.flatMap((param, i) => {
    const fault = disagreement(param, after.get("params")![i], 2e-5);
    return fault ? [`${name}: parameter ${i} ${fault}`] : [];
  });
  schedule.getLastLr().forEach((rate, i) => {
    const expected = after.get("rates")![i];
    if (Math.abs(rate - expected) > 1e-12) wrong.push(`${name}: rate ${rate}, expected ${expected}`);
  });
  const own = { params, optimizer: optimizer.stateDict(), schedule: schedule.stateDict() };
  torch.save(own, join(folder, `ours-${name}.pt`));
  optimizer.dispose();
  return wrong;
}

test.skipIf(Boolean(obstacle))(
  "states of optimizers, schedules and the scaler go from Python to here and back through files",
  () => {
    const folder = mkdtempSync(join(tmpdir(), "aam-states-"));
    try {
      expect(python("write", folder)).toBe("");
      expect(names.flatMap((name) => goOn(name, folder))).toEqual([]);
      const scaler = new torch.GradScaler();
      scaler.loadStateDict(torch.load(join(folder, "scaler.pt")) as Map<unknown, unknown>);
      expect(scaler.getScale()).toBe(512);
      torch.save(scaler.stateDict(), join(folder, "ours-scaler.pt"));
      expect(python("check", folder)).toBe("");
      console.log(`${names.length} optimizers with a schedule, and a scaler, through files both ways`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  120_000,
);
