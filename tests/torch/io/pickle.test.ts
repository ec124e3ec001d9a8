import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { UserError } from "../../../src/common/userError.ts";
import * as torch from "../../../src/torch/index.ts";

const root = resolve(import.meta.dir, "../../..");
const fixtures = join(root, "tests/fixtures/torch");
const folder = mkdtempSync(join(tmpdir(), "aam-pickle-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const python = join(root, ".venv/bin/python");

type Dictionary = Map<string | number, torch.PickleValue>;
const load = (name: string, options?: torch.LoadPickleOptions) =>
  torch.loadPickle(join(fixtures, name), options) as Dictionary;
const tensorOf = (value: unknown): torch.Tensor => {
  expect(value).toBeInstanceOf(torch.Tensor);
  return value as torch.Tensor;
};

test("a state dict is read in its order", () => {
  const state = load("state_dict.pt");
  expect([...state.keys()]).toEqual(["0.weight", "0.bias", "1.weight", "1.bias"]);
  torch.manualSeed(3);
  const expected = new torch.nn.Linear(3, 4);
  expect(tensorOf(state.get("0.weight")).toArray()).toEqual(expected.weight.toArray());
  expect(tensorOf(state.get("1.weight")).toArray()).toEqual([1, 1, 1, 1]);
});

for (const name of ["checkpoint.pt", "checkpoint_protocol5.pt"]) {
  test(`${name}: a nested checkpoint keeps its numbers, texts and lists`, () => {
    const saved = load(name);
    expect(saved.get("epoch")).toBe(3);
    expect(saved.get("name")).toBe('é\n"q\\');
    expect(saved.get("nothing")).toBeNull();
    expect(saved.get("tuple")).toEqual([1, 2.5, true, -5, 300, -70000]);
    expect(saved.get("list")).toEqual([1, "a", []]);
    expect(saved.get("large")).toBe(2n ** 62n);
    expect(saved.get("negative")).toBe(-(2n ** 62n));
    expect(saved.get("infinite")).toBe(Infinity);
    expect(saved.get("device")).toBe("cpu");
    expect(saved.get("dtype")).toBe("bfloat16");
    expect(saved.get("size")).toEqual([2, 3]);
    const optimizer = saved.get("optimizer_state_dict") as Dictionary;
    const groups = optimizer.get("param_groups") as Dictionary[];
    expect(groups[0].get("betas")).toEqual([0.9, 0.999]);
    expect(groups[0].get("params")).toEqual([0, 1, 2, 3]);
    const first = (optimizer.get("state") as Map<number, Dictionary>).get(0)!;
    expect(tensorOf(first.get("step")).item()).toBe(1);
    expect(tensorOf(first.get("exp_avg")).shape).toEqual([4, 3]);
  });
}

for (const mmap of [false, true]) {
  test(`every dtype, views and shared storages (mmap ${mmap})`, () => {
    const all = load("views.pt", { mmap });
    const base = tensorOf(all.get("base"));
    const values = [
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9, 10, 11],
    ];
    expect(base.toArray()).toEqual(values);
    for (const dtype of ["bfloat16", "float16", "float64", "int32", "int16", "int8", "uint8"] as const) {
      const converted = tensorOf(all.get(dtype));
      expect(converted.dtype).toBe(dtype);
      expect(converted.toArray()).toEqual(values);
    }
    expect(tensorOf(all.get("int64")).toArray()).toEqual(values.map((row) => row.map((value) => value - 5)));
    expect(tensorOf(all.get("bool")).toArray()).toEqual(values.map((row) => row.map((value) => value > 3)));
    expect(tensorOf(all.get("scalar")).item()).toBe(3.5);
    expect(tensorOf(all.get("empty")).shape).toEqual([0, 3]);
    expect(tensorOf(all.get("expanded")).stride()).toEqual([0]);
    expect(tensorOf(all.get("transposed")).stride()).toEqual([1, 4]);
    expect(all.get("again")).toBe(all.get("base"));
    expect(tensorOf(all.get("parameter")).requiresGrad).toBe(true);
    base.setAt([1, 1], 50);
    expect(tensorOf(all.get("row")).toArray()).toEqual([4, 50, 6, 7]);
    expect(tensorOf(all.get("transposed")).at(1, 1).item()).toBe(50);
  });
}

test("complex tensors and those of unsigned words are read", () => {
  const words = load("uint16.pt") as Map<string, torch.Tensor[]>;
  expect(words.get("words")![0].dtype).toBe("uint16");
  expect(words.get("words")![0].toArray()).toEqual([1, 1]);
  const spectrum = (load("complex.pt") as Map<string, torch.Tensor>).get("spectrum")!;
  expect(spectrum.toArray()).toEqual([
    { re: 1, im: 0 },
    { re: 1, im: 0 },
  ]);
});

const refusals: [string, RegExp][] = [
  ["legacy.pt", /PyTorch before 1\.6.*torch\.save/],
  ["module.pt", /torch\.nn\.modules\.container\.Sequential at the top/],
  ["numpy.pt", /numpy\._core\.multiarray\.scalar at best\.loss/],
  ["set.pt", /__builtin__\.set at ids/],
  ["program.pt", /TorchScript program/],
  ["missing.pt", /no such file/],
];
for (const [name, message] of refusals) {
  test(`${name} is refused by name and place`, () => {
    const before = torch.memory().liveTensors;
    expect(() => load(name)).toThrow(UserError);
    expect(() => load(name)).toThrow(message);
    expect(torch.memory().liveTensors).toBe(before);
  });
}

test("other files are told apart", () => {
  const path = join(folder, "other");
  writeFileSync(path, "");
  expect(() => torch.loadPickle(path)).toThrow(/it is empty/);
  writeFileSync(path, "a,b\n1,2\n");
  expect(() => torch.loadPickle(path)).toThrow(/not what torch\.save writes/);
  torch.saveSafetensors(path, new Map([["a", torch.ones([2])]]));
  expect(() => torch.loadPickle(path)).toThrow(/safetensors.*loadSafetensors/);
  expect(() => torch.loadPickle(folder)).toThrow(UserError);
});

test("cut and damaged files give an error or a value, never a crash", () => {
  const whole = readFileSync(join(fixtures, "checkpoint.pt"));
  const path = join(folder, "damaged.pt");
  let failures = 0;
  const attempt = (bytes: Uint8Array) => {
    writeFileSync(path, bytes);
    try {
      torch.tidy(() => void torch.loadPickle(path));
    } catch (cause) {
      expect(cause).toBeInstanceOf(UserError);
      failures++;
    }
  };
  for (let size = 0; size < whole.length; size += 97) attempt(whole.subarray(0, size));
  expect(failures).toBe(Math.ceil(whole.length / 97));
  let random = 12345;
  const next = (limit: number) => {
    random = (Math.imul(random, 1103515245) + 12345) >>> 0;
    return (random >>> 8) % limit;
  };
  for (let i = 0; i < 1500; i++) {
    const bytes = new Uint8Array(whole);
    for (let flips = 0; flips <= i % 3; flips++) bytes[next(i % 2 ? 2500 : bytes.length)] = next(256);
    attempt(bytes);
  }
  expect(failures).toBeGreaterThan(200);
});

test("loading leaves nothing behind", () => {
  const before = torch.memory().liveTensors;
  torch.tidy(() => void load("checkpoint.pt"));
  expect(torch.memory().liveTensors).toBe(before);
});

test("what savePickle writes is read back equal", () => {
  const path = join(folder, "own.pt");
  const weight = torch.randn([3, 2]);
  const value: torch.PickleInput = {
    weight,
    tied: weight,
    turned: torch.arange(6).view([2, 3]).t(),
    half: torch.randn([2], { dtype: "bfloat16" }),
    flags: torch.tensor([true, false]),
    none: torch.zeros([0, 2]),
    list: [1, -1, 255, 256, 65536, 2 ** 31, -(2 ** 31) - 1, 2 ** 53 - 1, 1e300, 0.1, -0, "text", null, true],
    large: -(2n ** 70n),
    keys: new Map<number, string>([
      [0, "zero"],
      [7, "seven"],
    ]),
    many: Array.from({ length: 300 }, (_, i) => torch.tensor(i)),
  };
  torch.savePickle(path, value);
  const back = torch.loadPickle(path) as Dictionary;
  expect(tensorOf(back.get("weight")).toArray()).toEqual(weight.toArray());
  expect(back.get("tied")).toBe(back.get("weight"));
  expect(tensorOf(back.get("turned")).toArray()).toEqual([
    [0, 3],
    [1, 4],
    [2, 5],
  ]);
  expect(tensorOf(back.get("half")).dtype).toBe("bfloat16");
  expect(tensorOf(back.get("flags")).toArray()).toEqual([true, false]);
  expect(tensorOf(back.get("none")).shape).toEqual([0, 2]);
  expect(back.get("list")).toEqual(value["list"] as unknown as torch.PickleValue[]);
  expect(back.get("large")).toBe(-(2n ** 70n));
  expect((back.get("keys") as Map<number, string>).get(7)).toBe("seven");
  expect((back.get("many") as torch.Tensor[]).map((item) => item.item())).toEqual(
    Array.from({ length: 300 }, (_, i) => i),
  );
});

test("savePickle names what it cannot write", () => {
  const path = join(folder, "never.pt");
  const save = (value: unknown) => () => torch.savePickle(path, value as torch.PickleInput);
  expect(save({ a: [1, undefined] })).toThrow(/the value\.a\[1\] is undefined/);
  expect(save({ a: () => 1 })).toThrow(/the value\.a is function/);
  expect(save({ d: new Date() })).toThrow(/the value\.d is a Date/);
  expect(save(new Map([[{}, 1]]))).toThrow(/key/);
  const gone = torch.ones([1]);
  gone.dispose();
  expect(save([gone])).toThrow(/the value\[0\] is a tensor that was disposed/);
  const cycle: unknown[] = [];
  cycle.push(cycle);
  expect(save(cycle)).toThrow(/nested/);
  expect(existsSync(path)).toBe(false);
});

test.skipIf(!existsSync(python))("Python's torch.load reads what savePickle writes", () => {
  const path = join(folder, "for python.pt");
  torch.savePickle(path, {
    model: new Map([["weight", torch.arange(6).view([2, 3]).t()]]),
    half: torch.tensor([1.5, -2], { dtype: "bfloat16" }),
    step: 7,
    rate: 0.5,
    list: [null, true, "é", 2n ** 65n],
  });
  const code = `
import sys, torch, zipfile
assert zipfile.ZipFile(sys.argv[1]).testzip() is None
for options in ({"weights_only": True}, {"weights_only": False}, {"mmap": True}):
    d = torch.load(sys.argv[1], **options)
    assert list(d) == ["model", "half", "step", "rate", "list"], d
    assert torch.equal(d["model"]["weight"], torch.arange(6).view(2, 3).t())
    assert torch.equal(d["half"], torch.tensor([1.5, -2], dtype=torch.bfloat16))
    assert d["step"] == 7 and type(d["step"]) is int and d["rate"] == 0.5
    assert d["list"] == [None, True, "é", 2**65]
print("equal")
`;
  const run = Bun.spawnSync([python, "-c", code, path]);
  expect(run.stderr.toString()).toBe("");
  expect(run.stdout.toString().trim()).toBe("equal");
});
