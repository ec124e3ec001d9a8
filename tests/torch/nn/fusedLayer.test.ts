import { expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";

torch.setNumThreads(1);

const { nn } = torch;
const dim = 16;
const heads = 2;

function makeLayer(activation: torch.nn.Activation): torch.nn.TransformerEncoderLayer {
  torch.manualSeed(5);
  const layer = new nn.TransformerEncoderLayer(dim, heads, {
    dimFeedforward: 24,
    dropout: 0,
    activation,
    batchFirst: true,
    normFirst: true,
  });
  torch.noGrad(() => {
    for (const value of layer.parameters()) value.add_(torch.randn(value.shape), { alpha: 0.1 });
  });
  return layer;
}

/** Sequences one by one through single operators. */
function bySingleOperators(
  layer: torch.nn.TransformerEncoderLayer,
  input: torch.Tensor,
  runs: readonly number[],
): torch.Tensor {
  const parts: torch.Tensor[] = [];
  let start = 0;
  for (let i = 0; i < runs.length; i += 2) {
    for (let n = 0; n < runs[i]; n++) {
      parts.push(layer.forward(input.narrow(0, start, runs[i + 1]).unsqueeze(0)).squeeze(0));
      start += runs[i + 1];
    }
  }
  return torch.cat(parts);
}

/** The output, and the gradients of the input and of all weights for a random gradient of the output. */
function outputAndGradients(
  layer: torch.nn.Module,
  input: torch.Tensor,
  run: (input: torch.Tensor) => torch.Tensor,
): torch.Tensor[] {
  layer.zeroGrad();
  const leaf = input.detach().clone().requiresGrad_();
  const output = run(leaf);
  const generator = new torch.Generator("cpu").manualSeed(9);
  output.backward({ gradient: torch.randn(output.shape, { generator }) });
  return [output.detach(), leaf.grad!, ...layer.parameters().map((value) => value.grad!)];
}

function difference(actual: torch.Tensor, expected: torch.Tensor): number {
  return actual.sub(expected).abs().max().item() / expected.abs().max().item();
}

const cases: Record<string, readonly number[]> = {
  "rows of one length": [7, 11],
  "one sequence": [1, 5],
  "single tokens": [9, 1],
  "different lengths": [1, 3, 2, 8, 1, 1, 1, 20],
  "a run without sequences and one without tokens": [0, 4, 3, 6, 2, 0],
  "more tokens than one block has": [300, 9],
  "more tokens than one block has, of different lengths": [100, 9, 40, 25],
  "attention in several groups": [4, 600],
};

for (const [name, runs] of Object.entries(cases)) {
  for (const activation of ["gelu", "gelu_tanh", "relu"] as const) {
    if (activation !== "gelu" && name !== "different lengths") continue;
    test(`${name}, ${activation}: values and gradients of single operators`, () => {
      using _scope = torch.scope();
      const layer = makeLayer(activation);
      const tokens = runs.reduce((sum, length, i) => (i % 2 === 1 ? sum + length * runs[i - 1] : sum), 0);
      const input = torch.randn([tokens, dim]);
      const fused = (value: torch.Tensor, recompute = false) =>
        nn.fusedTransformerLayer(value, layer, { runs, heads, activation, recompute });
      const actual = outputAndGradients(layer, input, fused);
      const expected = outputAndGradients(layer, input, (value) => bySingleOperators(layer, value, runs));
      const differences = actual.map((value, i) => difference(value, expected[i]));
      expect(Math.max(...differences)).toBeLessThan(2e-5);
      const again = outputAndGradients(layer, input, (value) => fused(value, true));
      again.forEach((value, i) => {
        expect(value.equal(actual[i])).toBe(true);
      });
      const silent = torch.inferenceMode(() => fused(input));
      expect(silent.equal(actual[0])).toBe(true);
    });
  }
}

test("two threads give what one gives", () => {
  using _scope = torch.scope();
  const layer = makeLayer("gelu");
  const runs = [300, 9];
  const input = torch.randn([2700, dim]);
  const run = () =>
    outputAndGradients(layer, input, (value) =>
      nn.fusedTransformerLayer(value, layer, { runs, heads, activation: "gelu" }),
    );
  const one = run();
  torch.setNumThreads(2);
  const two = run();
  torch.setNumThreads(1);
  expect(Math.max(...two.map((value, i) => difference(value, one[i])))).toBeLessThan(2e-5);
});

test("keeps what its memory plan says: 3 D + 2 D + the hidden values of each token, or the input alone", () => {
  const layer = makeLayer("gelu");
  const large = torch.randn([64 * 101, dim]).detachFromScope();
  const growth = (recompute: boolean) => {
    torch.emptyCache();
    const before = torch.memory().cpu.allocated;
    const output = nn.fusedTransformerLayer(large, layer, {
      runs: [64, 101],
      heads,
      activation: "gelu",
      recompute,
    });
    const bytes = torch.memory().cpu.allocated - before;
    output.dispose();
    return bytes / (4 * 64 * 101);
  };
  // And a header of 64 bytes for each of the tensors.
  const all = growth(false);
  expect(all).toBeGreaterThanOrEqual(6 * dim + 24);
  expect(all).toBeLessThan(1.01 * (6 * dim + 24));
  const least = growth(true);
  expect(least).toBeGreaterThanOrEqual(dim);
  expect(least).toBeLessThan(1.01 * dim);
});

test("refuses what does not fit together", () => {
  const layer = makeLayer("gelu");
  const run = (input: torch.Tensor, runs: number[]) =>
    nn.fusedTransformerLayer(input, layer, { runs, heads, activation: "gelu" });
  expect(() => run(torch.randn([6, dim]), [1, 5])).toThrow("5 tokens, its input 6");
  expect(() => run(torch.randn([5, dim]), [5])).toThrow("pairs");
  expect(() => run(torch.randn([5, dim]), [-5, -1])).toThrow("negative");
  expect(() => run(torch.randn([5, dim], { dtype: "float64" }), [1, 5])).toThrow("float32");
  expect(() => run(torch.randn([5, dim + 2]), [1, 5])).toThrow("weight 0");
  expect(() =>
    nn.fusedTransformerLayer(torch.randn([5, dim]), layer, { runs: [1, 5], heads: 3, activation: "gelu" }),
  ).toThrow("3 heads do not divide 16");
});

test("has no second derivative, and says so", () => {
  const layer = makeLayer("gelu");
  const input = torch.randn([5, dim]).requiresGrad_();
  const output = nn.fusedTransformerLayer(input, layer, { runs: [1, 5], heads, activation: "gelu" });
  expect(() => torch.grad(output.sum(), [input], { createGraph: true })).toThrow("no second derivative");
});

test("is for float32 on the CPU outside of mixed precision", () => {
  expect(nn.canFuseLayer(torch.zeros([1]))).toBe(true);
  expect(nn.canFuseLayer(torch.zeros([1], { dtype: "float64" }))).toBe(false);
  expect(nn.canFuseLayer(torch.zeros([1], { device: "meta" }))).toBe(false);
  torch.autocast({ dtype: "bfloat16" }, () => {
    expect(nn.canFuseLayer(torch.zeros([1]))).toBe(false);
    torch.autocast({ enabled: false }, () => expect(nn.canFuseLayer(torch.zeros([1]))).toBe(true));
    expect(nn.canFuseLayer(torch.zeros([1]))).toBe(false);
  });
  expect(nn.canFuseLayer(torch.zeros([1]))).toBe(true);
});
