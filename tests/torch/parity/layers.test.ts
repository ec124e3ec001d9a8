import { expect, test } from "bun:test";
import { camelCase } from "../../../src/torch/dispatch/schema.ts";
import * as torch from "../../../src/torch/index.ts";
import { loadedLibtorch } from "../../helpers/loadedLibtorch.ts";
import { type LayerCase, type LayerDescription, runLayerCase } from "./layerCases.ts";
import { drawCases, type PythonCases, whyNoPython } from "./pythonCases.ts";

torch.setNumThreads(1);

const obstacle = whyNoPython();
if (obstacle) console.log(`layers against Python's torch: skipped, ${obstacle}`);

/**
 * Drawn in the first test that asks: what opens scopes outside of tests keeps Bun from starting the next one.
 */
let drawn: PythonCases<LayerCase> | null = null;
const python = () => {
  drawn ??= drawCases<LayerCase>("layers");
  return drawn;
};

function failures(kind: LayerCase["kind"]): string[] {
  return python()
    .cases.filter((one) => one.kind === kind)
    .flatMap((one) => {
      const wrong = runLayerCase(one, python().tensors);
      return wrong.length > 0 ? [`${one.name}: ${wrong.join("; ")}`] : [];
    });
}

test.skipIf(Boolean(obstacle))("layers give Python's numbers, gradients and dropout", () => {
  expect(failures("forward")).toEqual([]);
});

test.skipIf(Boolean(obstacle))("functions of nn.functional give Python's numbers and gradients", () => {
  expect(failures("functional")).toEqual([]);
});

test.skipIf(Boolean(obstacle))(
  "a seed gives Python's initial weights bit for bit and leaves the same next number",
  () => {
    expect(failures("initial")).toEqual([]);
  },
);

test.skipIf(Boolean(obstacle))("initializers draw what Python's draw", () => {
  expect(failures("initializer")).toEqual([]);
});

/** Modules that compute nothing themselves, or are compared elsewhere. */
const containers = ["Module", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"];

/** Every class of a description, those inside it too. */
function named({ module, children }: LayerDescription): string[] {
  return [module, ...children.flatMap(named)];
}

/** The functions of a namespace of torch.nn that are not bare operators (those have cases of their own). */
function ownFunctions(namespace: object): string[] {
  const operators = torch as unknown as Record<string, unknown>;
  return Object.entries(namespace)
    .filter(([, value]) => typeof value === "function" && !Object.values(operators).includes(value))
    .map(([name]) => name);
}

test.skipIf(Boolean(obstacle))("every layer, functional form and initializer has a case", () => {
  const modules = Object.entries(torch.nn)
    .filter(([, value]) => typeof value === "function" && value.prototype instanceof torch.nn.Module)
    .map(([name]) => name)
    .filter((name) => !containers.includes(name));
  const seen = new Set(python().cases.flatMap((one) => (one.kind === "forward" ? named(one) : [])));
  const functions = new Set(
    python().cases.flatMap((one) =>
      one.kind === "functional" || one.kind === "initializer" ? [camelCase(one.function)] : [],
    ),
  );
  console.log(
    `${seen.size} layers in ${python().cases.length} cases against Python's torch: ${[...seen].join(", ")}`,
  );
  expect(modules.filter((name) => !seen.has(name))).toEqual([]);
  const parametrized = python().cases.flatMap((one) =>
    one.kind === "initial" ? (one.parametrized ?? []).map(([name]) => camelCase(name)) : [],
  );
  expect(new Set(parametrized)).toEqual(new Set(Object.keys(torch.nn.utils.parametrizations)));
  // `attentionKernel` tells a choice of LibTorch's, `fans` and `calculateGain` are seen through the
  // initializers, most others through layers; `gumbelSoftmax` has a test in toolkit.test.ts.
  const apart = [
    "attentionKernel",
    "fans",
    "calculateGain",
    "softmin",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "alphaDropout",
    "featureAlphaDropout",
    // Their layers draw where windows lie from a seed.
    "fractionalMaxPool2d",
    "fractionalMaxPool2dWithIndices",
    "fractionalMaxPool3d",
    "fractionalMaxPool3dWithIndices",
    "lpPool1d",
    "lpPool2d",
    "lpPool3d",
    "localResponseNorm",
    "batchNorm",
    "groupNorm",
    "fold",
    "unfold",
    "pixelUnshuffle",
    "affineGrid",
    "instanceNorm",
    "hardtanh",
    "gumbelSoftmax",
    // PyTorch 2.11 drew other numbers.
    ...(loadedLibtorch.minor < 12 ? ["truncNormal_"] : []),
  ];
  const expected = [...ownFunctions(torch.nn.functional), ...ownFunctions(torch.nn.init)];
  expect(expected.filter((name) => !functions.has(name) && !apart.includes(name))).toEqual([]);
});
