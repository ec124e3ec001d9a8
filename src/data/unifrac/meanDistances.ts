import type { Distances } from "../distances/distances.ts";
import type { Table } from "../table/table.ts";
import type { Tree } from "../tree/tree.ts";
import { type AllPairsOptions, uniFracAllPairs } from "./index.ts";

/**
 * The mean of the UniFrac distances of several tables with the same samples, such as repeated rarefactions
 * of one, float64.
 * @param draw gives the table of a number, from 0 on
 * @throws UserError as `uniFracAllPairs` does.
 */
export async function meanDistances(
  draw: (number: number) => Table,
  count: number,
  tree: Tree,
  options: AllPairsOptions = {},
): Promise<Distances> {
  const { onProgress, ...rest } = options;
  let [ids, sums]: [readonly string[], Float64Array | undefined] = [[], undefined];
  for (let number = 0; number < count; number++) {
    const table = draw(number);
    const values = await uniFracAllPairs(table, tree, {
      ...rest,
      precision: "float64",
      onProgress: (share) => onProgress?.((number + share) / count),
    });
    if (sums === undefined) [ids, sums] = [table.sampleIds, new Float64Array(values.length)];
    if (sums.length !== values.length) throw new RangeError(`Table ${number} has other samples.`);
    for (let pair = 0; pair < sums.length; pair++) sums[pair] += values[pair];
  }
  return { ids, values: (sums ?? new Float64Array(0)).map((sum) => sum / count) };
}
