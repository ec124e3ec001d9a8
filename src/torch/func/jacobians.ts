import type { Tensor } from "../core/tensor.ts";
import { tidy } from "../core/tidy.ts";
import { zeros } from "../functions/creation.ts";
import { type Argnums, chosen, jvp, vjp } from "./gradients.ts";
import { mapTensors, type Tree, tensorsIn, withTensors } from "./tree.ts";
import { vmap } from "./vmap.ts";

/** For tensors of N elements together, the N unit vectors: of each tensor [N, ...shape]. */
function unitVectors(tensors: readonly Tensor[]): Tensor[] {
  const total = tensors.reduce((sum, tensor) => sum + tensor.numel, 0);
  let start = 0;
  return tensors.map((tensor) => {
    const { numel, shape, dtype, device } = tensor;
    const units = zeros([total, numel], { dtype, device });
    units.narrow(0, start, numel).diagonal().fill_(1);
    start += numel;
    return units.view([total, ...shape]);
  });
}

/** `fn` as a function of the chosen arguments alone. */
function partially<Args extends unknown[], Result>(
  fn: (...args: Args) => Result,
  args: Args,
  argnums: Argnums,
) {
  const numbers = typeof argnums === "number" ? [argnums] : argnums;
  return (...inputs: unknown[]): Result => {
    const all = [...args] as unknown[];
    numbers.forEach((number, i) => {
      all[number < 0 ? number + all.length : number] = inputs[i];
    });
    return fn(...(all as Args));
  };
}

const listOf = (argnums: Argnums, inputs: Tree): unknown[] =>
  typeof argnums === "number" ? [inputs] : (inputs as unknown[]);

export interface JacobianOptions {
  /** So many rows (columns for `jacfwd`) at once, to save memory. */
  readonly chunkSize?: number | null;
  readonly randomness?: "error" | "same" | "different";
}

/**
 * The Jacobian of `fn` by its first argument (or those of `argnums`) by reverse mode: for a result of shape
 * [O] and an argument of shape [I] it is [O, I]. Structures of results and arguments nest: one Jacobian for
 * each pair. Right where results are fewer than inputs.
 */
export function jacrev<Args extends unknown[]>(
  fn: (...args: Args) => unknown,
  argnums: Argnums = 0,
  options: JacobianOptions = {},
): (...args: Args) => Tensor {
  return (...args) =>
    tidy(() => {
      const inputs = listOf(argnums, chosen(args, argnums, "jacrev"));
      const [output, pull] = vjp(partially(fn, args, argnums), ...inputs);
      const outputs = tensorsIn(output);
      if (outputs.length === 0) throw new TypeError("jacrev: the function gives no tensor");
      const units = withTensors(output, unitVectors(outputs));
      const rows = vmap((cotangents: unknown) => pull(cotangents), options)(units);
      let start = 0;
      return mapTensors(output, (one) => {
        const { numel, shape } = one;
        const part = mapTensors(typeof argnums === "number" ? rows[0] : rows, (all) => {
          const own = all.narrow(0, start, numel);
          return own.reshape([...shape, ...own.shape.slice(1)]);
        });
        start += numel;
        return part;
      });
    }) as Tensor;
}

/** The Jacobian of `jacrev` by forward mode: right where inputs are fewer than results. */
export function jacfwd<Args extends unknown[]>(
  fn: (...args: Args) => unknown,
  argnums: Argnums = 0,
  options: JacobianOptions = {},
): (...args: Args) => Tensor {
  return (...args) =>
    tidy(() => {
      const tree = chosen(args, argnums, "jacfwd");
      const inputs = listOf(argnums, tree);
      const flat = tensorsIn(inputs);
      const units = withTensors(inputs, unitVectors(flat));
      const call = partially(fn, args, argnums);
      const columns = vmap((tangents: unknown[]) => jvp(call, inputs, tangents)[1], options)(units);
      return mapTensors(columns, (all) => {
        let start = 0;
        return mapTensors(tree, (input) => {
          const { numel, shape } = input;
          const own = all.narrow(0, start, numel).movedim(0, -1);
          start += numel;
          return own.reshape([...own.shape.slice(0, -1), ...shape]);
        });
      });
    }) as Tensor;
}

/**
 * The second derivatives of a function that gives one value: `jacfwd` of `jacrev`. For an argument
 * of shape [I] it is [I, I].
 */
export function hessian<Args extends unknown[]>(
  fn: (...args: Args) => unknown,
  argnums: Argnums = 0,
): (...args: Args) => Tensor {
  return jacfwd(jacrev(fn, argnums), argnums);
}
