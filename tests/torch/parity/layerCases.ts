import { testDevice } from "../../../lab/material/testDevice.ts";
import { camelCase } from "../../../src/torch/dispatch/schema.ts";
import * as torch from "../../../src/torch/index.ts";
import { disagreement, errorText } from "./agreement.ts";

type Value = number | string | boolean | null | readonly Value[] | { readonly tensor: string };

/** A layer as Python describes it: PyTorch's class, its arguments, the layers that it is made of. */
export interface LayerDescription {
  readonly module: string;
  readonly args: readonly Value[];
  readonly kwargs: Readonly<Record<string, Value>>;
  readonly children: readonly LayerDescription[];
  /** Functions of torch.nn.utils.parametrizations with their options. */
  readonly parametrized?: readonly (readonly [string, Readonly<Record<string, Value>>])[];
}

interface Outcome {
  readonly name: string;
  readonly outputs: readonly string[];
  readonly cotangents: readonly string[];
  readonly grads: Readonly<Record<string, string>>;
  readonly tolerance: number;
}

export type LayerCase =
  | ({
      readonly kind: "forward";
      readonly training: boolean;
      readonly seed: number;
      readonly state: Readonly<Record<string, string>>;
      /** The buffers after the call. */
      readonly after: Readonly<Record<string, string>>;
      readonly inputs: readonly string[];
      readonly call: Readonly<Record<string, Value>>;
    } & LayerDescription &
      Outcome)
  | ({
      readonly kind: "functional";
      readonly function: string;
      readonly inputs: readonly string[];
      readonly call: Readonly<Record<string, Value>>;
    } & Outcome)
  | ({
      readonly kind: "initial";
      readonly name: string;
      readonly seed: number;
      readonly state: Readonly<Record<string, string>>;
      readonly next: string;
    } & LayerDescription)
  | {
      readonly kind: "initializer";
      readonly name: string;
      readonly function: string;
      readonly shape: readonly number[];
      readonly args: readonly number[];
      readonly kwargs: Readonly<Record<string, number | string>>;
      readonly seed: number;
      readonly outputs: readonly string[];
      readonly tolerance: number;
    };

type Tensors = ReadonlyMap<string, torch.Tensor>;
type Layer = torch.nn.Module & { forward(...args: unknown[]): unknown };
type LayerClass = new (...args: unknown[]) => Layer;

const classes = torch.nn as unknown as Record<string, LayerClass>;

const parametrizations = torch.nn.utils.parametrizations as unknown as Record<
  string,
  (layer: Layer, ...args: unknown[]) => Layer
>;

/** PyTorch's keyword arguments under our names. */
function options(kwargs: Readonly<Record<string, Value>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(kwargs).map(([key, value]) => [camelCase(key), value]));
}

/**
 * Builds our layer of a description. Where PyTorch takes a keyword that is a position here, it is put there.
 */
export function construct(description: LayerDescription): Layer {
  const layer = constructPlain(description);
  for (const [name, { name: tensor = "weight", ...kwargs }] of description.parametrized ?? [])
    parametrizations[camelCase(name)](layer, tensor, options(kwargs));
  return layer;
}

function constructPlain({ module, args, kwargs, children }: LayerDescription): Layer {
  const below = children.map(construct);
  const { dim, approximate, ...rest } = options(kwargs);
  if (module === "TransformerEncoder" || module === "TransformerDecoder")
    return new classes[module](below[0], ...args, ...(below[1] ? [{ norm: below[1] }] : []));
  const positions = [dim, approximate].filter((value) => value !== undefined);
  const last = Object.keys(rest).length > 0 ? [rest] : [];
  return new classes[module](...below, ...args, ...positions, ...last);
}

/** The tensors of a call's keywords filled in; none of them gets a gradient. */
function keywords(call: Readonly<Record<string, Value>>, tensors: Tensors): Record<string, unknown> {
  const filled = Object.entries(call).map(([key, value]) => {
    const isTensor = typeof value === "object" && value !== null && "tensor" in value;
    return [camelCase(key), isTensor ? tensors.get(value.tensor) : value] as const;
  });
  return Object.fromEntries(filled);
}

function compareOutcome(
  outcome: Outcome,
  result: unknown,
  leaves: ReadonlyMap<string, torch.Tensor>,
  tensors: Tensors,
): string[] {
  const outputs = [result].flat(3).filter((output) => output !== null) as torch.Tensor[];
  if (outputs.length !== outcome.outputs.length)
    return [`${outputs.length} outputs, expected ${outcome.outputs.length}`];
  const wrong: string[] = [];
  const check = (actual: torch.Tensor | null, key: string, label: string) => {
    const fault = disagreement(actual, tensors.get(key)!, outcome.tolerance);
    if (fault) wrong.push(`${label} ${fault}`);
  };
  outputs.forEach((output: torch.Tensor, i) => {
    check(output, outcome.outputs[i], `output ${i}`);
  });
  const keys = Object.keys(outcome.grads);
  if (keys.length === 0) return wrong;
  const graded = outputs.map((_, i) => i).filter((i) => (outputs[i] as torch.Tensor).requiresGrad);
  const found = torch.grad(
    graded.map((i) => outputs[i] as torch.Tensor),
    keys.map((key) => leaves.get(key)!),
    { gradOutputs: graded.map((i) => tensors.get(outcome.cotangents[i])!), allowUnused: true },
  );
  keys.forEach((key, i) => {
    check(found[i], outcome.grads[key], `gradient of ${key}`);
  });
  return wrong;
}

function compareState(
  layer: Layer,
  state: Readonly<Record<string, string>>,
  tensors: Tensors,
  tolerance: number,
): string[] {
  const own = layer.stateDict();
  if ([...own.keys()].join() !== Object.keys(state).join())
    return [`has the state ${[...own.keys()].join(", ")}, expected ${Object.keys(state).join(", ")}`];
  return [...own].flatMap(([name, value]) => {
    const fault = disagreement(value, tensors.get(state[name])!, tolerance);
    return fault ? [`${name} ${fault}`] : [];
  });
}

function leavesOf(inputs: readonly string[], grads: Readonly<Record<string, string>>, tensors: Tensors) {
  return inputs.map((key, i) => {
    const stored = tensors.get(key)!;
    return `inputs/${i}` in grads ? stored.clone().requiresGrad_() : stored;
  });
}

/** Runs a case and tells what differs from Python's; an empty list is agreement. */
export function runLayerCase(test: LayerCase, tensors: Tensors): string[] {
  using _s = torch.scope();
  try {
    if (test.kind === "forward") return runForward(test, tensors);
    if (test.kind === "functional") return runFunction(test, tensors);
    if (test.kind === "initial") return runInitial(test, tensors);
    return runInitializer(test, tensors);
  } catch (cause) {
    return [errorText(cause)];
  }
}

function runForward(test: LayerCase & { kind: "forward" }, tensors: Tensors): string[] {
  const layer = construct(test);
  const [first] = Object.values(test.state);
  const dtype = tensors.get(first ?? test.inputs[0])!.dtype;
  layer.to({ dtype, device: testDevice }).train(test.training);
  layer.loadStateDict(
    new Map(Object.entries(test.state).map(([name, key]) => [name, tensors.get(key)!] as const)),
  );
  const inputs = leavesOf(test.inputs, test.grads, tensors);
  const named = keywords(test.call, tensors);
  const leaves = new Map([
    ...inputs.map((input, i) => [`inputs/${i}`, input] as const),
    ...[...layer.namedParameters()].map(([name, parameter]) => [`state/${name}`, parameter] as const),
  ]);
  torch.manualSeed(test.seed);
  // An embedding bag's offsets come before its options.
  const gap = test.module === "EmbeddingBag" && inputs.length < 2 ? [null] : [];
  const options = Object.keys(named).length > 0 ? [...gap, named] : [];
  const result = layer.forward(...inputs, ...options);
  const wrong = compareOutcome(test, result, leaves, tensors);
  for (const [name, value] of layer.namedBuffers()) {
    const fault = disagreement(value, tensors.get(test.after[name])!, test.tolerance);
    if (fault) wrong.push(`buffer ${name} afterwards ${fault}`);
  }
  layer.dispose();
  return wrong;
}

function runFunction(test: LayerCase & { kind: "functional" }, tensors: Tensors): string[] {
  const functions = torch.nn.functional as unknown as Record<string, (...args: unknown[]) => unknown>;
  const inputs = leavesOf(test.inputs, test.grads, tensors);
  // Sizes are positions here, with which PyTorch's keywords do as well.
  const { kernelSize, outputSize, ...rest } = keywords(test.call, tensors);
  const unpools = test.function.startsWith("max_unpool");
  const sizes = [kernelSize, unpools ? undefined : outputSize].filter((size) => size !== undefined);
  const named = unpools ? { ...rest, outputSize } : rest;
  const last = Object.keys(named).length > 0 ? [named] : [];
  const result = functions[camelCase(test.function)](...inputs, ...sizes, ...last);
  return compareOutcome(test, result, new Map(inputs.map((input, i) => [`inputs/${i}`, input])), tensors);
}

function runInitial(test: LayerCase & { kind: "initial" }, tensors: Tensors): string[] {
  torch.manualSeed(test.seed);
  const layer = construct(test);
  const next = torch.rand([3]);
  const wrong = compareState(layer, test.state, tensors, 0);
  layer.dispose();
  const fault = disagreement(next, tensors.get(test.next)!, 0);
  return fault ? [...wrong, `the next random numbers: ${fault}`] : wrong;
}

function runInitializer(test: LayerCase & { kind: "initializer" }, tensors: Tensors): string[] {
  const functions = torch.nn.init as unknown as Record<string, (...args: unknown[]) => unknown>;
  const { gain, ...rest } = test.kwargs;
  const named = Object.entries(rest).map(([key, value]) => [
    camelCase(key),
    typeof value === "string" ? camelCase(value) : value,
  ]);
  torch.manualSeed(test.seed);
  const weight = torch.empty(test.shape);
  const last = named.length > 0 ? [Object.fromEntries(named)] : [];
  functions[camelCase(test.function)](weight, ...test.args, ...(gain === undefined ? [] : [gain]), ...last);
  const fault = disagreement(weight, tensors.get(test.outputs[0])!, test.tolerance);
  return fault ? [fault] : [];
}
