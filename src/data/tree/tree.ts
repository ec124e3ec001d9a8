/**
 * A rooted tree in preorder: node 0 is the root and every parent stands before its children, so that one loop
 * from the last node to the first visits children before parents and no algorithm needs recursion.
 */
export interface Tree {
  /** Parent of each node, -1 for the root. `parent[i] < i`. */
  readonly parent: Int32Array;
  /** Length of the branch above each node; a missing length is 0 (see `lengthMissing` of the reader). */
  readonly length: Float64Array;
  /** Name of each node, `""` where it has none. */
  readonly names: readonly string[];
}
