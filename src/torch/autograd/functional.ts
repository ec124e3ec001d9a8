/** `torch.autograd.functional`: derivatives of a function at given inputs, by backward passes. */
import { Tensor } from "../core/tensor.ts";
import { tidy } from "../core/tidy.ts";
import { stack } from "../dispatch/ops.gen.ts";
import { zerosLike } from "../functions/creation.ts";
import { grad } from "./autograd.ts";
import { enableGrad } from "./modes.ts";

type Inputs = Tensor | readonly Tensor[];
type Fn = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

export interface FunctionalOptions {
  /** Whether the result can be differentiated itself. Default false. */
  readonly createGraph?: boolean;
}

const listOf = (value: Inputs): readonly Tensor[] => (value instanceof Tensor ? [value] : value);

/** Inputs that a graph of their own begins at; connected with the caller's where that is asked for. */
function leaves(inputs: readonly Tensor[], createGraph: boolean): Tensor[] {
  return inputs.map((input) =>
    createGraph && input.requiresGrad ? input.viewAs(input) : input.detach().requiresGrad_(),
  );
}

function call(
  fn: Fn,
  inputs: readonly Tensor[],
  what: string,
): { outputs: readonly Tensor[]; single: boolean } {
  const result = fn(...inputs);
  const outputs = result instanceof Tensor ? [result] : result;
  if (!Array.isArray(outputs) || !outputs.every((output) => output instanceof Tensor))
    throw new TypeError(`${what}: the function must give a tensor or an array of tensors`);
  return { outputs, single: result instanceof Tensor };
}

/** Gradients, zeros where an output does not depend on an input. */
function gradientsOf(
  output: Tensor,
  inputs: readonly Tensor[],
  createGraph: boolean,
  seed: Tensor | null = null,
): Tensor[] {
  if (!output.requiresGrad) return inputs.map((input) => zerosLike(input));
  const found = grad([output], inputs, {
    gradOutputs: [seed],
    retainGraph: true,
    createGraph,
    allowUnused: true,
  });
  return found.map((gradient, i) => gradient ?? zerosLike(inputs[i]));
}

/**
 * The Jacobian of `fn`: for an output of shape [O] and an input of shape [I], [O, I]. With several
 * inputs a list over them, with several outputs a list over those, of lists. One backward pass for
 * each element of the outputs.
 */
export function jacobian(fn: Fn, inputs: Tensor, options?: FunctionalOptions): Tensor;
export function jacobian(fn: Fn, inputs: Inputs, options?: FunctionalOptions): unknown;
export function jacobian(fn: Fn, inputs: Inputs, options: FunctionalOptions = {}): unknown {
  const { createGraph = false } = options;
  return tidy(() =>
    enableGrad(() => {
      const given = leaves(listOf(inputs), createGraph);
      const { outputs, single } = call(fn, given, "jacobian");
      const rows = outputs.map((output) => {
        const flat = output.reshape([-1]);
        const found = Array.from({ length: output.numel }, (_, i) =>
          gradientsOf(flat.select(0, i), given, createGraph),
        );
        const blocks = given.map((input, k) =>
          found.length === 0
            ? zerosLike(input)
                .expand([0, ...input.shape])
                .reshape([...output.shape, ...input.shape])
            : stack(found.map((row) => row[k])).reshape([...output.shape, ...input.shape]),
        );
        return inputs instanceof Tensor ? blocks[0] : blocks;
      });
      return single ? rows[0] : rows;
    }),
  );
}

function oneValue(fn: Fn, inputs: readonly Tensor[], what: string): Tensor {
  const { outputs } = call(fn, inputs, what);
  if (outputs.length !== 1 || outputs[0].numel !== 1)
    throw new TypeError(`${what}: the function must give a tensor of one element`);
  return outputs[0];
}

/**
 * The second derivatives of a function that gives one value: [I, I] for an input of shape [I],
 * lists of lists for several.
 */
export function hessian(fn: Fn, inputs: Tensor, options?: FunctionalOptions): Tensor;
export function hessian(fn: Fn, inputs: Inputs, options?: FunctionalOptions): unknown;
export function hessian(fn: Fn, inputs: Inputs, options: FunctionalOptions = {}): unknown {
  const first = (...given: Tensor[]): Tensor[] => gradientsOf(oneValue(fn, given, "hessian"), given, true);
  const found = jacobian(first, inputs, options);
  return inputs instanceof Tensor ? (found as Tensor[])[0] : found;
}

/**
 * `[output, v'J]`: the gradient of the outputs weighed by `v` (of their shapes; not needed for one value).
 */
export function vjp(
  fn: Fn,
  inputs: Inputs,
  v: Inputs | null = null,
  options: FunctionalOptions = {},
): [output: Inputs, product: Inputs] {
  const { createGraph = false } = options;
  return tidy(() =>
    enableGrad(() => {
      const given = leaves(listOf(inputs), createGraph);
      const { outputs, single } = call(fn, given, "vjp");
      const seeds = v === null ? outputs.map(() => null) : listOf(v);
      if (seeds.length !== outputs.length)
        throw new TypeError(`vjp: the function gives ${outputs.length} tensors, v has ${seeds.length}`);
      const parts = outputs.map((output, i) => gradientsOf(output, given, createGraph, seeds[i]));
      const sums = given.map((_, k) => parts.map((part) => part[k]).reduce((sum, part) => sum.add(part)));
      const shown = createGraph ? outputs : outputs.map((output) => output.detach());
      return [single ? shown[0] : shown, inputs instanceof Tensor ? sums[0] : sums];
    }),
  );
}

/** `[output, J v]`: the directional derivative along `v` (of the inputs' shapes), by two backward passes. */
export function jvp(
  fn: Fn,
  inputs: Inputs,
  v: Inputs,
  options: FunctionalOptions = {},
): [output: Inputs, product: Inputs] {
  const { createGraph = false } = options;
  return tidy(() =>
    enableGrad(() => {
      const given = leaves(listOf(inputs), createGraph);
      const { outputs, single } = call(fn, given, "jvp");
      const directions = listOf(v);
      if (directions.length !== given.length)
        throw new TypeError(`jvp: there are ${given.length} inputs, v has ${directions.length}`);
      const products = outputs.map((output) => {
        // The gradient is linear in its seed: its derivative by the seed is the other product.
        const seed = zerosLike(output).requiresGrad_();
        const row = gradientsOf(output, given, true, seed);
        const used = row.flatMap((part, i) => (part.requiresGrad ? [i] : []));
        if (used.length === 0) return zerosLike(output);
        const [product] = grad(
          used.map((i) => row[i]),
          [seed],
          { gradOutputs: used.map((i) => directions[i]), createGraph, allowUnused: true },
        );
        return product ?? zerosLike(output);
      });
      const shown = createGraph ? outputs : outputs.map((output) => output.detach());
      return [single ? shown[0] : shown, single ? products[0] : products];
    }),
  );
}

/**
 * `[value, H v]` of a function that gives one value: its second derivatives times `v`, without making them.
 */
export function hvp(
  fn: Fn,
  inputs: Inputs,
  v: Inputs,
  options: FunctionalOptions = {},
): [value: Tensor, product: Inputs] {
  const { createGraph = false } = options;
  return tidy(() =>
    enableGrad(() => {
      const given = leaves(listOf(inputs), createGraph);
      const value = oneValue(fn, given, "hvp");
      const first = gradientsOf(value, given, true);
      const directions = listOf(v);
      if (directions.length !== given.length)
        throw new TypeError(`hvp: there are ${given.length} inputs, v has ${directions.length}`);
      const used = first.flatMap((part, i) => (part.requiresGrad ? [i] : []));
      const found =
        used.length === 0
          ? given.map(() => null)
          : grad(
              used.map((i) => first[i]),
              given,
              { gradOutputs: used.map((i) => directions[i]), createGraph, allowUnused: true },
            );
      const product = found.map((part, i) => part ?? zerosLike(given[i]));
      return [createGraph ? value : value.detach(), inputs instanceof Tensor ? product[0] : product];
    }),
  );
}

/** `[value, v'H]`: the same as `hvp` where second derivatives are continuous. */
export const vhp: typeof hvp = (fn, inputs, v, options) => hvp(fn, inputs, v, options);
