import { expect, test } from "bun:test";
import { AsvBlocks } from "../../src/models/asvBlocks.ts";
import { AsvSum } from "../../src/models/asvSum.ts";
import * as torch from "../../src/torch/index.ts";

const known = [Uint8Array.of(5, 1, 2), Uint8Array.of(5, 3), Uint8Array.of(5, 4, 4)];
const codes = 3;
const depth = 50;

/** Three samples: of ASVs 1 and 2, of 2 and one that is not known, of 3 alone. */
function study() {
  torch.manualSeed(2);
  const table = torch.cat([torch.zeros([1, 5]), torch.randn([4, 5])]);
  const asvIndex = torch.tensor(BigInt64Array.of(1n, 2n, 2n, 4n, 3n, 0n), { shape: [3, 2] });
  const tokens = Uint8Array.of(5, 1, 2, 0, 5, 3, 0, 0, 5, 4, 4, 0, 5, 4, 1, 1);
  const batch = {
    asvTokens: torch.tensor(tokens, { shape: [4, 4] }),
    asvIndex,
    counts: torch.tensor(Float32Array.of(30, 10, 20, 20, 8, 0), { shape: [3, 2] }),
    hasSamplePadding: true,
  };
  const blocks = new AsvBlocks({ dim: 5, codes, sumFeatures: 6, known: 3, tokens: 4 });
  blocks.know(known, depth);
  return { blocks, batch, table, slots: torch.embedding(table, asvIndex, 0) };
}

test("blocks are presence and logs of counts of known ASVs, the union of codes, and sums of effects", () => {
  using _scope = torch.scope();
  const { blocks, batch, table, slots } = study();
  const rows = blocks.raw(batch, slots);
  expect(rows.shape).toEqual([3, blocks.features]);
  const at = (from: number, width: number) => [...rows.narrow(1, from, width).toFloat64Array()];
  expect(at(0, 3)).toEqual([1, 1, 0, 0, 1, 0, 0, 0, 1]);
  const log = (share: number) => Math.log1p(share * depth);
  const expected = [log(0.75), log(0.25), 0, 0, log(0.5), 0, 0, 0, log(1)];
  for (const [i, value] of at(3, 3).entries()) expect(value).toBeCloseTo(expected[i], 5);
  // The ASV that is not known counts by its codes.
  const code = (asv: number, k: number) => Math.log1p(Math.exp(table.select(0, asv).select(0, k).item()));
  for (let k = 0; k < codes; k++)
    expect(at(6, codes)[codes + k]).toBeCloseTo(1 - Math.exp(-code(2, k) - code(4, k)), 5);
  const sum = new AsvSum(5, 6);
  sum.loadStateDict(blocks.asvSum.stateDict());
  const sums = sum.forward(slots, batch.asvIndex.ne(0)).toFloat64Array();
  for (const [i, value] of at(6 + codes, 6).entries()) expect(value).toBeCloseTo(sums[i], 5);
});

test("each block is centred and has the same share of a mean squared length of 1, and a block of zeros stays", () => {
  using _scope = torch.scope();
  const { blocks, batch, slots } = study();
  blocks.fit(blocks.raw(batch, slots));
  const features = blocks.forward(batch, slots);
  for (const value of features.mean([0]).toFloat64Array()) expect(value).toBeCloseTo(0, 5);
  const widths = [3, 3, codes, 6];
  widths.forEach((width, i) => {
    const from = widths.slice(0, i).reduce((a, b) => a + b, 0);
    expect(features.narrow(1, from, width).square().sum([1]).mean().item()).toBeCloseTo(1 / 4, 5);
  });
  const none = new AsvBlocks({ dim: 5, codes: 0, sumFeatures: 6, known: 3, tokens: 4 });
  none.know([], depth);
  none.fit(none.raw(batch, slots));
  expect(none.forward(batch, slots).toFloat64Array().every(Number.isFinite)).toBe(true);
});

test("a block that is the same in all training samples counts for nothing, though its mean is rounded", () => {
  using _scope = torch.scope();
  const { blocks } = study();
  const raw = torch.randn([7, blocks.features]);
  raw.narrow(1, 6, codes).fill_(0.3);
  blocks.fit(raw);
  const other = blocks.finish(raw.add(0.01)).narrow(1, 6, codes);
  expect([...other.toFloat64Array()].every((value) => value === 0)).toBe(true);
});

test("known ASVs are those with their sequence, told by tokens or by columns alike, also after loading", () => {
  using _scope = torch.scope();
  const { blocks, batch, slots } = study();
  expect(known.map(blocks.lookUp())).toEqual([1, 2, 3]);
  // What is read of a longer one is the same; a shorter one is another.
  expect(blocks.lookUp()(Uint8Array.of(5, 1, 2, 0, 4))).toBe(1);
  expect(blocks.lookUp()(Uint8Array.of(5, 1))).toBe(0);
  const loaded = new AsvBlocks({ dim: 5, codes, sumFeatures: 6, known: 3, tokens: 4 });
  loaded.loadStateDict(blocks.stateDict());
  const asvColumns = torch.tensor(BigInt64Array.of(1n, 2n, 3n, 0n));
  const told = blocks.raw({ ...batch, asvColumns, asvTokens: torch.empty([0, 0]) }, slots);
  for (const other of [blocks, loaded])
    expect([...other.raw(batch, slots).toFloat64Array()]).toEqual([...told.toFloat64Array()]);
});
