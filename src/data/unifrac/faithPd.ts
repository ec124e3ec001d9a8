import type { Table } from "../table.ts";
import type { Tree } from "../tree.ts";
import { nodeProfile } from "./nodeProfile.ts";
import { shearTree } from "./shearTree.ts";

/**
 * Faith's phylogenetic diversity (Faith 1992) of every sample: the sum of all branches between the root and the sample's ASVs; a
 * length on the root itself does not count. An empty sample has 0.
 * @throws UserError where table and tree do not fit.
 */
export function faithPd(table: Table, tree: Tree, source?: string): Float64Array {
  const profile = nodeProfile(table, shearTree(tree, table.asvIds, source));
  const values = new Float64Array(profile.samples);
  for (let sample = 0; sample < profile.samples; sample++) {
    let sum = 0;
    for (let k = profile.sampleStart[sample]; k < profile.sampleStart[sample + 1]; k++) {
      sum += profile.length[profile.nodesOf[k]];
    }
    values[sample] = sum;
  }
  return values;
}
