import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";

/**
 * Refuses outputs of a model that are NaN or infinite, before they are written: in a table they would be
 * empty cells, which look like missing values. `values` has the same number of values for each of `ids`.
 * @throws UserError naming the checkpoint and the first sample or ASV.
 */
export function refuseNonFiniteOutputs(
  values: Float32Array | Float64Array,
  ids: readonly string[],
  { checkpoint, what }: { readonly checkpoint: string; readonly what: string },
): void {
  const bad = values.findIndex((value: number) => !Number.isFinite(value));
  if (bad < 0) return;
  const width = values.length / ids.length;
  const first = Math.floor(bad / width);
  let rows = 0;
  for (let row = 0; row < ids.length; row++) {
    const own = values.subarray(row * width, (row + 1) * width);
    if (!own.every(Number.isFinite)) rows++;
  }
  throw new UserError(
    `${checkpoint} gives ${what} that are NaN or infinite for ${rows} of ${ids.length} (the first is ${quote(ids[first])}); nothing was ` +
      "written: use an earlier checkpoint, or train again with a smaller learning rate or without --mixed-precision.",
  );
}
