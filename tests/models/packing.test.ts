import { expect, test } from "bun:test";
import { packingOf, slicePacking, unpack } from "../../src/models/packing.ts";
import { SequenceEncoder } from "../../src/models/sequenceEncoder.ts";
import * as torch from "../../src/torch/index.ts";
import { perturb, smallEncoder } from "../helpers/smallModels.ts";

torch.setNumThreads(1);

const tokens = [
  [5, 1, 2, 0],
  [5, 0, 3, 0],
  [5, 1, 2, 3],
  [5, 0, 0, 0],
];

test("positions, lengths and runs of rows with holes", () => {
  const packing = packingOf(tokens.flat(), 4, 4)!;
  expect(packing.positions.toArray()).toEqual([0, 1, 2, 4, 6, 8, 9, 10, 11, 12]);
  expect([...packing.lengths]).toEqual([3, 2, 4, 1]);
  expect(packing.runs).toEqual([1, 3, 1, 2, 1, 4, 1, 1]);
  const part = slicePacking(packing, 1, 2, 4);
  expect(part.positions.toArray()).toEqual([0, 2, 4, 5, 6, 7]);
  expect(part.runs).toEqual([1, 2, 1, 4]);
});

test("equal lengths in succession are one run", () => {
  expect(packingOf([1, 0, 1, 0, 1, 1], 3, 2)!.runs).toEqual([2, 1, 1, 2]);
});

test("no packing where nothing is empty, or a whole row", () => {
  expect(packingOf([1, 2, 3, 4], 2, 2)).toBeNull();
  expect(packingOf([1, 2, 0, 0], 2, 2)).toBeNull();
});

test("unpacked values stand where they were, with zeros between", () => {
  const packing = packingOf(tokens.flat(), 4, 4)!;
  const values = torch.arange(16, { dtype: "float32" }).view([16, 1]);
  const packed = values.indexSelect(0, packing.positions);
  const back = unpack(packed, packing, 16).flatten().toArray();
  expect(back).toEqual(tokens.flat().map((token, i) => (token === 0 ? 0 : i)));
});

test("packed and masked rows give the same embeddings and gradients, and packing leaves no mask for attention", () => {
  const model = new SequenceEncoder(smallEncoder());
  perturb(model, 7);
  const index = [1, 2, 3, 4, 0, 2, 0, 0, 0, 0, 4, 1, 3, 0, 0];
  const batch = {
    asvTokens: torch.tensor(tokens.flat(), { shape: [4, 4], dtype: "int64" }),
    asvIndex: torch.tensor(index, { shape: [3, 5], dtype: "int64" }),
    counts: torch.ones([3, 5]),
    multiplicity: torch.ones([4]),
    hasAsvPadding: true,
    hasSamplePadding: true,
  };
  const packed = {
    ...batch,
    asvPacking: packingOf(tokens.flat(), 4, 4),
    samplePacking: packingOf(index, 3, 5),
  };
  const run = (input: typeof batch) => {
    model.zeroGrad();
    const counted = torch.countOperators(() => {
      const { embeddings, nucleotides } = model.forward(input, { nucleotides: true });
      embeddings!
        .square()
        .sum()
        .add(nucleotides!.logits.indexSelect(0, packed.asvPacking!.positions).sum())
        .backward();
      return embeddings!.detach();
    });
    return { ...counted, gradients: model.parameters().map((value) => value.grad!) };
  };
  const masked = run(batch);
  const free = run(packed);
  expect(free.counts.get("scaled_dot_product_attention")).toBeUndefined();
  // Three stacks of two layers.
  expect(free.counts.get("aamt::transformer_layer")).toBe(6);
  expect(masked.counts.get("scaled_dot_product_attention")).toBe(6);
  expect(free.result.sub(masked.result).abs().max().item()).toBeLessThan(1e-5);
  free.gradients.forEach((gradient, i) => {
    const expected = masked.gradients[i];
    const scale = Math.max(expected.abs().max().item(), 1e-2);
    expect(gradient.sub(expected).abs().max().item() / scale).toBeLessThan(1e-4);
  });
});
