import { expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";

const { nn, optim } = torch;

test("SparseAdam changes the rows of an embedding that were looked up, and its state comes back", () => {
  const table = new nn.Embedding(5, 3, { sparse: true, dtype: "float64" });
  const before = table.weight.detach().clone();
  const optimizer = new optim.SparseAdam(table.parameters(), { lr: 0.1 });
  const learn = (model: torch.nn.Embedding, by: torch.optim.SparseAdam) => {
    by.zeroGrad();
    model
      .forward(torch.tensor([1n, 3n, 1n]))
      .square()
      .sum()
      .backward();
    expect(model.weight.grad!.isSparse).toBe(true);
    by.step();
  };
  learn(table, optimizer);
  const changed = table.weight.ne(before).any(1);
  expect(changed.toArray()).toEqual([false, true, false, true, false]);
  const copy = table.clone();
  const other = new optim.SparseAdam(copy.parameters(), { lr: 0.1 });
  const saved = optimizer.stateDict();
  expect(saved.state.get(0)!.get("step")).toBe(1);
  other.loadStateDict(saved);
  learn(table, optimizer);
  learn(copy, other);
  expect(copy.weight.toArray()).toEqual(table.weight.toArray());
});

test("bags of an embedding have sparse gradients too", () => {
  const bags = new nn.EmbeddingBag(4, 2, { mode: "sum", sparse: true });
  bags
    .forward(torch.tensor([0n, 2n, 2n]), torch.tensor([0n, 1n]))
    .sum()
    .backward();
  const gradient = bags.weight.grad!;
  expect(gradient.isSparse).toBe(true);
  expect(gradient.toDense().sum(1).toArray()).toEqual([2, 0, 4, 0]);
  const most = new nn.EmbeddingBag(4, 2, { mode: "max", sparse: true });
  expect(() => most.forward(torch.tensor([[0n, 1n]]))).toThrow('sparse does not go with mode "max"');
});

test("optimizers that cannot take sparse gradients, or dense ones, say so", () => {
  const table = new nn.Embedding(3, 2, { sparse: true });
  const lookUp = () =>
    table
      .forward(torch.tensor([0n]))
      .sum()
      .backward();
  lookUp();
  const kinds = [optim.Adam, optim.AdamW, optim.RMSprop, optim.Adadelta, optim.NAdam, optim.RAdam];
  for (const Kind of [...kinds, optim.Adamax, optim.Rprop, optim.ASGD, optim.Adafactor])
    expect(() => new Kind(table.parameters()).step()).toThrow(
      `${Kind.name} does not take sparse gradients; use SparseAdam`,
    );
  for (const Kind of [optim.SGD, optim.Adagrad])
    expect(() => new Kind(table.parameters(), { weightDecay: 0.1 }).step()).toThrow(
      "weightDecay does not go with sparse gradients",
    );
  const dense = new nn.Linear(2, 2);
  dense
    .forward(torch.ones([1, 2]))
    .sum()
    .backward();
  expect(() => new optim.SparseAdam(dense.parameters()).step()).toThrow("a gradient is dense; use Adam");
  expect(() => new optim.SparseAdam(dense.parameters(), { lr: 0 })).toThrow("lr must be above 0, got 0");
  expect(() => new optim.SparseAdam([dense.weight.detach().toSparse()])).toThrow("must be dense and real");
  const before = table.weight.detach().clone();
  new optim.LBFGS(table.parameters()).step(() => {
    table.zeroGrad();
    const loss = table
      .forward(torch.tensor([0n]))
      .square()
      .sum();
    loss.backward();
    return loss;
  });
  expect(torch.equal(table.weight, before)).toBe(false);
});
