import { Tensor } from "../core/tensor.ts";

/** A value with tensors in it: in arrays, Maps and plain objects, to any depth. */
export type Tree = unknown;

const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

/** The same structure with each tensor replaced by what `fn` gives for it. */
export function mapTensors<T extends Tree>(tree: T, fn: (tensor: Tensor) => unknown): T {
  if (tree instanceof Tensor) return fn(tree) as T;
  if (typeof tree !== "object" || tree === null) return tree;
  if (Array.isArray(tree)) return tree.map((item) => mapTensors(item, fn)) as unknown as T;
  if (tree instanceof Map)
    return new Map([...tree].map(([key, item]) => [key, mapTensors(item, fn)])) as unknown as T;
  if (!isPlain(tree)) return tree;
  return Object.fromEntries(Object.entries(tree).map(([key, item]) => [key, mapTensors(item, fn)])) as T;
}

/** All tensors of a structure, in its order. */
export function tensorsIn(tree: Tree): Tensor[] {
  const found: Tensor[] = [];
  mapTensors(tree, (tensor) => found.push(tensor));
  return found;
}

/** The structure with its tensors, in their order, replaced by `values`. */
export function withTensors<T extends Tree>(tree: T, values: readonly unknown[]): T {
  let next = 0;
  return mapTensors(tree, () => values[next++]);
}

/**
 * For each tensor of `tree` what `given` says of it: one value for all of a branch, or a
 * structure like the branch.
 */
export function spread<V>(
  given: unknown,
  tree: Tree,
  isValue: (value: unknown) => value is V,
  what: string,
): V[] {
  if (isValue(given)) return tensorsIn(tree).map(() => given);
  const mismatch = () => new TypeError(`${what} does not fit the structure that it describes`);
  if (
    typeof given !== "object" ||
    given === null ||
    typeof tree !== "object" ||
    tree === null ||
    tree instanceof Tensor
  )
    throw mismatch();
  const items = (value: object): unknown[] =>
    Array.isArray(value) ? value : value instanceof Map ? [...value.values()] : Object.values(value);
  const branches = items(tree);
  const parts = items(given);
  if (branches.length !== parts.length) throw mismatch();
  return branches.flatMap((branch, i) => spread(parts[i], branch, isValue, what));
}
