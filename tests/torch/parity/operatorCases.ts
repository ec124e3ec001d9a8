import { camelCase } from "../../../src/torch/dispatch/schema.ts";
import * as torch from "../../../src/torch/index.ts";
import { disagreement, errorText } from "./agreement.ts";

/** A value of a case: a number, text, list, or an object that stands for a tensor, a dtype or a slice. */
export type Described =
  | number
  | string
  | boolean
  | null
  | readonly Described[]
  | { readonly tensor: string }
  | { readonly dtype: string }
  | { readonly slice: readonly [number | null, number | null, number | null] };

/** One case of `operators`, as lab/python/parity/README.md tells. */
export interface OperatorCase {
  readonly name: string;
  readonly op: string;
  readonly args: readonly Described[];
  readonly kwargs: Readonly<Record<string, Described>>;
  readonly outputs: readonly Described[];
  readonly inplace: boolean;
  readonly list: boolean;
  readonly cotangents: Readonly<Record<string, string>>;
  readonly grads: Readonly<Record<string, string>>;
  readonly compare: "values" | "first" | "product";
  readonly tolerance: number;
  readonly seed?: number;
  readonly raises?: string;
}

type Tensors = ReadonlyMap<string, torch.Tensor>;
type Callable = (...args: unknown[]) => unknown;

/**
 * How an operator is called: `function` with gradients, `short` without (the typed way),
 * `general` (boxed), `method`.
 */
export type Way = "function" | "short" | "general" | "method";

/** The public function of a name in PyTorch; undefined where there is none. */
export function publicFunction(op: string): Callable | undefined {
  const found = (torch as unknown as Record<string, unknown>)[camelCase(op)];
  return typeof found === "function" ? (found as Callable) : undefined;
}

/**
 * Fills the tensors of a description in; those whose key is in `leaves` get a gradient and are kept there.
 */
function value(described: Described, tensors: Tensors, leaves: Map<string, torch.Tensor | null>): unknown {
  if (typeof described !== "object" || described === null) return described;
  if (Array.isArray(described)) return described.map((item) => value(item, tensors, leaves));
  if ("tensor" in described) {
    const stored = tensors.get(described.tensor)!;
    if (!leaves.has(described.tensor)) return stored;
    const leaf = stored.clone().requiresGrad_();
    leaves.set(described.tensor, leaf);
    return leaf;
  }
  if ("dtype" in described) return described.dtype;
  const [start, stop, step] = (described as { slice: readonly (number | null)[] }).slice;
  return { start, stop, ...(step === null ? {} : { step }) };
}

function call(test: OperatorCase, way: Way, args: unknown[], options: Record<string, unknown>): unknown {
  const { op } = test;
  const given = Object.keys(options).length > 0 ? [...args, options] : args;
  if (op === "__getitem__") return (args[0] as torch.Tensor).at(...(args[1] as torch.Index[]));
  if (op === "__setitem__") {
    const target = (args[0] as torch.Tensor).clone();
    return target.setAt(args[1] as torch.Index[], args[2] as torch.Tensor | number);
  }
  if (test.inplace) given[0] = (given[0] as torch.Tensor).clone();
  if (way === "method") {
    const self = given[0] as Record<string, Callable>;
    return (given[0] as unknown as Record<string, Callable>)[camelCase(op)].apply(self, given.slice(1));
  }
  const operate = publicFunction(op) ?? (torch.ops.aten as unknown as Record<string, Callable>)[op];
  if (way === "general") return torch.countOperators(() => operate(...given)).result;
  return operate(...given);
}

/** What is defined where factors are only known up to signs: their product. */
function products(op: string, results: readonly torch.Tensor[]): torch.Tensor[] {
  const [a, b, c] = results;
  if (op === "linalg_qr") return [a.matmul(b)];
  if (op === "linalg_svd") return [a.matmul(torch.diagEmbed(b)).matmul(c), b];
  if (op === "linalg_eigh") return [b.matmul(torch.diagEmbed(a)).matmul(b.transpose(-2, -1)), a];
  throw new Error(`no product is known for ${op}`);
}

function compareOutputs(test: OperatorCase, results: readonly unknown[], tensors: Tensors): string[] {
  const wrong: string[] = [];
  const expected = test.outputs.map((output) => value(output, tensors, new Map()));
  if (results.length !== expected.length) return [`${results.length} outputs, expected ${expected.length}`];
  const check = (actual: unknown, wanted: unknown, label: string) => {
    const fault =
      wanted instanceof torch.Tensor
        ? disagreement(actual as torch.Tensor, wanted, test.tolerance)
        : actual === wanted
          ? null
          : `is ${actual}, expected ${wanted}`;
    if (fault) wrong.push(`${label} ${fault}`);
  };
  if (test.compare === "product") {
    const own = products(test.op, results as torch.Tensor[]);
    products(test.op, expected as torch.Tensor[]).forEach((wanted, i) => {
      check(own[i], wanted, `product ${i}`);
    });
  } else {
    const count = test.compare === "first" ? 1 : expected.length;
    for (let i = 0; i < count; i++) check(results[i], expected[i], `output ${i}`);
  }
  return wrong;
}

function compareGradients(
  test: OperatorCase,
  results: readonly unknown[],
  leaves: ReadonlyMap<string, torch.Tensor | null>,
  tensors: Tensors,
): string[] {
  const indices = Object.keys(test.cotangents);
  const outputs = indices.map((i) => results[Number(i)] as torch.Tensor);
  const gradOutputs = indices.map((i) => tensors.get(test.cotangents[i])!);
  const keys = Object.keys(test.grads);
  const inputs = keys.map((key) => leaves.get(key)!);
  const found = torch.grad(outputs, inputs, { gradOutputs });
  return keys.flatMap((key, i) => {
    const fault = disagreement(found[i], tensors.get(test.grads[key])!, test.tolerance);
    return fault ? [`gradient of ${key} ${fault}`] : [];
  });
}

/** Runs a case one way and tells what differs from Python's numbers; an empty list is agreement. */
export function runCase(test: OperatorCase, tensors: Tensors, way: Way): string[] {
  using _s = torch.scope();
  const leaves = new Map<string, torch.Tensor | null>();
  if (way === "function" && test.raises === undefined) {
    for (const key of Object.keys(test.grads)) leaves.set(key, null);
  }
  const args = test.args.map((item) => value(item, tensors, leaves));
  const options = Object.fromEntries(
    Object.entries(test.kwargs).map(([key, item]) => [camelCase(key), value(item, tensors, leaves)]),
  );
  if (test.seed !== undefined) torch.manualSeed(test.seed);
  let result: unknown;
  try {
    result = call(test, way, args, options);
  } catch (cause) {
    if (test.raises === undefined) return [errorText(cause)];
    if (cause instanceof torch.TorchError || cause instanceof TypeError || cause instanceof RangeError)
      return [];
    return [`an unexpected kind of error: ${errorText(cause)}`];
  }
  if (test.raises !== undefined) return [`no error, expected ${test.raises}`];
  if (test.list !== Array.isArray(result)) return [`gives ${test.list ? "no list" : "a list"}`];
  const results = Array.isArray(result) ? result : [result];
  const wrong = compareOutputs(test, results, tensors);
  return wrong.length > 0 || leaves.size === 0 ? wrong : compareGradients(test, results, leaves, tensors);
}
