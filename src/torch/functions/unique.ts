import type { Tensor } from "../core/tensor.ts";
import { operator } from "../dispatch/operators.ts";
import { uniqueDim } from "../dispatch/ops.gen.ts";

const ofAll = operator("aten::_unique2", [""], "unique") as unknown as (
  input: Tensor,
  sorted: boolean,
  returnInverse: boolean,
  returnCounts: boolean,
) => [Tensor, Tensor, Tensor];

export interface UniqueOptions {
  /** Compare the slices along this dimension instead of single elements. */
  readonly dim?: number;
  /** Give the position of each element among the unique ones as well ... */
  readonly returnInverse?: boolean;
  /** ... and how often each occurs. */
  readonly returnCounts?: boolean;
}

/**
 * The different elements, in rising order; with `returnInverse` or `returnCounts` an
 * array of what was asked for.
 */
export function unique(input: Tensor, options: UniqueOptions & { returnInverse: true }): Tensor[];
export function unique(input: Tensor, options: UniqueOptions & { returnCounts: true }): Tensor[];
export function unique(input: Tensor, options?: { dim?: number }): Tensor;
export function unique(input: Tensor, options: UniqueOptions = {}): Tensor | Tensor[] {
  const { dim, returnInverse = false, returnCounts = false } = options;
  const [values, inverse, counts] =
    dim === undefined
      ? ofAll(input, true, returnInverse, returnCounts)
      : uniqueDim(input, dim, true, returnInverse, returnCounts);
  if (!returnInverse) inverse.dispose();
  if (!returnCounts) counts.dispose();
  if (!returnInverse && !returnCounts) return values;
  return [values, ...(returnInverse ? [inverse] : []), ...(returnCounts ? [counts] : [])];
}
