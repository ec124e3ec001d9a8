import { expect, test } from "bun:test";
import { join } from "node:path";
import * as torch from "../../../src/torch/index.ts";

const folder = join(import.meta.dir, "../../fixtures/torch/script");
const path = join(folder, "model.pt");
const answers = (await Bun.file(join(folder, "answers.json")).json()) as Record<string, number[][]>;
const close = (actual: torch.Tensor | null, expected: number[][]) =>
  torch.testing.assertClose(actual as torch.Tensor, torch.tensor(expected));

test("a TorchScript model gives Python's numbers and gradients, and is trained further", () => {
  using _s = torch.scope();
  using model = torch.jit.load(path);
  expect([...model.methods].sort()).toEqual(["forward", "parts"]);
  const x = torch.tensor(
    [
      [1, 2, 3],
      [-1, 0.5, 0],
    ],
    { requiresGrad: true },
  );
  close(model.forward(x) as torch.Tensor, answers["plain"]);
  const several = model.forward(x, { scale: 0.5, times: 3 }) as torch.Tensor;
  close(several, answers["several"]);
  several.sum().backward();
  close(x.grad, answers["inputGradient"]);
  const parameters = model.namedParameters();
  expect([...parameters.keys()]).toEqual(["linear.weight", "linear.bias"]);
  close(parameters.get("linear.weight")!.grad, answers["weightGradient"]);
  expect([...model.stateDict().keys()]).toEqual(["linear.weight", "linear.bias", "shift"]);
  const optimizer = new torch.optim.SGD(model.parameters(), { lr: 0.1 });
  optimizer.step();
  expect(torch.allclose(model.forward(x) as torch.Tensor, torch.tensor(answers["plain"]))).toBe(false);
  model.train();
  torch.manualSeed(1);
  const noisy = model.forward(x) as torch.Tensor;
  expect(torch.equal(noisy, model.forward(x) as torch.Tensor)).toBe(false);
});

test("wrong arguments, files and uses are told in a sentence", () => {
  using _s = torch.scope();
  const model = torch.jit.load(path);
  expect(() => model.forward()).toThrow(/argument 'x' is missing/);
  expect(() => model.forward("x")).toThrow(/argument 'x' must be a Tensor/);
  expect(() => model.forward(torch.ones([1, 3]), { scal: 1 })).toThrow(/no argument 'scal'/);
  expect(() => model.call("backward")).toThrow(/no method backward; it has/);
  expect(() => model.forward(torch.ones([5, 5]))).toThrow(/mat1 and mat2|size mismatch/);
  expect(() => model.call("parts", torch.ones([1]), ["a"])).toThrow(/cannot be passed|must be/);
  model.dispose();
  expect(() => model.forward(torch.ones([1, 3]))).toThrow(/disposed/);
  expect(() => torch.jit.load(join(folder, "answers.json"))).toThrow(
    /answers.json cannot be read as TorchScript/,
  );
  expect(() => torch.jit.load(join(folder, "none.pt"))).toThrow(/none.pt/);
  expect(() => torch.inductor.loadPackage(join(folder, "answers.json"))).toThrow(
    /answers.json cannot be loaded/,
  );
});
