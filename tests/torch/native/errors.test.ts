import { expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";
import { inOurWords } from "../../../src/torch/native/errorWords.ts";

/** What `fn` throws: its class, message and kind. */
function failure(fn: () => unknown): { name: string; message: string; kind: string; op: string } {
  try {
    fn();
  } catch (cause) {
    const { name, message, kind = "", op = "" } = cause as torch.TorchError;
    return { name, message, kind, op };
  }
  throw new Error("nothing was thrown");
}
const untyped = (value: unknown) => value as never;
const a = torch.ones([8, 3]);
const b = torch.ones([5, 4]);

test("shapes that do not fit name the operator and the shapes", () => {
  const found = failure(() => a.add(b));
  expect(found.name).toBe("TorchError");
  expect(found.op).toBe("aten::add.Tensor");
  expect(found.message).toContain("aten::add.Tensor(Tensor[8, 3] float32 cpu, Tensor[5, 4] float32 cpu)");
  expect(found.message).toContain("must match the size of tensor b");
  expect(failure(() => a.matmul(b)).message).toContain("[8, 3]");
  expect(failure(() => a.sum([3], { keepdim: true })).message).toMatch(
    /aten::sum.*\{keepdim: true\}.*Dimension out of range/s,
  );
  expect(failure(() => a.sum([3])).kind).toBe("index");
  expect(failure(() => a.view([7])).message).toMatch(/aten::view\(Tensor\[8, 3\] float32 cpu, \[7\]\)/);
});

test("dtypes and devices", () => {
  expect(failure(() => torch.ones([2]).matmul(torch.ones([2], { dtype: "int64" }))).message).toMatch(/int64/);
  expect(failure(() => a.to(untyped("float33"))).message).toMatch(/float33.*not a device|not a dtype/);
  expect(failure(() => torch.zeros([2], { dtype: untyped("complex63") })).message).toMatch(
    /zeros: argument 'dtype' must be a dtype.*got "complex63"/,
  );
  expect(failure(() => torch.zeros([2], { device: untyped("gpu") })).message).toMatch(
    /zeros: argument 'device' must be a device.*got "gpu"/,
  );
  if (!torch.isCudaAvailable()) expect(failure(() => a.to("cuda")).name).toBe("TorchError");
});

test("disposed tensors", () => {
  const gone = torch.ones([2]);
  gone.dispose();
  gone.dispose();
  expect(gone.isDisposed).toBe(true);
  for (const use of [
    () => gone.add(1),
    () => torch.ones([2]).add(gone),
    () => torch.cat([torch.ones([2]), gone]),
    () => torch.ones([2]).at(gone),
    () => gone.shape,
    () => gone.item(),
    () => gone.data(),
    () => gone.backward(),
    () => gone.keep().add(1),
    () => gone.transfer(),
    () => gone.requiresGrad_(),
  ]) {
    expect(failure(use)).toMatchObject({ name: "TorchError", kind: "disposed" });
  }
  expect(failure(() => torch.ones([2]).add(gone)).message).toBe(
    "add: argument 'other' holds a tensor that was disposed",
  );
  expect(String(gone)).toBe("tensor(disposed)");
});

test("missing, undefined and wrong arguments are TypeErrors that name operator, argument and value", () => {
  const cases: [() => unknown, RegExp][] = [
    [() => torch.add(untyped(undefined), a), /add.*argument 'self' is undefined/s],
    [() => a.add(untyped(undefined)), /add.*'other' is missing, expected a Tensor/s],
    [() => a.add(untyped(null)), /add.*'other' must be a Tensor, got null/s],
    [() => a.add(untyped("x")), /got "x"/],
    [() => a.add(untyped([1])), /got \[1\]/],
    [() => a.sum(untyped("x")), /sum/],
    [() => a.narrow(0, 0, 1.5), /narrow.*'length' must be an integer, got 1.5/s],
    [() => a.narrow(0, 0, Number.NaN), /got NaN/],
    [() => a.transpose(0, untyped("1")), /transpose.*'dim1' must be an integer, got "1"/s],
    [() => a.view(untyped([1, undefined])), /view.*got \[1, undefined\]/s],
    [() => torch.cat(untyped([a, 3])), /cat.*'tensors' must be an array of Tensors/s],
    [() => torch.cat(untyped(a)), /cat/],
    [() => a.add(b, untyped({ beta: 1 })), /has no option 'beta'; it takes .*alpha/s],
    [() => a.softmax(untyped({})), /softmax.*'dim'/s],
    [() => (a.relu as (...args: unknown[]) => unknown)(1), /relu.*takes 1 positional arguments, got 2/s],
    [() => torch.zeros([2], untyped({ dtyp: "int64" })), /zeros: has no option 'dtyp'/],
    [() => torch.zeros(untyped(undefined)), /zeros.*'size' is undefined|zeros.*'size' is missing/s],
    [() => torch.zeros(untyped([2, "3"])), /zeros.*'size' must be an array of integers/s],
    [() => a.mul(untyped(2n ** 60n)), /mul/],
    [() => a.mul(untyped(Symbol("s"))), /got Symbol\(s\)/],
  ];
  for (const [call, message] of cases) {
    const found = failure(call);
    expect(found.name).toBe("TypeError");
    expect(found.message).toMatch(message);
  }
});

test("options of layers, optimizers, schedules, losses and autograd that do not exist are TypeErrors", () => {
  const { nn, optim } = torch;
  const option = untyped({ nonsense: 1 });
  const x = torch.ones([2, 4], { requiresGrad: true });
  const optimizer = new optim.SGD([x]);
  const uses: Record<string, () => unknown> = {
    tensor: () => torch.tensor([1], option),
    Linear: () => new nn.Linear(2, 2, option),
    Embedding: () => new nn.Embedding(2, 2, option),
    LayerNorm: () => new nn.LayerNorm(2, untyped({ elementwiseAffine: false, nonsense: 1 })),
    MultiheadAttention: () => new nn.MultiheadAttention(4, 2, option),
    TransformerEncoderLayer: () => new nn.TransformerEncoderLayer(4, 2, option),
    mseLoss: () => nn.functional.mseLoss(x, x, option),
    crossEntropy: () => nn.functional.crossEntropy(x, x, option),
    klDiv: () => nn.functional.klDiv(x, x, untyped({ reduction: "batchmean", nonsense: 1 })),
    normalize: () => nn.functional.normalize(x, option),
    clipGradNorm_: () => nn.clipGradNorm_([x], 1, option),
    SGD: () => new optim.SGD([x], option),
    Adam: () => new optim.Adam([x], option),
    AdamW: () => new optim.AdamW([{ params: [x], nonsense: 1 } as never]),
    WarmupCosineLR: () =>
      new optim.WarmupCosineLR(optimizer, untyped({ warmupSteps: 1, totalSteps: 2, nonsense: 1 })),
    CosineAnnealingLR: () => new optim.CosineAnnealingLR(optimizer, untyped({ tMax: 1, nonsense: 1 })),
    CosineAnnealingWarmRestarts: () =>
      new optim.CosineAnnealingWarmRestarts(optimizer, untyped({ t0: 1, nonsense: 1 })),
    OneCycleLR: () => new optim.OneCycleLR(optimizer, untyped({ maxLr: 1, totalSteps: 2, nonsense: 1 })),
    ReduceLROnPlateau: () => new optim.ReduceLROnPlateau(optimizer, option),
    backward: () => x.sum().backward(option),
    grad: () => torch.grad(x.sum(), [x], option),
    autocast: () => torch.autocast(option, () => 1),
  };
  for (const [name, use] of Object.entries(uses)) {
    const { name: type, message } = failure(use);
    expect(type, name).toBe("TypeError");
    expect(message).toStartWith(`${name}: has no option 'nonsense'; it takes `);
  }
});

test("unknown operators", () => {
  expect(failure(() => Object(torch.ops.aten)["no_such_thing"])).toMatchObject({ kind: "not-implemented" });
  expect(failure(() => torch.ops.unsafe["nowhere"]["add"]).message).toContain("nowhere::add");
});

test("a backward pass that cannot be", () => {
  expect(failure(() => a.backward()).message).toMatch(/backward.*does not require grad/);
  const x = torch.ones([2], { requiresGrad: true });
  expect(failure(() => x.mul(2).backward()).message).toMatch(/scalar outputs/);
  expect(failure(() => torch.grad(x.sum(), [a.clone().requiresGrad_()])).message).toMatch(
    /grad.*not have been used/s,
  );
  const y = x.pow(2).sum();
  y.backward();
  expect(failure(() => y.backward()).message).toMatch(/second time/);
  expect(failure(() => (x.grad = torch.ones([3]))).message).toMatch(/shape/);
  expect(failure(() => torch.ones([2], { dtype: "int64" }).requiresGrad_()).message).toMatch(
    /requiresGrad_.*floating point/s,
  );
});

test("values that cannot be read", () => {
  expect(failure(() => a.item()).message).toMatch(/item.*24 elements/s);
  expect(failure(() => a.size(2)).kind).toBe("index");
  expect(failure(() => a.copyTo(new Float32Array(3))).message).toMatch(/12.* bytes.*96/);
  expect(failure(() => a.fillFrom(new Float64Array(24))).message).toMatch(/192.*96/);
  expect(failure(() => a.t().fillFrom(new Float32Array(24))).message).toMatch(/contiguous/);
});

test("creation from uneven or wrong values", () => {
  expect(failure(() => torch.tensor([[1, 2], [3]])).message).toMatch(/uneven nesting at \[1\]/);
  expect(failure(() => torch.tensor(untyped([1, "2"]))).message).toMatch(/\[1\] is string/);
  expect(failure(() => torch.tensor(untyped(undefined))).message).toMatch(/undefined/);
  expect(failure(() => torch.tensor(new Float32Array(3), { shape: [2] })).message).toMatch(/3 values.*\[2\]/);
  expect(failure(() => torch.tensor([1.5], { dtype: "int64" })).message).toMatch(/1.5 is not an integer/);
  expect(failure(() => torch.manualSeed(1.5)).name).toBe("RangeError");
});

test("too much memory: an error with a report, not the end of the process", () => {
  const found = failure(() => torch.empty([2 ** 45]));
  expect(found.kind).toBe("out-of-memory");
  expect(found.message).toMatch(/live tensors/);
  expect(failure(() => torch.zeros([2 ** 52, 2 ** 52])).name).toBe("TorchError");
});

test("LibTorch's texts come with the cure in this library's words", () => {
  const classes = torch.tensor([0, 1]);
  const logits = torch.ones([2, 3], { requiresGrad: true });
  for (const wrong of [
    () => torch.nn.functional.crossEntropy(logits, classes),
    () => logits.indexSelect(0, classes),
    () => new torch.nn.Embedding(4, 2).forward(classes),
  ])
    expect(failure(wrong).message).toMatch(/numbers make float32 tensors unless dtype: "int64" is given/);
  expect(failure(() => logits.mul(2).backward()).message).toContain("call it on a sum or mean");
  const loss = logits.mul(logits).sum();
  loss.backward();
  expect(failure(() => loss.backward()).message).toContain("Give retainGraph: true");
  const state = new torch.nn.Linear(2, 2).stateDict();
  expect(failure(() => new torch.nn.Linear(2, 2).loadStateDict(untyped({ tensors: state }))).message).toMatch(
    /takes a Map .*loadSafetensors\(path\)\.tensors/,
  );
  for (const said of [
    "Could not run 'aten::empty.memory_format' with arguments from the 'CUDA' backend. This\ncould be",
    "PyTorch is not linked with support for cuda devices",
  ])
    expect(inOurWords(said)).toMatch(/^this LibTorch (was built without CUDA|has no device cuda)[^\n]*$/);
});

test.skipIf(torch.accelerator() !== null)(
  "an accelerator that is not there is refused in one sentence",
  () => {
    expect(torch.backends.mps.isAvailable()).toBe(false);
    for (const device of ["cuda", "mps", "xpu"] as const) {
      expect(failure(() => torch.ones([2], { device })).message).toMatch(
        /^aten::ones[^\n]*this LibTorch was built without [A-Z]+ \([^\n]*; use the device cpu$/,
      );
      expect(failure(() => torch.ones([2]).to(device)).message).toMatch(
        /^aten::to[^\n]*(without [A-Z]+|has no device \w+) \([^\n]*; use the device cpu$/,
      );
      expect(() => torch.resolveDevice(device)).toThrow(
        `The device "${device}" is not available: LibTorch sees no accelerator.`,
      );
    }
  },
);

test("a tensor in JSON is its elements", () => {
  expect(JSON.stringify({ x: torch.tensor([[1.5, 2]]), flag: torch.tensor(true) })).toBe(
    '{"x":[[1.5,2]],"flag":true}',
  );
});
