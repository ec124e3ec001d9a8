/** What tests/torch/parity does not compare with Python: registering, removing, assigning, copying. */
import { expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";

const { nn } = torch;
const { cached, isParametrized, registerParametrization, removeParametrizations } = nn.utils.parametrize;
const { orthogonal, spectralNorm, weightNorm } = nn.utils.parametrizations;

class Symmetric extends nn.Module {
  forward(x: torch.Tensor): torch.Tensor {
    return x.triu().add(x.triu(1).T);
  }
  rightInverse(x: torch.Tensor): torch.Tensor {
    return x.triu();
  }
}
class Doubled extends nn.Module {
  calls = 0;
  forward(x: torch.Tensor): torch.Tensor {
    this.calls++;
    return x.mul(2);
  }
}
class Shorter extends nn.Module {
  forward(x: torch.Tensor): torch.Tensor {
    return x.narrow(0, 0, 1);
  }
}
const isSymmetric = (x: torch.Tensor) => torch.equal(x, x.T);
const namesOf = (module: torch.nn.Module) => [...module.stateDict().keys()];

test("a parametrized weight is computed, learned through its original, and assigned through its inverse", () => {
  const plain = new nn.Linear(3, 3);
  const { weight: before } = plain;
  const optimizer = new torch.optim.SGD(plain.parameters(), { lr: 0.1 });
  const layer = registerParametrization(plain, "weight", new Symmetric());
  expect(layer).toBe(plain as typeof layer);
  expect(isParametrized(layer) && isParametrized(layer, "weight") && !isParametrized(layer, "bias")).toBe(
    true,
  );
  expect(namesOf(layer)).toEqual(["bias", "parametrizations.weight.original"]);
  expect(layer.parametrizations.get("weight").original).toBe(before);
  layer
    .forward(torch.rand([2, 3]))
    .sum()
    .backward();
  const old = layer.weight.clone();
  optimizer.step();
  expect(torch.equal(layer.weight, old)).toBe(false);
  const value = torch.tensor([
    [1, 2, 3],
    [2, 4, 5],
    [3, 5, 6],
  ]);
  layer.weight = value;
  expect(layer.weight.toArray()).toEqual(value.toArray());
  expect(String(layer)).toContain("ParametrizedLinear");
  removeParametrizations(layer, "weight", { leaveParametrized: false });
  expect(layer.weight).toBe(before);
  expect(isSymmetric(layer.weight)).toBe(false);
  expect([layer.constructor, isParametrized(layer), namesOf(layer)]).toEqual([
    nn.Linear,
    false,
    ["bias", "weight"],
  ]);
});

test("several parametrizations follow each other; removing them leaves the value that they gave", () => {
  const layer = registerParametrization(new nn.Linear(3, 3), "weight", new Symmetric());
  registerParametrization(layer, "weight", new Doubled());
  const list = layer.parametrizations.get("weight");
  expect(list.length).toBe(2);
  const value = layer.weight.clone();
  expect(torch.equal(value, new Symmetric().forward(list.original).mul(2))).toBe(true);
  expect(() => {
    layer.weight = value;
  }).toThrow("Doubled has no rightInverse");
  const { original } = list;
  removeParametrizations(layer, "weight");
  expect(layer.weight).toBe(original);
  expect(layer.weight.toArray()).toEqual(value.toArray());
});

test("copies are independent", () => {
  const layer = registerParametrization(new nn.Linear(2, 2), "weight", new Symmetric());
  const copy = layer.clone();
  copy.weight = torch.ones([2, 2]);
  expect(torch.equal(layer.weight, copy.weight)).toBe(false);
  removeParametrizations(copy, "weight");
  expect([copy.constructor, isSymmetric(layer.weight), isParametrized(layer)]).toEqual([
    nn.Linear,
    true,
    true,
  ]);
});

test("cached computes a weight once, for all scopes within", () => {
  const counting = new Doubled();
  const cell = registerParametrization(new nn.RNNCell(2, 2), "weight_hh", counting);
  expect(namesOf(cell)).toContain("parametrizations.weight_hh.original");
  counting.calls = 0;
  const x = torch.ones([1, 2]);
  const total = torch.tidy(() =>
    cached(() => {
      let state = x;
      for (let i = 0; i < 3; i++) state = torch.tidy(() => cell.forward(x, state));
      expect(cell.weightHh).toBe(cell.weightHh);
      return state.sum();
    }),
  );
  expect(counting.calls).toBe(1);
  total.backward();
  expect(cell.parametrizations.get("weight_hh").original.grad).not.toBeNull();
  expect(cell.weightHh).not.toBe(cell.weightHh);
  expect(() => cached(async () => 1)).toThrow("must not be asynchronous");
});

test("recurrent layers compute with parametrized weights", () => {
  const layer = new nn.LSTM(2, 3);
  const x = torch.rand([4, 1, 2]);
  const before = layer.forward(x)[0];
  const normed = weightNorm(layer, "weight_hh_l0");
  expect(torch.allclose(layer.forward(x)[0], before)).toBe(true);
  torch.noGrad(() => normed.parametrizations.get("weight_hh_l0").original0.mul_(2));
  expect(torch.allclose(layer.forward(x)[0], before)).toBe(false);
});

test("spectral norm improves its estimate in training mode only", () => {
  const layer = spectralNorm(new nn.Linear(6, 5));
  const state = () => new Map([...layer.namedBuffers()].map(([name, value]) => [name, value.toArray()]));
  const norm = layer.parametrizations.get("weight").at(0) as torch.nn.Module & { u: torch.Tensor };
  torch.noGrad(() => norm.u.copy_(torch.nn.functional.normalize(torch.ones([5]), { dim: 0 })));
  const first = state();
  expect([...first.keys()]).toEqual(["parametrizations.weight.0._u", "parametrizations.weight.0._v"]);
  layer.eval().weight.sum();
  expect(state()).toEqual(first);
  layer.train().weight.sum();
  expect(state()).not.toEqual(first);
});

test("wrong use is refused", () => {
  const linear = () => new nn.Linear(3, 2);
  expect(() => registerParametrization(linear(), "weigt", new Doubled())).toThrow(
    'no parameter or buffer "weigt"',
  );
  expect(() => registerParametrization(linear(), "weight", new Shorter())).toThrow(
    "what Shorter gives is float32 [1, 3], but the tensor is float32 [2, 3]",
  );
  const layer = registerParametrization(linear(), "weight", new Shorter(), { unsafe: true });
  expect(layer.weight.shape).toEqual([1, 3]);
  expect(() => removeParametrizations(linear(), "weight")).toThrow('no parametrization of "weight"');
  expect(() => removeParametrizations(weightNorm(linear()), "weight", { leaveParametrized: false })).toThrow(
    "from several tensors",
  );
  expect(() => spectralNorm(linear(), "weight", { dim: 2 })).toThrow("between -2 and 1");
  expect(() => spectralNorm(linear(), "weight", { nPowerIterations: 0 })).toThrow("above 0");
  expect(() => spectralNorm(linear(), "scale")).toThrow('no parameter or buffer "scale"');
  expect(() => orthogonal(linear(), "bias")).toThrow("expected a matrix");
  expect(() => orthogonal(linear(), "weight", { orthogonalMap: "exp" as "cayley" })).toThrow(
    "one of matrix_exp",
  );
  const fixed = orthogonal(linear(), "weight", { orthogonalMap: "cayley", useTrivialization: false });
  expect(() => {
    fixed.weight = torch.ones([2, 3]);
  }).toThrow("cannot be assigned");
});
