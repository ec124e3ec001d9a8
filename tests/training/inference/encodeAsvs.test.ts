import { expect, test } from "bun:test";
import { AsvEncoder } from "../../../src/models/asvEncoder.ts";
import * as torch from "../../../src/torch/index.ts";
import { encodeAsvs, mapAsvChunks } from "../../../src/training/encoding/encodeAsvs.ts";
import { tokenize } from "../../helpers/tokenize.ts";

torch.setNumThreads(1);
torch.manualSeed(3);
const encoder = new AsvEncoder({ layers: 2, heads: 2, dim: 8, maxBp: 12 });
encoder.eval();
const sequences = ["ACGTACGTACGTACG", "A", "GGTN", "ACGTA", "NNNN", "TTGACCGTAA", "ACGTC", "CCCCCCCCCCCC"];
const source = { asvTokens: (asv: number) => tokenize(sequences[asv]) };
const options = { device: "cpu" as const, batch: { maxBp: 12 }, asvsPerChunk: 3 };

test("ASVs of any length and order are encoded as each is alone, cut at the longest that the model reads", () => {
  for (const asvs of [[0, 1, 2, 3, 4, 5, 6, 7], [6, 0, 4], [5], [1, 7, 7]]) {
    using _scope = torch.scope();
    const together = torch.noGrad(() => encodeAsvs(encoder, source, asvs, options));
    expect(together.shape).toEqual([asvs.length, 8]);
    asvs.forEach((asv, i) => {
      const tokens = torch.tensor([...tokenize(sequences[asv], 12)], { dtype: "int64" }).unsqueeze(0);
      const alone = torch.noGrad(() => encoder.forward(tokens).embeddings);
      expect(together.select(0, i).sub(alone.squeeze(0)).abs().max().item()).toBeLessThan(1e-5);
    });
  }
});

test("padding takes the road without padding: no attention with a mask is called", () => {
  using _scope = torch.scope();
  const { counts } = torch.countOperators(() =>
    torch.noGrad(() => encodeAsvs(encoder, source, [0, 1, 2, 3, 4, 5, 6, 7], options)),
  );
  expect([...counts.keys()].filter((name) => name.includes("scaled_dot_product"))).toEqual([]);
  const slow = torch.countOperators(() =>
    torch.noGrad(() =>
      mapAsvChunks(source, [0, 1], options, ({ tokens }) => encoder.forward(tokens).embeddings),
    ),
  );
  expect([...slow.counts.keys()].some((name) => name.includes("scaled_dot_product"))).toBe(true);
});

test("nothing is left behind but the result", () => {
  using _scope = torch.scope();
  const before = torch.memory().liveTensors;
  const result = torch.noGrad(() => encodeAsvs(encoder, source, [0, 1, 2, 3, 4], options));
  expect(torch.memory().liveTensors - before).toBe(1);
  result.dispose();
});
