import { UserError } from "../../common/userError.ts";
import type { Table } from "../table/table.ts";
import type { ShearedTree } from "./shearTree.ts";

/** Counts that are no whole numbers add up to slightly different totals in different orders. */
const rounding = 1e-11;

/**
 * Visits the samples of a table one by one and tells which branches lie above a sample's ASVs and how many of
 * its counts lie below each. One set of buffers serves all samples. Branches without length are left out,
 * since no metric sees them.
 */
export class BranchWalker {
  /** Number of nodes of the tree, which number the branches above them. */
  readonly nodes: number;
  /** Branch length above each node; 0 for those that do not count. */
  readonly length: Float64Array;
  /** Branches of the sample at hand: the first `size`, in descending order, and the counts below each. */
  readonly branches: Int32Array;
  readonly counts: Float64Array;
  size = 0;
  /** All counts of the sample at hand. */
  total = 0;
  readonly #table: Table;
  readonly #tree: ShearedTree;
  readonly #below: Float64Array;
  readonly #marks: Int32Array;

  /**
   * `bypassTips` leaves out the branches of the tips.
   * @throws UserError for a count that is negative or not finite.
   */
  constructor(table: Table, tree: ShearedTree, bypassTips = false) {
    refuseOddCounts(table);
    this.#table = table;
    this.#tree = tree;
    this.nodes = tree.parent.length;
    this.length = tree.length;
    if (bypassTips) {
      this.length = tree.length.slice();
      for (const tip of tree.tipOfAsv) this.length[tip] = 0;
    }
    this.branches = new Int32Array(this.nodes);
    this.counts = new Float64Array(this.nodes);
    this.#below = new Float64Array(this.nodes);
    this.#marks = new Int32Array((this.nodes + 31) >>> 5);
  }

  visit(sample: number): void {
    const { indptr, indices, data } = this.#table;
    const { parent, tipOfAsv } = this.#tree;
    const below = this.#below;
    const marks = this.#marks;
    let total = 0;
    for (let k = indptr[sample]; k < indptr[sample + 1]; k++) {
      if (data[k] === 0) continue;
      total += data[k];
      let node = tipOfAsv[indices[k]];
      below[node] += data[k];
      // Up to the first node that another ASV has led to.
      while (node > 0 && (marks[node >>> 5] & (1 << (node & 31))) === 0) {
        marks[node >>> 5] |= 1 << (node & 31);
        node = parent[node];
      }
    }
    this.total = total;
    this.#collect(total * (1 - rounding));
  }

  /**
   * Takes the marked nodes from the last to the first, so that children hand their counts to their parents in
   * time. From `whole` counts on a branch has all of the sample.
   */
  #collect(whole: number): void {
    const { branches, counts, length } = this;
    const { parent } = this.#tree;
    const below = this.#below;
    const marks = this.#marks;
    let size = 0;
    for (let word = marks.length - 1; word >= 0; word--) {
      let rest = marks[word];
      if (rest === 0) continue;
      marks[word] = 0;
      while (rest !== 0) {
        const bit = 31 - Math.clz32(rest);
        rest &= ~(1 << bit);
        const node = (word << 5) | bit;
        const count = below[node];
        below[node] = 0;
        below[parent[node]] += count;
        if (length[node] === 0) continue;
        branches[size] = node;
        counts[size++] = count >= whole ? this.total : count;
      }
    }
    below[0] = 0;
    this.size = size;
  }
}

function refuseOddCounts(table: Table): void {
  const bad = table.data.findIndex((count) => !(count >= 0 && count < Number.POSITIVE_INFINITY));
  if (bad < 0) return;
  const sample = table.indptr.findIndex((end, i) => i > 0 && end > bad) - 1;
  throw new UserError(
    `The count of ASV "${table.asvIds[table.indices[bad]]}" in sample "${table.sampleIds[sample]}" is ${table.data[bad]}; ` +
      "UniFrac and Faith's PD need counts that are finite and at least 0.",
  );
}
