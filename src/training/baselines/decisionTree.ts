/** A binary tree of a forest: node 0 is its root. */
export interface DecisionTree {
  /** Feature of each node, -1 for a leaf. */
  readonly feature: number[];
  /** Samples whose value is at most this go left. */
  readonly threshold: number[];
  readonly left: number[];
  readonly right: number[];
  /** Weight of the training samples in each node. */
  readonly cover: number[];
  /** Of each leaf: its mean, or shares of the classes. */
  readonly leaf: (Float64Array | null)[];
}
