import { UserError } from "../../common/userError.ts";
import { presentCategories } from "./categories.ts";
import type { WeightRule } from "./categoryWeights.ts";

/**
 * The classes a classifier tells apart: the different values of `column` among `rows` (the training samples),
 * sorted as text; class number i is the i-th.
 * @throws UserError if there are fewer than two.
 */
export function fitClasses(
  values: readonly (string | null)[],
  rows: ArrayLike<number>,
  column: string,
): string[] {
  const classes = presentCategories(values, rows);
  if (classes.length >= 2) return classes;
  throw new UserError(
    `A classifier needs at least two classes, but "${column}" has ${classes.length === 1 ? `only "${classes[0]}"` : "no values"} among the training samples; choose another column.`,
  );
}

/** Class number of each value, -1 where it is missing or no known class. */
export function encodeClasses(values: readonly (string | null)[], classes: readonly string[]): Int32Array {
  const numberOf = new Map(classes.map((name, i) => [name, i]));
  return Int32Array.from(values, (value) => (value === null ? -1 : (numberOf.get(value) ?? -1)));
}

/**
 * Weight of each class. `auto`: N / (K n) with N samples in K classes, n in this one. A list has one weight
 * for each class in order; a rule by name may leave classes out, which then weigh 1. `numbers`: class numbers
 * of the training samples. `option` names the weights in errors.
 * @throws UserError for a list of another length, a weight that is not above 0, and a name that is no class.
 */
export function classWeights(
  rule: WeightRule | readonly number[],
  classes: readonly string[],
  numbers: Int32Array,
  option: string,
): Float32Array {
  if (rule === "auto") {
    const counts = new Float64Array(classes.length);
    for (const number of numbers) if (number >= 0) counts[number]++;
    const total = counts.reduce((sum, count) => sum + count, 0);
    return Float32Array.from(counts, (count) => (count === 0 ? 1 : total / (classes.length * count)));
  }
  if (rule instanceof Map) {
    const unknown = [...rule.keys()].find((name) => !classes.includes(name));
    if (unknown !== undefined) {
      throw new UserError(`${option}: "${unknown}" is no class; the classes are ${listed(classes)}.`);
    }
    return Float32Array.from(classes, (name) => rule.get(name) ?? 1);
  }
  const list = rule as readonly number[];
  if (list.length !== classes.length || !list.every((weight) => weight > 0 && Number.isFinite(weight))) {
    throw new UserError(
      `${option} needs ${classes.length} numbers above 0, one for each class in the order ${listed(classes)}, not ${list.join(", ")}.`,
    );
  }
  return Float32Array.from(list);
}

function listed(classes: readonly string[]): string {
  const some = classes.slice(0, 20).map((name) => `"${name}"`);
  return some.join(", ") + (classes.length > 20 ? ` and ${classes.length - 20} more` : "");
}
