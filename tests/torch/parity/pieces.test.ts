import { expect, test } from "bun:test";
import { camelCase } from "../../../src/torch/dispatch/schema.ts";
import * as torch from "../../../src/torch/index.ts";
import { askPython, whyNoPython } from "./pythonCases.ts";

/** What lab/python/parity/pieces.py prints. */
interface Pieces {
  readonly finfo: Record<torch.DType, Record<string, number | string>>;
  readonly iinfo: Record<torch.DType, Record<string, number | string>>;
  readonly promote: Record<torch.DType, Record<torch.DType, torch.DType>>;
  readonly cast: Record<torch.DType, Record<torch.DType, boolean>>;
  readonly result: Record<torch.DType, Record<torch.DType, torch.DType>>;
  readonly result_number: Record<torch.DType, torch.DType>;
  readonly shapes: readonly (readonly [number[][], number[]])[];
  readonly gradient: readonly (readonly [Record<string, unknown>, torch.Nested[]])[];
  readonly shown: readonly (number | null)[][];
  readonly printed: readonly (readonly [Record<string, unknown>, string[]])[];
  readonly shares: readonly (readonly [Record<string, number | boolean>, number[][]])[];
}

const obstacle = whyNoPython();
if (obstacle) console.log(`pieces against Python's torch: skipped, ${obstacle}`);
const python = obstacle ? null : askPython<Pieces>("pieces");

const camel = (settings: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(settings).map(([key, value]) => [camelCase(key), value]));
const keys = <Key extends string>(record: Record<Key, unknown>) => Object.keys(record) as Key[];

test.skipIf(!python)("limits of dtypes are Python's", () => {
  const { finfo, iinfo } = python as Pieces;
  for (const dtype of keys(finfo))
    expect({ ...torch.finfo(dtype) }).toMatchObject(camel(finfo[dtype]) as never);
  for (const dtype of keys(iinfo)) {
    const { bits, max, min, dtype: name } = torch.iinfo(dtype);
    expect({ bits, max: String(max), min: String(min), dtype: name }).toEqual(iinfo[dtype] as never);
  }
  expect(torch.iinfo("uint64").max).toBe(2n ** 64n - 1n);
  expect(() => torch.finfo("int64")).toThrow("finfo: int64 has no fractions");
  expect(() => torch.iinfo("float32")).toThrow("iinfo: float32 is no integer");
});

test.skipIf(!python)("dtypes are promoted and cast as Python does", () => {
  const { promote, cast, result, result_number: withNumber } = python as Pieces;
  for (const a of keys(promote)) {
    using _s = torch.scope();
    const vector = torch.ones([2], { dtype: a });
    expect(torch.resultType(vector, 1.5)).toBe(withNumber[a]);
    for (const b of keys(promote[a])) {
      expect([a, b, torch.promoteTypes(a, b)]).toEqual([a, b, promote[a][b]]);
      expect([a, b, torch.canCast(a, b)]).toEqual([a, b, cast[a][b]]);
      const typeOfBoth = () => torch.resultType(vector, torch.ones([], { dtype: b }));
      // There are no complex numbers of two float16 here.
      if ((result[a][b] as string) === "complex32") expect(typeOfBoth).toThrow("no counterpart");
      else expect([a, b, typeOfBoth()]).toEqual([a, b, result[a][b]]);
    }
  }
});

test.skipIf(!python)("shapes are broadcast as in Python", () => {
  for (const [shapes, whole] of (python as Pieces).shapes)
    expect(torch.broadcastShapes(...shapes)).toEqual(whole);
  expect(() => torch.broadcastShapes([2, 3], [2])).toThrow(
    "[2, 3] and [2] do not fit together in dimension 1",
  );
});

test.skipIf(!python)("torch.gradient estimates as Python does", () => {
  using _s = torch.scope();
  const values = torch.tensor([
    [1, 4, 9],
    [2, 3, 7],
    [5, 1, 0.5],
    [2, 2, 8],
  ]);
  for (const [{ coordinates, ...settings }, expected] of (python as Pieces).gradient) {
    const places = (coordinates as number[][] | undefined)?.map((one) => torch.tensor(one));
    const found = torch.gradient(values, { ...camel(settings), ...(places ? { spacing: places } : {}) });
    expect(found.map((one) => one.toArray())).toEqual(expected);
  }
});

test.skipIf(!python)("setPrintoptions prints to Python's letter", () => {
  using _s = torch.scope();
  const { shown, printed } = python as Pieces;
  const tensors = shown.map((values) => torch.tensor(values.map((value) => value ?? Number.NaN)));
  // Python's whole numbers are int64.
  tensors[5] = tensors[5].long();
  try {
    for (const [settings, texts] of printed) {
      torch.setPrintoptions(camel(settings));
      expect([settings, tensors.map(String)]).toEqual([settings, texts]);
      torch.setPrintoptions({ profile: "default" });
    }
  } finally {
    torch.setPrintoptions({ profile: "default" });
  }
  expect(() => torch.setPrintoptions({ precision: -1 })).toThrow("precision must be a whole number");
  expect(() => torch.setPrintoptions({ profile: "long" as never })).toThrow("default, short or full");
});

test.skipIf(!python)("DistributedSampler gives each rank Python's examples", () => {
  for (const [settings, orders] of (python as Pieces).shares) {
    const { count, epoch = 0, ...options } = settings;
    orders.forEach((order, rank) => {
      const data = { length: count as number };
      const sampler = new torch.utils.data.DistributedSampler(data, { ...camel(options), rank });
      sampler.setEpoch(epoch as number);
      expect([...sampler]).toEqual(order);
      expect(sampler.length).toBe(order.length);
    });
  }
  const outside = () => new torch.utils.data.DistributedSampler([1, 2], { numReplicas: 2, rank: 2 });
  expect(outside).toThrow("rank must lie in 0 to 1, got 2");
});
