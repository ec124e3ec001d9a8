import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { onTestDevice, testDevice } from "../../lab/material/testDevice.ts";
import * as torch from "../../src/torch/index.ts";
import { projectRoot } from "../helpers/projectFiles.ts";
import { toolkitSubjects } from "./gradcheckSubjects.ts";

torch.setNumThreads(1);
const { nn } = torch;
const { gradcheck, gradgradcheck } = torch.autograd;
/** Narrower than PyTorch's. */
const tolerance = { atol: 1e-7, rtol: 1e-5 };

const leaf = (shape: number[]) =>
  torch.randn(shape, { dtype: "float64", device: testDevice, requiresGrad: true });
type Layer = torch.nn.Module & { forward(...args: never[]): unknown };

interface Subject {
  layer: Layer;
  inputs: torch.Tensor[];
  /** What the forward pass takes beside the inputs. */
  rest?: unknown[];
}

/** Every layer that has a derivative, by the name of its class, in one or several settings. */
const subjects: Record<string, () => Subject[]> = {
  ...toolkitSubjects,
  Linear: () => [
    { layer: new nn.Linear(3, 2), inputs: [leaf([4, 3])] },
    { layer: new nn.Linear(3, 2, { bias: false }), inputs: [leaf([2, 2, 3])] },
  ],
  // Indices have no gradient: the table has.
  Embedding: () => [
    { layer: new nn.Embedding(4, 3), inputs: [], rest: [torch.tensor([1n, 3n, 1n])] },
    { layer: new nn.Embedding(4, 3), inputs: [], rest: [torch.tensor([[0n, 2n]])] },
  ],
  LayerNorm: () => [
    { layer: new nn.LayerNorm(4), inputs: [leaf([3, 4])] },
    { layer: new nn.LayerNorm([2, 3], { eps: 1e-3 }), inputs: [leaf([2, 2, 3])] },
    { layer: new nn.LayerNorm(4, { elementwiseAffine: false }), inputs: [leaf([3, 4])] },
  ],
  Dropout: () => [{ layer: new nn.Dropout(0.4), inputs: [leaf([4, 5])] }],
  GELU: () => [
    { layer: new nn.GELU(), inputs: [leaf([3, 4])] },
    { layer: new nn.GELU("tanh"), inputs: [leaf([3, 4])] },
  ],
  ReLU: () => [{ layer: new nn.ReLU(), inputs: [leaf([3, 4])] }],
  SiLU: () => [{ layer: new nn.SiLU(), inputs: [leaf([3, 4])] }],
  Sigmoid: () => [{ layer: new nn.Sigmoid(), inputs: [leaf([3, 4])] }],
  Softplus: () => [{ layer: new nn.Softplus(), inputs: [leaf([3, 4])] }],
  Tanh: () => [{ layer: new nn.Tanh(), inputs: [leaf([3, 4])] }],
  Identity: () => [{ layer: new nn.Identity(), inputs: [leaf([3, 4])] }],
  Softmax: () => [{ layer: new nn.Softmax(1), inputs: [leaf([3, 4])] }],
  LogSoftmax: () => [{ layer: new nn.LogSoftmax(0), inputs: [leaf([3, 4])] }],
  Sequential: () => [
    {
      layer: new nn.Sequential(new nn.Linear(3, 4), new nn.Tanh(), new nn.Linear(4, 2)),
      inputs: [leaf([2, 3])],
    },
  ],
  MultiheadAttention: () => {
    const keyPaddingMask = torch.tensor([
      [false, false, true],
      [false, false, false],
    ]);
    const attnMask = torch.randn([3, 3], { dtype: "float64" });
    const three = () => [leaf([2, 3, 4]), leaf([2, 3, 4]), leaf([2, 3, 4])];
    return [
      { layer: new nn.MultiheadAttention(4, 2), inputs: three() },
      {
        layer: new nn.MultiheadAttention(4, 2, { dropout: 0.3, batchFirst: true }),
        inputs: three(),
        rest: [{ keyPaddingMask }],
      },
      {
        layer: new nn.MultiheadAttention(4, 2, { kdim: 3, addBiasKv: true, addZeroAttn: true }),
        inputs: [leaf([3, 2, 4]), leaf([3, 2, 3]), leaf([3, 2, 4])],
        rest: [{ attnMask, keyPaddingMask }],
      },
      {
        layer: new nn.MultiheadAttention(4, 2, { batchFirst: true }),
        inputs: three(),
        rest: [{ attnMask, needWeights: true }],
      },
    ];
  },
  TransformerEncoderLayer: () =>
    [true, false].map((normFirst) => ({
      layer: new nn.TransformerEncoderLayer(4, 2, {
        dimFeedforward: 5,
        activation: "gelu",
        normFirst,
        dropout: 0.2,
      }),
      inputs: [leaf([2, 3, 4])],
    })),
  TransformerEncoder: () => {
    const layer = new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 5, activation: "gelu" });
    return [
      {
        layer: new nn.TransformerEncoder(layer, 2, { norm: new nn.LayerNorm(4) }),
        inputs: [leaf([1, 3, 4])],
      },
    ];
  },
};

/** The first output as a function of the inputs and all parameters; dropout draws the same mask each time. */
function asFunction({ layer, inputs, rest: given = [] }: Subject) {
  layer.to({ dtype: "float64", device: testDevice });
  const rest = onTestDevice(given);
  const parameters = layer.parameters();
  const run = layer.forward as unknown as (...args: unknown[]) => torch.Tensor | (torch.Tensor | null)[];
  const fn = (...values: torch.Tensor[]): torch.Tensor[] => {
    torch.manualSeed(5);
    const result = run.call(layer, ...values.slice(0, inputs.length), ...rest);
    return (Array.isArray(result) ? result : [result]).filter((output) => output !== null);
  };
  return { fn, all: [...inputs, ...parameters] };
}

for (const [name, make] of Object.entries(subjects)) {
  test(`${name}: gradients agree with differences, for inputs and parameters`, () => {
    torch.manualSeed(1);
    for (const subject of make()) {
      const { fn, all } = asFunction(subject);
      expect(all.length).toBeGreaterThan(0);
      expect(gradcheck(fn, all, tolerance)).toBe(true);
      subject.layer.dispose();
    }
  });
}

test("second derivatives agree with differences", () => {
  for (const name of ["Linear", "LayerNorm", "GELU", "Softmax", "Sequential", "SiLU"]) {
    torch.manualSeed(2);
    const { fn, all } = asFunction(subjects[name]()[0]);
    const agrees = gradgradcheck((...given) => fn(...given)[0], all, { atol: 1e-6, rtol: 1e-4 });
    expect({ name, agrees }).toEqual({ name, agrees: true });
  }
});

test("losses: gradients agree with differences", () => {
  const { functional: F } = nn;
  torch.manualSeed(3);
  const placed = { dtype: "float64", device: testDevice } as const;
  const target = torch.randn([4, 3], placed);
  const shares = torch.rand([4, 3], placed);
  const classes = onTestDevice(torch.tensor([0n, 2n, 1n, 2n]));
  const weight = torch.rand([3], placed);
  const losses: [string, (x: torch.Tensor) => torch.Tensor][] = [
    ["mseLoss", (x) => F.mseLoss(x, target)],
    ["l1Loss", (x) => F.l1Loss(x, target, { reduction: "sum" })],
    ["huberLoss", (x) => F.huberLoss(x, target, { delta: 0.7 })],
    ["smoothL1Loss", (x) => F.smoothL1Loss(x, target, { beta: 0.5, reduction: "none" })],
    ["crossEntropy", (x) => F.crossEntropy(x, classes, { weight, labelSmoothing: 0.1 })],
    ["nllLoss", (x) => F.nllLoss(x.logSoftmax(1), classes, { weight })],
    ["binaryCrossEntropy", (x) => F.binaryCrossEntropy(x.sigmoid(), shares)],
    ["binaryCrossEntropyWithLogits", (x) => F.binaryCrossEntropyWithLogits(x, shares, { posWeight: weight })],
    ["klDiv", (x) => F.klDiv(x, shares, { reduction: "batchmean" })],
    ["normalize", (x) => F.normalize(x)],
    ["softsign", F.softsign],
    ["tanhshrink", F.tanhshrink],
  ];
  for (const [name, loss] of losses) {
    expect({ name, agrees: gradcheck(loss, [leaf([4, 3])], tolerance) }).toEqual({ name, agrees: true });
  }
});

test("a wrong gradient is found, and wrong inputs are refused", () => {
  const x = leaf([3]);
  // Half of the value is detached: half of the gradient is missing.
  const half = (value: torch.Tensor) => value.mul(value.detach());
  expect(() => gradcheck(half, [x])).toThrow(/gradients differ\ninput 0, element 0(.*\n){2}.*element 2/);
  expect(gradcheck(half, [x], { raiseException: false })).toBe(false);
  expect(() => gradcheck((value) => value, [torch.ones([1], { requiresGrad: true })])).toThrow(/float64/);
});

test("inputs with any strides are checked, those whose elements share memory are found out", () => {
  const placed = { dtype: "float64", device: testDevice } as const;
  const columns = torch.randn([3, 4], placed).t().requiresGrad_();
  const every = torch.randn([6, 4], placed).at({ step: 2 }, { start: 1, step: 2 }).requiresGrad_();
  const rows = onTestDevice(torch.tensor([0n, 2n]));
  expect(gradcheck((x, y, i) => x.exp().indexSelect(0, i).sum().mul(y.sin()), [columns, every, rows])).toBe(
    true,
  );
  expect(gradgradcheck((x) => x.pow(3), [every])).toBe(true);
  expect(gradcheck((x) => x.topk(2, 1), [columns])).toBe(true);
  const single = torch.randn([], placed).requiresGrad_();
  expect(gradcheck((x) => x.mul(2), [single])).toBe(true);
  const windows = torch.randn([5], placed).asStrided([3, 2], [1, 1]).requiresGrad_();
  expect(gradcheck((x) => x.sin(), [windows], { raiseException: false })).toBe(false);
  const expanded = torch.randn([3, 1], placed).expand([3, 4]).requiresGrad_();
  expect(() => gradcheck((x) => x.sin(), [columns, expanded])).toThrow(
    "input 1 has a dimension with stride 0",
  );
  expect(() => gradcheck((x) => x.sin(), [columns.detach()])).toThrow("at least one input");
  expect(() => gradcheck((x) => x.detach(), [columns])).toThrow("gradients differ");
});

test("every layer is checked", () => {
  const containers = ["Module", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"];
  const layers = Object.entries(nn)
    .filter(([, value]) => typeof value === "function" && value.prototype instanceof nn.Module)
    .map(([name]) => name);
  // The others' gradients are compared with Python's in generated cases.
  const folder = join(projectRoot, "lab/python/parity");
  const compared = readdirSync(folder)
    .filter((name) => name.startsWith("layers"))
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join();
  // `f"{name}Pad{n}d"` and `f"{name}Cell"` put names together.
  const parts = (name: string) => [name, name.replace(/(Pad[123]d|Cell)$/, "")];
  const isCompared = (name: string) => parts(name).some((part) => new RegExp(`\\b${part}\\b`).test(compared));
  const unchecked = layers.filter((name) => !Object.hasOwn(subjects, name) && !isCompared(name));
  expect(unchecked.filter((name) => !containers.includes(name))).toEqual([]);
});
