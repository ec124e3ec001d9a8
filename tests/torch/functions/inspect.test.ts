import { expect, test } from "bun:test";
import { join } from "node:path";
import { inspect } from "node:util";
import * as torch from "../../../src/torch/index.ts";

interface Entry {
  dtype: torch.DType;
  shape: number[];
  values: (number | string | boolean)[] | string;
  text: string;
}
const { tensors, graphs } = (await Bun.file(
  join(import.meta.dir, "../../fixtures/torch/texts.json"),
).json()) as {
  tensors: Entry[];
  graphs: Record<string, string>;
};

function build({ dtype, shape, values }: Entry): torch.Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  if (values === "i") return torch.arange(count).view(shape);
  if (values === "i % 997 / 8") return torch.arange(count).remainder(997).to("float32").div(8).view(shape);
  const list = values as (number | string | boolean)[];
  if (dtype === "int64")
    return torch
      .tensor(list.map((value) => BigInt(value)))
      .view(shape)
      .to(dtype);
  if (list.length === 0) return torch.empty(shape, { dtype });
  const numbers = list.map((value) =>
    typeof value === "string" ? Number(value.replace("inf", "Infinity")) : Number(value),
  );
  return torch.tensor(numbers, { dtype: "float64" }).to(dtype).view(shape);
}

test("tensors print as PyTorch prints them, to the letter", () => {
  using _s = torch.scope();
  expect(tensors.length).toBeGreaterThan(90);
  for (const entry of tensors) expect(String(build(entry))).toBe(entry.text);
});

test("gradients and where a tensor came from are shown", () => {
  using _s = torch.scope();
  const leaf = torch.ones([2], { requiresGrad: true });
  const long = torch.full([4, 9], 0.123, { requiresGrad: true });
  const own: Record<string, torch.Tensor> = {
    leaf,
    product: leaf.mul(torch.tensor(2)),
    sum: leaf.mul(torch.tensor(2)).sum(),
    relu: torch.relu(long),
    double: long.to("float64").exp(),
    wide: torch.linspace(0, 1, 10, { requiresGrad: true }).view([1, 10]),
  };
  for (const [name, text] of Object.entries(graphs)) expect(String(own[name])).toBe(text);
});

test("printing leaves nothing behind and reads only what is shown", () => {
  const large = torch.zeros([2000, 2000], { requiresGrad: true });
  const before = torch.memory().liveTensors;
  expect(inspect(large)).toContain("...");
  expect(inspect([large])).toContain("requires_grad=True");
  expect(torch.memory().liveTensors).toBe(before);
  expect(String(torch.empty([2, 3], { device: "meta" }))).toBe("tensor(..., device='meta', size=(2, 3))");
});

test("an optimizer prints its groups with their settings", () => {
  const layer = new torch.nn.Linear(3, 2);
  const optimizer = new torch.optim.SGD([{ params: [layer.weight] }, { params: [layer.bias!], lr: 1 }], {
    lr: 0.1,
  });
  const [head, first, second] = inspect(optimizer).split("\n");
  expect(head).toBe("SGD()");
  expect(first).toMatch(/^ {2}\(0\): lr=0\.1, .*momentum=0.* {2}# 1 tensors, 6 elements$/);
  expect(second).toMatch(/^ {2}\(1\): lr=1, .* {2}# 1 tensors, 2 elements$/);
});

test("where JavaScript wants a number, a tensor of one element is its value, and any other refuses", () => {
  using _s = torch.scope();
  expect(Number(torch.tensor([[2.5]]))).toBe(2.5);
  expect(Number(torch.tensor(3n))).toBe(3);
  expect(`${torch.tensor(2.5)}`).toBe("tensor(2.5000)");
  const [two, three] = [torch.tensor(2), torch.tensor(3)] as unknown[] as [number, number];
  expect([two < three, Math.max(two, three), 10 - two]).toEqual([true, 3, 8]);
  for (const shape of [[2], [0], [1, 2]])
    expect(() => Number(torch.ones(shape))).toThrow(
      `A tensor of shape [${shape}] is no number: write x.add(y)`,
    );
});
