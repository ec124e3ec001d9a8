import * as torch from "../../src/torch/index.ts";
import { gptStep, resnetStep } from "./modelSteps.ts";

/** One thing to time: `run(n)` does it n times. */
export interface Work {
  /** Its name, which the Python side knows too. */
  name: string;
  /** What the Python side calls the same work where it has several ways: the fastest is compared with. */
  partners: readonly string[];
  /** Calls per measurement. */
  calls: number;
  /** The largest ratio to Python's time that the project promises. */
  limit: number;
  run(times: number): void;
}

/** Does a small operator again and again, its result freed each time. */
function repeated(operate: () => torch.Tensor): (times: number) => void {
  return (times) => {
    using _s = torch.scope();
    torch.noGrad(() => {
      for (let i = 0; i < times; i++) operate().dispose();
    });
  };
}

/**
 * The work of lab/python/reference/small_workload.py: twelve operators on 4 x 4 tensors, a small
 * network, an optimizer's step.
 */
export function smallWork(device: torch.Device): Work[] {
  const [a, b] = [torch.rand([4, 4], { device }), torch.rand([4, 4], { device })];
  const weight = torch.rand([4], { device });
  const index = torch.tensor([0n, 2n, 1n], { device });
  const operators: Record<string, () => torch.Tensor> = {
    add: () => a.add(b),
    mul: () => a.mul(b),
    matmul: () => a.matmul(b),
    sum: () => a.sum(),
    relu: () => torch.relu(a),
    cat: () => torch.cat([a, b]),
    exp: () => a.exp(),
    softmax: () => a.softmax(-1),
    layer_norm: () => torch.layerNorm(a, [4], weight, weight),
    transpose: () => a.t(),
    index_select: () => a.indexSelect(0, index),
  };
  const work: Work[] = Object.entries(operators).map(([name, operate]) => ({
    name,
    partners: [name],
    calls: 500,
    limit: 0.7,
    run: repeated(operate),
  }));
  const inPlace = (times: number): void => {
    torch.noGrad(() => {
      for (let i = 0; i < times; i++) b.add_(1);
    });
  };
  work.push({ name: "add_", partners: ["add_"], calls: 500, limit: 0.7, run: inPlace });
  work.push({ name: "mlp", partners: ["mlp"], calls: 100, limit: 1, run: network(device) });
  const partners = ["adamw", "adamw_foreach", "adamw_fused"];
  work.push({ name: "adamw", partners, calls: 5, limit: 1, run: optimizer(device) });
  for (const [name, step] of Object.entries({ gpt: gptStep, resnet: resnetStep }))
    work.push({
      name,
      partners: [`${name}_foreach`, `${name}_fused`],
      calls: 1,
      limit: 1,
      run: step(device),
    });
  return work;
}

function network(device: torch.Device): (times: number) => void {
  const net = new torch.nn.Sequential(
    new torch.nn.Linear(64, 128),
    new torch.nn.ReLU(),
    new torch.nn.Linear(128, 10),
  ).to(device);
  const [x, y] = [torch.rand([32, 64], { device }), torch.rand([32, 10], { device })];
  return (times) => {
    for (let i = 0; i < times; i++) {
      using _s = torch.scope();
      net.zeroGrad();
      torch.nn.functional.mseLoss(net.forward(x), y).backward();
    }
  };
}

function optimizer(device: torch.Device): (times: number) => void {
  const matrix = () => torch.rand([64, 64], { device });
  const parameters = Array.from({ length: 200 }, () => torch.nn.parameter(matrix()));
  for (const parameter of parameters) parameter.grad = matrix();
  const adamw = new torch.optim.AdamW(parameters, { lr: 1e-3 });
  return (times) => {
    for (let i = 0; i < times; i++) adamw.step();
  };
}
