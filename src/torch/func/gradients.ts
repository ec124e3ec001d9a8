import { grad as autogradGrad } from "../autograd/autograd.ts";
import { dualLevel, isOpen, makeDual, unpackDual } from "../autograd/forwardAD.ts";
import { enableGrad, isGradEnabled } from "../autograd/modes.ts";
import { Tensor } from "../core/tensor.ts";
import { tidy } from "../core/tidy.ts";
import { zerosLike } from "../functions/creation.ts";
import { atLevel, requireGradient, unwrapAll, wrapAll } from "./levels.ts";
import { mapTensors, type Tree, tensorsIn, withTensors } from "./tree.ts";

/** Which arguments are differentiated: one by number, or several. */
export type Argnums = number | readonly number[];

/** What `argnums` chooses: the argument itself, or a list of arguments. */
export function chosen(args: readonly unknown[], argnums: Argnums, what: string): Tree {
  const pick = (number: number): unknown => {
    const at = number < 0 ? number + args.length : number;
    if (!Number.isInteger(at) || at < 0 || at >= args.length)
      throw new RangeError(`${what}: argnums names argument ${number} of ${args.length}`);
    if (tensorsIn(args[at]).length === 0) throw new TypeError(`${what}: argument ${number} holds no tensor`);
    return args[at];
  };
  return typeof argnums === "number" ? pick(argnums) : argnums.map(pick);
}

/** Gradients with zeros for what does not matter, as all of torch.func gives them. */
function gradients(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  seeds: readonly (Tensor | null)[] | null,
  retainGraph: boolean,
  createGraph: boolean,
): Tensor[] {
  const used = outputs.flatMap((output, i) => (output.requiresGrad ? [i] : []));
  if (used.length === 0) return inputs.map((input) => zerosLike(input));
  const found = autogradGrad(
    used.map((i) => outputs[i]),
    inputs,
    { gradOutputs: used.map((i) => seeds?.[i] ?? null), retainGraph, createGraph, allowUnused: true },
  );
  return found.map((gradient, i) => gradient ?? zerosLike(inputs[i]));
}

/**
 * The function that gives the gradient of `fn`, which must give one value, by its first argument (or
 * those of `argnums`), and the value: `[gradient, value]`. With `hasAux` the function gives
 * `[value, aux]`, and the result is `[gradient, [value, aux]]`. Gradients have the structure of the
 * argument: a Map of parameters gives a Map.
 */
export function gradAndValue<Args extends unknown[], Result>(
  fn: (...args: Args) => Result,
  argnums: Argnums = 0,
  options: { hasAux?: boolean } = {},
): (...args: Args) => [gradient: unknown, value: Result] {
  return (...args) =>
    tidy(() =>
      atLevel("grad", (level) =>
        enableGrad(() => {
          const wrapped = wrapAll(args, level);
          const inputs = chosen(wrapped, argnums, "grad");
          for (const tensor of tensorsIn(inputs)) requireGradient(tensor, level);
          const result = fn(...wrapped);
          const value = options.hasAux && Array.isArray(result) ? result[0] : result;
          if (!(value instanceof Tensor) || value.numel !== 1)
            throw new TypeError(
              `grad: the function must give a tensor of one element${options.hasAux ? " and aux, as [value, aux]" : ""}, got ${
                value instanceof Tensor ? `one of shape [${value.shape.join(", ")}]` : typeof value
              }`,
            );
          const found = gradients([value], tensorsIn(inputs), null, true, true);
          return [unwrapAll(withTensors(inputs, found), level), unwrapAll(result, level)];
        }),
      ),
    ) as [unknown, Result];
}

/**
 * The function that gives the gradient of `fn` by its first argument, or by those of
 * `argnums`. See `gradAndValue`.
 * @example
 * const cosine = torch.func.grad((x: torch.Tensor) => x.sin().sum());
 */
export function grad<Args extends unknown[]>(
  fn: (...args: Args) => unknown,
  argnums?: number,
  options?: { hasAux?: false },
): (...args: Args) => Args[0];
export function grad<Args extends unknown[]>(
  fn: (...args: Args) => unknown,
  argnums: Argnums,
  options?: { hasAux?: boolean },
): (...args: Args) => unknown;
export function grad<Args extends unknown[]>(
  fn: (...args: Args) => unknown,
  argnums: Argnums = 0,
  options: { hasAux?: boolean } = {},
): (...args: Args) => unknown {
  const both = gradAndValue(fn, argnums, options);
  return (...args) => {
    const [gradient, value] = both(...args);
    if (options.hasAux) return [gradient, (value as unknown[])[1]];
    for (const tensor of tensorsIn(value)) if (!tensor.isDisposed) tensor.dispose();
    return gradient;
  };
}

/**
 * `fn`'s result, and the function that takes a cotangent (of the result's structure) to those of the
 * arguments (always a list).
 * @example
 * const [y, pull] = torch.func.vjp((x: torch.Tensor) => x.sin(), x);
 * const [dx] = pull(torch.onesLike(y));
 */
export function vjp<Args extends unknown[], Result>(
  fn: (...args: Args) => Result,
  ...primals: Args
): [output: Result, pull: (cotangents: Result, retainGraph?: boolean) => Args] {
  return atLevel("grad", (level) =>
    enableGrad(() => {
      const wrapped = wrapAll(primals, level);
      const inputs = tensorsIn(wrapped);
      if (inputs.length === 0) throw new TypeError("vjp: there is no tensor to differentiate by");
      for (const tensor of inputs) requireGradient(tensor, level);
      const result = fn(...wrapped);
      const outputs = tensorsIn(result);
      // The graph is needed as long as the function that is given back.
      for (const tensor of [...inputs, ...outputs]) tensor.detachFromScope();
      const pull = (cotangents: Result, retainGraph = true): Args => {
        const seeds = tensorsIn(cotangents);
        if (seeds.length !== outputs.length)
          throw new TypeError(
            `vjp: the function gives ${outputs.length} tensors, the cotangents are ${seeds.length}`,
          );
        const found = gradients(outputs, inputs, seeds, retainGraph, isGradEnabled());
        return withTensors(primals, found);
      };
      return [unwrapAll(result, level), pull];
    }),
  );
}

/**
 * `fn`'s result at `primals`, and its directional derivative along `tangents` (of the same
 * structure), by forward mode.
 */
export function jvp<Args extends unknown[], Result>(
  fn: (...args: Args) => Result,
  primals: Args,
  tangents: Args,
): [output: Result, tangent: Result] {
  const values = tensorsIn(primals);
  const directions = tensorsIn(tangents);
  if (values.length === 0) throw new TypeError("jvp: there is no tensor to differentiate by");
  if (values.length !== directions.length)
    throw new TypeError(`jvp: there are ${values.length} primals and ${directions.length} tangents`);
  const run = (level: number): [Result, Result] => {
    const duals = values.map((value, i) => makeDual(value, directions[i]));
    const result = fn(...withTensors(primals, duals));
    const parts = tensorsIn(result).map((dual) => unpackDual(dual));
    const outputs = withTensors(
      result,
      parts.map(({ primal }) => primal),
    );
    const derivatives = withTensors(
      result,
      parts.map(({ primal, tangent }) => tangent ?? zerosLike(primal)),
    );
    return [unwrapAll(outputs, level), unwrapAll(derivatives, level)];
  };
  return tidy(() => atLevel("jvp", (level) => (isOpen() ? run(level) : dualLevel(() => run(level)))));
}

/** Detached copies of a structure's tensors. @internal */
export const detached = <T extends Tree>(tree: T): T => mapTensors(tree, (tensor) => tensor.detach());
