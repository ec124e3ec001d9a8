import { DenseBuilder, denseSums } from "./denseBranches.ts";
import type { MakeDense, PairData } from "./pairData.ts";
import { PairRows } from "./pairRows.ts";

/** Has LibTorch take the branches that many samples have. */
export const makeDense: MakeDense = (samples, walker, branches, options) =>
  new DenseBuilder(samples, walker, branches, options);

/** The rows of distances with the dense branches' part, if there are any. */
export function pairRowsOf(data: PairData): PairRows {
  const { dense, form } = data;
  return new PairRows(data, dense && ((from, to) => denseSums(dense, form, from, to)));
}
