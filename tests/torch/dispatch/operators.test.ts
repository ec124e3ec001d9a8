import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findOverload } from "../../../src/torch/dispatch/findOverload.ts";
import { generateLibraryTypes, generateOps } from "../../../src/torch/dispatch/generateOps.ts";
import { exposedOperators } from "../../../src/torch/dispatch/opList.ts";
import { isCallable } from "../../../src/torch/dispatch/overloadOrder.ts";
import { parseSchema } from "../../../src/torch/dispatch/schema.ts";
import * as torch from "../../../src/torch/index.ts";
import { readText, shim } from "../../../src/torch/native/library.ts";
import { loadedLibtorch } from "../../helpers/loadedLibtorch.ts";

const exposed = Object.values(exposedOperators).flatMap((names) => names.split(" "));

test("every exposed operator resolves in the loaded LibTorch", () => {
  expect(new Set(exposed).size).toBe(exposed.length);
  for (const name of exposed) {
    const forms = torch.librarySchemas().get(`aten::${name}`)?.map(parseSchema).filter(isCallable) ?? [];
    expect(forms.length, name).toBeGreaterThan(0);
    for (const form of forms) expect(findOverload(form.name, form.overload).schema.text).toBe(form.text);
  }
});

// Written with the LibTorch that the set-up brings.
test.skipIf(loadedLibtorch.minor !== 13)(
  "ops.gen.ts and atenOps.gen.ts are what the generator writes for LibTorch 2.13",
  () => {
    const library = readText((buffer, capacity) => shim.aamt_all_schemas(buffer, capacity));
    const written = readFileSync(join(import.meta.dir, "../../../src/torch/dispatch/ops.gen.ts"), "utf8");
    expect(generateOps(exposedOperators, library).text).toBe(written);
    const types = readFileSync(join(import.meta.dir, "../../../src/torch/dispatch/atenOps.gen.ts"), "utf8");
    expect(generateLibraryTypes(library).text).toBe(types);
  },
);

test("every schema of the library can be read", () => {
  let count = 0;
  for (const texts of torch.librarySchemas().values()) {
    for (const text of texts) {
      parseSchema(text);
      count++;
    }
  }
  expect(count).toBeGreaterThan(2500);
});

test("typed calls serve the frequent signatures and give what the general call gives", () => {
  const typed = exposed.filter((name) => {
    const forms = torch.librarySchemas().get(`aten::${name}`)!.map(parseSchema).filter(isCallable);
    return forms.some((form) => findOverload(form.name, form.overload).typed !== null);
  });
  expect(typed.length).toBeGreaterThan(230);
  using _s = torch.scope();
  const a = torch.randn([3, 4]);
  const b = torch.randn([3, 4]);
  const square = torch.randn([4, 4]);
  const calls: (() => torch.Tensor)[] = [
    () => a.add(b),
    () => a.add(2),
    () => a.add(2.5),
    () => torch.pow(2, a),
    () => a.matmul(square),
    () => a.sum(),
    () => a.sum([0], true),
    () => a.view([2, 6]),
    () => a.permute([1, 0]),
    () => a.transpose(0, 1),
    () => a.softmax(-1),
    () => torch.linear(a, square),
    () => torch.linear(a, square, b.at(0)),
    () => torch.linear(a, square, null),
    () => a.narrow(1, 1, 2),
    () => a.select(0, 1),
    () => a.clone().mul_(3),
    () => a.clone().add_(b),
    () => torch.where(a.gt(0), a, b),
    () => a.gt(0).any(),
    () => a.indexSelect(0, torch.tensor([2n, 0n])),
    () => torch.mseLoss(a, b, 1),
    () => torch.addcmul(a, b, b),
    () => a.expand([2, 3, 4]),
    () => torch.arange(5).add(2),
    () => torch.arange(5).mul(2.5),
  ];
  for (const call of calls) {
    const short = call();
    const general = torch.countOperators(call).result;
    expect(short.dtype).toBe(general.dtype);
    expect(short.shape).toEqual(general.shape);
    expect(short.toArray()).toEqual(general.toArray());
  }
});

test("composite operators called below the layer of views give new tensors, with the general call's numbers", () => {
  const source = readFileSync(join(import.meta.dir, "../../../native/typed.cpp"), "utf8");
  const listed = /makes_anew[^{]*\{[^{]*\{([^}]*)\}/.exec(source)?.[1].match(/\w+(?=")/g);
  using _s = torch.scope();
  const layerNorm = (x: torch.Tensor, ...rest: torch.Tensor[]) => torch.layerNorm(x, [x.size(-1)], ...rest);
  const subjects: Record<string, [(...args: torch.Tensor[]) => torch.Tensor, number[][][]]> = {
    layer_norm: [layerNorm, [[[4]], [[3, 4], [4], [4]], [[2, 3, 4], [4]], [[0, 4]]]],
    linear: [
      torch.linear,
      [
        [[4], [3, 4]],
        [[2, 4], [1, 4], [1]],
        [[2, 3, 4], [4, 4], [4]],
        [
          [0, 4],
          [4, 4],
        ],
      ],
    ],
    matmul: [
      torch.matmul,
      [
        [[4], [4]],
        [
          [1, 1],
          [1, 1],
        ],
        [[3, 4], [4]],
        [
          [2, 3, 4],
          [4, 3],
        ],
        [
          [2, 3, 4],
          [2, 4, 3],
        ],
        [
          [0, 4],
          [4, 4],
        ],
      ],
    ],
  };
  expect(listed?.map(String)).toEqual(Object.keys(subjects));
  for (const [operate, all] of Object.values(subjects))
    for (const shapes of all)
      for (const dtype of ["float32", "float64"] as const) {
        const args = shapes.map((shape) => torch.rand(shape, { dtype }).requiresGrad_());
        const before = args.map((one) => one.toArray());
        const result = torch.noGrad(() => operate(...args));
        expect(result).toEqual(torch.countOperators(() => operate(...args)).result);
        result.fill_(7);
        expect(args.map((one) => one.toArray())).toEqual(before);
        result.requiresGrad_().mul(2).sum().backward();
        expect(result.grad).toEqual(torch.fullLike(result, 2));
      }
});

test("options by name and arguments by position mean the same", () => {
  using _s = torch.scope();
  const a = torch.arange(12, { dtype: "float32" }).view([3, 4]);
  expect(a.sum([1], true).toArray()).toEqual(a.sum([1], { keepdim: true }).toArray());
  expect(a.sum({ dtype: "float64" }).dtype).toBe("float64");
  expect(a.add(a, { alpha: 2 }).toArray()).toEqual(a.mul(3).toArray());
  expect(a.mean(1).toArray()).toEqual(a.mean([1]).toArray());
  expect(a.clamp({ min: 3 }).min().item()).toBe(3);
  expect(a.clamp(null, 5).max().item()).toBe(5);
  expect(torch.div(a, 2, { roundingMode: "floor" }).at(0, 3).item()).toBe(1);
  expect(a.std({ dim: [1], correction: 0 }).shape).toEqual([3]);
});

test("results of every kind", () => {
  using _s = torch.scope();
  const a = torch.tensor([3, 1, 2]);
  const [values, indices] = a.sort();
  expect(values.toArray()).toEqual([1, 2, 3]);
  expect(indices.toArray()).toEqual([1, 2, 0]);
  expect(a.chunk(3).map((part) => part.item())).toEqual([3, 1, 2]);
  expect(torch.equal(a, a.clone())).toBe(true);
  expect(a.isFloatingPoint()).toBe(true);
  const many = torch.ops["aten"]["_foreach_neg"](Array.from({ length: 400 }, (_, i) => torch.tensor(i)));
  expect((many as torch.Tensor[]).map((item) => -item.item())).toEqual(
    Array.from({ length: 400 }, (_, i) => i),
  );
  expect(torch.ops["aten"]["size"](torch.zeros([2, 3]), 1)).toBe(3);
  expect(torch.ops["aten"]["item"](torch.tensor(2.5))).toBe(2.5);
});

test("in-place operators give back the tensor itself", () => {
  using _s = torch.scope();
  const a = torch.zeros([3]);
  expect(a.add_(1)).toBe(a);
  expect(torch.mul_(a, 4)).toBe(a);
  expect(torch.countOperators(() => a.sub_(1)).result).toBe(a);
  expect(a.toArray()).toEqual([3, 3, 3]);
});

test("calls are counted, nested, without and with typed forms", () => {
  using _s = torch.scope();
  const a = torch.ones([2]);
  const seen: string[] = [];
  const { counts } = torch.countOperators(
    () => {
      a.add(1).mul(2);
      const inner = torch.countOperators(() => a.add_(1).matmul(a));
      expect(Object.fromEntries(inner.counts)).toEqual({ add_: 1, matmul: 1 });
    },
    (name) => seen.push(name),
  );
  expect(Object.fromEntries(counts)).toEqual({ add: 1, mul: 1, add_: 1, matmul: 1 });
  expect(seen).toEqual(["add", "mul", "add_", "matmul"]);
});

test("memory that JavaScript and native code share stays honest in a hot loop", () => {
  using _s = torch.scope();
  const five = torch.tensor([5, 6]);
  const out = new Float32Array(2);
  let wrong = 0;
  for (let i = 0; i < 200_000; i++) {
    const sum = five.add(i % 1000);
    sum.copyTo(out);
    if (out[0] !== 5 + (i % 1000) || out[1] !== 6 + (i % 1000)) wrong++;
    sum.dispose();
  }
  for (let i = 0; i < 200_000; i++) {
    // Lists go through a buffer that is used again, shapes come back through another.
    const size = 1 + (i % 7);
    const view = torch.ops["aten"]["expand"](five.select(0, 0), [size]) as torch.Tensor;
    if (view.shape[0] !== size || view.numel !== size) wrong++;
    view.dispose();
  }
  expect(wrong).toBe(0);
}, 60_000);
