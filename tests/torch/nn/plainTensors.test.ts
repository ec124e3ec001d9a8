import { expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";

const { nn } = torch;

class Scaled extends nn.Module {
  factor: torch.Tensor = new nn.Parameter(torch.ones([2]));
  readonly table = torch.ones([2]);
  readonly layer = new nn.Linear(2, 2);

  forward(x: torch.Tensor): torch.Tensor {
    const penalty = this.parameters().reduce((sum, one) => sum.add(one.square().sum()), torch.zeros([]));
    return this.layer.forward(x).mul(this.factor).mul(this.table).sum().add(penalty);
  }
}

const said = (where: string) =>
  new RegExp(`${where}, where a parameter belongs.*Assign torch.nn.parameter\\(tensor\\)`);

test("a plain tensor in the place of a layer's parameter is refused before anything trains without it", () => {
  const layer = new nn.Linear(2, 3);
  layer.weight = torch.zeros([3, 2]);
  expect(() => layer.parameters()).toThrow(said("Linear has a plain tensor as weight"));
  expect(() => new nn.Sequential(layer).stateDict()).toThrow(torch.TorchError);
  expect(() => layer.double()).toThrow(torch.TorchError);
  expect(String(layer)).toContain("3 parameters");
  layer.weight = nn.parameter(torch.zeros([3, 2]));
  expect(layer.parameters().length).toBe(2);
  const norm = new nn.BatchNorm1d(2);
  norm.runningMean = torch.zeros([2]);
  expect(() => norm.stateDict()).toThrow(said("BatchNorm1d has a plain tensor as running_mean"));
  norm.dispose();
});

test("of one's own modules a plain tensor is refused where a parameter was, and only there", () => {
  const model = new Scaled();
  expect(model.parameters().length).toBe(3);
  model.factor = torch.ones([2]);
  expect(() => [...model.namedParameters()]).toThrow(said("Scaled has a plain tensor as factor"));
  model.factor = nn.buffer(torch.ones([2]));
  expect([...model.stateDict().keys()]).toEqual(["factor", "layer.weight", "layer.bias"]);
});

test("functionalCall may put other tensors in the place of parameters, and the module may ask for them", () => {
  const model = new Scaled();
  const values = new Map([...model.namedParameters()].map(([name, one]) => [name, one.detach()]));
  expect(Number.isFinite(torch.func.functionalCall(model, values, torch.ones([1, 2])).item())).toBe(true);
  expect(model.parameters().length).toBe(3);
});
