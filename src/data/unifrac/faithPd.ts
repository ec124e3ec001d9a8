import type { Table } from "../table/table.ts";
import type { Tree } from "../tree/tree.ts";
import { BranchWalker } from "./branchWalker.ts";
import { shearTree } from "./shearTree.ts";

/**
 * Faith's phylogenetic diversity (Faith 1992) of every sample: the sum of all branches between the root
 * and the sample's ASVs; a length on the root itself does not count. An empty sample has 0. `source`
 * names the tree in errors.
 * @throws UserError where table and tree do not fit.
 */
export function faithPd(table: Table, tree: Tree, source?: string): Float64Array {
  const walker = new BranchWalker(table, shearTree(tree, table.asvIds, source));
  const values = new Float64Array(table.sampleIds.length);
  for (let sample = 0; sample < values.length; sample++) {
    walker.visit(sample);
    for (let k = 0; k < walker.size; k++) values[sample] += walker.length[walker.branches[k]];
  }
  return values;
}
