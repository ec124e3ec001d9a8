import { expect, test } from "bun:test";
import { join } from "node:path";
import * as torch from "../../../src/torch/index.ts";
import { findPython } from "../../../src/torch/setup/findPython.ts";

const { data } = torch.utils;
const ids = (tensor: torch.Tensor) => [...tensor.toFloat64Array()];
const numbered = (length: number) => new data.TensorDataset(torch.arange(length));
const workerModule = join(import.meta.dir, "dataset.ts");

test("batches: sizes, what is left over, order, freed when the next one comes", () => {
  using _s = torch.scope();
  const loader = new data.DataLoader(numbered(7), { batchSize: 3 });
  expect(loader.length).toBe(3);
  const seen: number[][] = [];
  const batches: torch.Tensor[] = [];
  for (const [x] of loader) {
    seen.push(ids(x));
    batches.push(x);
    if (seen.length === 2) x.keep();
  }
  expect(seen).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
  expect(batches.map((batch) => batch.isDisposed)).toEqual([true, false, true]);
  expect([...new data.DataLoader(numbered(7), { batchSize: 3, dropLast: true })].length).toBe(2);
  const single = new data.DataLoader(numbered(3), { batchSize: null });
  for (const [x] of single) expect(x.shape).toEqual([]);
  expect(ids(numbered(3).tensors[0])).toEqual([0, 1, 2]);
});

test("a data set's own tensors are left alone", () => {
  using _s = torch.scope();
  const own = [torch.zeros([1]), torch.ones([1])];
  const dataset = { length: 2, get: (i: number) => own[i] };
  for (const x of new data.DataLoader(dataset, { batchSize: null })) expect(x).toBeDefined();
  for (const x of new data.DataLoader(dataset, { batchSize: 2 })) expect(x.shape).toEqual([2, 1]);
  expect(own.map((tensor) => tensor.isDisposed)).toEqual([false, false]);
});

test("collating: tensors, numbers, texts, structures; what does not fit is named", () => {
  using _s = torch.scope();
  const example = (i: number) => ({
    x: torch.ones([2]),
    label: i,
    big: 1n,
    ok: true,
    text: `t${i}`,
    pair: [i, "a"] as const,
  });
  const batch = data.defaultCollate([example(0), example(1)]);
  expect(batch.x.shape).toEqual([2, 2]);
  expect(batch.label.toArray()).toEqual([0, 1]);
  expect([batch.label.dtype, batch.big.dtype, batch.ok.dtype]).toEqual(["float32", "int64", "bool"]);
  expect(batch.text).toEqual(["t0", "t1"]);
  expect(batch.pair[0].toArray()).toEqual([0, 1]);
  expect(() => data.defaultCollate([1, "a"])).toThrow(/a number in one example and a string/);
  expect(() => data.defaultCollate([{ a: [1] }, { a: [1, 2] }])).toThrow(
    /example\.a .*array of 1.*array of 2/,
  );
  expect(() => data.defaultCollate([null])).toThrow(/null/);
  const loader = new data.DataLoader(
    { length: 4, get: (i: number) => i },
    {
      batchSize: 2,
      collateFn: (examples) => examples.join("+"),
    },
  );
  expect([...loader]).toEqual(["0+1", "2+3"]);
});

test("samplers: weighted, subsets, batches of one's own, with and without replacement", () => {
  using _s = torch.scope();
  torch.manualSeed(0);
  const weighted = [...new data.WeightedRandomSampler([0, 1, 3], 4000)];
  const share = (i: number) => weighted.filter((at) => at === i).length / 4000;
  expect(share(0)).toBe(0);
  expect(share(2)).toBeCloseTo(0.75, 1);
  expect(new Set(new data.WeightedRandomSampler([1, 1, 1], 3, { replacement: false })).size).toBe(3);
  expect(() => new data.WeightedRandomSampler([1, 0], 2, { replacement: false })).toThrow(/weights above 0/);
  expect([...new data.SubsetRandomSampler([4, 7, 9])].sort()).toEqual([4, 7, 9]);
  expect([...new data.RandomSampler({ length: 3 }, { numSamples: 7 })].length).toBe(7);
  const many = [...new data.RandomSampler({ length: 2 }, { replacement: true, numSamples: 50 })];
  expect(new Set(many)).toEqual(new Set([0, 1]));
  const batches = new data.BatchSampler(new data.SequentialSampler({ length: 5 }), 2);
  expect([...batches]).toEqual([[0, 1], [2, 3], [4]]);
  const own = new data.DataLoader(numbered(6), { batchSampler: [[5, 0], [3]] });
  const seen: number[][] = [];
  for (const [x] of own) seen.push(ids(x));
  expect(seen).toEqual([[5, 0], [3]]);
});

test("subsets, splits, several data sets together", async () => {
  using _s = torch.scope();
  const parts = data.randomSplit(numbered(10), [0.75, 0.25], {
    generator: new torch.Generator().manualSeed(1),
  });
  expect(parts.map(({ length }) => length)).toEqual([8, 2]);
  expect(parts.flatMap(({ indices }) => indices).sort((a, b) => a - b)).toEqual([
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
  ]);
  expect(() => data.randomSplit(numbered(10), [3, 4])).toThrow(/add up to the 10/);
  expect(() => new data.Subset(numbered(2), [2])).toThrow(/example 2 is out of range/);
  const joined = new data.ConcatDataset([numbered(2), numbered(3)]);
  expect(joined.length).toBe(5);
  expect((joined.get(4) as torch.Tensor[])[0].item()).toBe(2);
  expect((joined.get(-5) as torch.Tensor[])[0].item()).toBe(0);
  const stacked = new data.StackDataset({ a: numbered(2), b: { length: 2, get: (i: number) => i } });
  expect((stacked.get(1) as { b: number }).b).toBe(1);
  const chained: unknown[] = [];
  for await (const value of new data.ChainDataset<number>([[1, 2], [3]])) chained.push(value);
  expect(chained).toEqual([1, 2, 3]);
});

test("iterable and asynchronous data sets", async () => {
  using _s = torch.scope();
  function* count() {
    for (let i = 0; i < 5; i++) yield i;
  }
  const seen: number[][] = [];
  const endless = { [Symbol.iterator]: () => count() };
  for (const x of new data.DataLoader<number>(endless, { batchSize: 2 })) seen.push(ids(x));
  expect(seen).toEqual([[0, 1], [2, 3], [4]]);
  const slow = { length: 3, get: async (i: number) => torch.tensor([i]) };
  const late: number[][] = [];
  for await (const x of new data.DataLoader(slow, { batchSize: 2 })) late.push(ids(x));
  expect(late).toEqual([[0, 1], [2]]);
  expect(() => [...new data.DataLoader(slow)]).toThrow(/for await/);
  expect(() => new data.DataLoader(endless).length).toThrow(/not known/);
  expect(() => new data.DataLoader(endless, { shuffle: true })).toThrow(/iterable/);
});

test("a pass goes on where its state was taken, with the same order", () => {
  using _s = torch.scope();
  for (const generator of [undefined, new torch.Generator().manualSeed(5)]) {
    torch.manualSeed(3);
    const make = () =>
      new data.DataLoader(numbered(20), { batchSize: 4, shuffle: true, ...(generator ? { generator } : {}) });
    const first = make();
    const seen: number[][] = [];
    let state: torch.utils.data.DataLoaderState | null = null;
    for (const [x] of first) {
      seen.push(ids(x));
      if (seen.length === 2) state = first.stateDict();
    }
    const second = make();
    second.loadStateDict(state!);
    torch.manualSeed(77);
    const rest: number[][] = [];
    const before = ids(torch.rand([2]));
    torch.manualSeed(77);
    for (const [x] of second) rest.push(ids(x));
    expect(rest).toEqual(seen.slice(2));
    expect(ids(torch.rand([2]))).toEqual(before);
  }
});

test("options that are unknown or contradict each other are refused", () => {
  const set = numbered(2);
  const refused = (options: object, text: RegExp) =>
    expect(() => new data.DataLoader(set, options)).toThrow(text);
  refused({ batch: 3 }, /no option 'batch'/);
  refused({ batchSize: 0 }, /at least 1/);
  refused({ sampler: [0], shuffle: true }, /exclude/);
  refused({ batchSampler: [[0]], batchSize: 2 }, /excludes/);
  refused({ numWorkers: 2 }, /workerModule/);
  refused({ prefetchFactor: 2 }, /need numWorkers/);
  refused({ batchSize: null, dropLast: true }, /dropLast/);
});

test("workers: order, resuming, iterable data, errors, timeouts, an early end", async () => {
  using _s = torch.scope();
  const set = { length: 10, get: () => 0 };
  const options = { batchSize: 2, numWorkers: 2, workerModule, workerData: { kind: "indexed", length: 10 } };
  const live = torch.memory().liveTensors;
  const loader = new data.DataLoader<unknown, { x: torch.Tensor; name: string[] }>(set, {
    ...options,
    persistentWorkers: true,
  });
  const seen: number[][] = [];
  for await (const { x, name } of loader) {
    seen.push(ids(x));
    expect(name.length).toBe(2);
    if (seen.length === 2) break;
  }
  expect(seen).toEqual([
    [0, 0, 1, 1],
    [2, 2, 3, 3],
  ]);
  loader.loadStateDict({ generator: torch.getRngState(), position: 3 });
  const rest: number[][] = [];
  for await (const { x } of loader) rest.push(ids(x));
  expect(rest).toEqual([
    [6, 6, 7, 7],
    [8, 8, 9, 9],
  ]);
  await loader.dispose();
  const many = new data.DataLoader<unknown, [torch.Tensor, torch.Tensor]>([] as unknown[], {
    ...options,
    workerData: { kind: "iterable", length: 7 },
  });
  const all: number[] = [];
  for await (const [, i] of many) all.push(...ids(i));
  expect(all.sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  const failing = new data.DataLoader(set, { ...options, workerData: { kind: "failing", length: 10 } });
  const run = async () => {
    for await (const _batch of failing);
  };
  await expect(run()).rejects.toThrow(/worker 0 failed: RangeError: example 5 is broken/);
  const slow = new data.DataLoader(set, {
    ...options,
    timeout: 0.2,
    workerData: { kind: "slow", length: 10 },
  });
  await expect(
    (async () => {
      for await (const _batch of slow);
    })(),
  ).rejects.toThrow(/within 0.2 s/);
  expect(() => [...loader]).toThrow(/for await/);
  expect(torch.memory().liveTensors - live).toBeLessThan(20);
}, 60_000);

const python = findPython(["torch"]);
test.skipIf(python === undefined)(
  "orders and splits are Python's at the same seed",
  () => {
    using _s = torch.scope();
    const script = `
import torch
from torch.utils.data import *
torch.manual_seed(11)
d = TensorDataset(torch.arange(13))
print([b[0].tolist() for b in DataLoader(d, batch_size=5, shuffle=True)])
print([b[0].tolist() for b in DataLoader(d, batch_size=5, shuffle=True, generator=torch.Generator().manual_seed(4))])
print(list(RandomSampler(d, replacement=True, num_samples=40)))
print([list(s.indices) for s in random_split(d, [0.5, 0.5], torch.Generator().manual_seed(2))])
print(torch.rand(1).item())`;
    const run = Bun.spawnSync([python!, "-c", script], { stdout: "pipe", stderr: "pipe" });
    const lines = run.stdout
      .toString()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    torch.manualSeed(11);
    const set = numbered(13);
    const order = (options: object) => {
      const batches: number[][] = [];
      for (const [x] of new data.DataLoader(set, { batchSize: 5, shuffle: true, ...options }))
        batches.push(ids(x));
      return batches;
    };
    expect(order({})).toEqual(lines[0]);
    expect(order({ generator: new torch.Generator().manualSeed(4) })).toEqual(lines[1]);
    expect([...new data.RandomSampler(set, { replacement: true, numSamples: 40 })]).toEqual(lines[2]);
    const parts = data.randomSplit(set, [0.5, 0.5], { generator: new torch.Generator().manualSeed(2) });
    expect(parts.map(({ indices }) => [...indices])).toEqual(lines[3]);
    expect(torch.rand([1]).item()).toBe(lines[4]);
  },
  60_000,
);
