import type { Table } from "../table.ts";
import type { ShearedTree } from "./shearTree.ts";

/**
 * What lies below every branch in every sample, as a sparse matrix stored twice: by sample and by node. Nodes without a branch
 * length are left out, since no metric sees them.
 */
export interface NodeProfile {
  readonly samples: number;
  readonly nodes: number;
  /** Branch length above each node. */
  readonly length: Float64Array;
  /** Of sample i: `nodesOf[sampleStart[i] .. sampleStart[i + 1]]`, ascending, and the amounts beside them. */
  readonly sampleStart: Float64Array;
  readonly nodesOf: Int32Array;
  readonly amountOf: Float64Array;
  /** Of node b: `samplesAt[nodeStart[b] .. nodeStart[b + 1]]`, ascending, and the amounts beside them. */
  readonly nodeStart: Float64Array;
  readonly samplesAt: Int32Array;
  readonly amountAt: Float64Array;
  /** Counts of each sample. */
  readonly totals: Float64Array;
}

export interface ProfileOptions {
  /** Divide counts by the sample's total (the default), or keep them as they are ("absolute" UniFrac). */
  relative?: boolean;
  /** Leave out the branches of the tips (`-f` of ssu). */
  bypassTips?: boolean;
}

/** Sums of counts (or shares of the sample) below every branch, for every sample. */
export function nodeProfile(table: Table, tree: ShearedTree, options: ProfileOptions = {}): NodeProfile {
  const { relative = true, bypassTips = false } = options;
  const samples = table.sampleIds.length;
  const length = Float64Array.from(tree.length);
  if (bypassTips) for (const tip of tree.tipOfAsv) length[tip] = 0;
  const nodes = length.length;
  const totals = new Float64Array(samples);
  const perNode = new Float64Array(nodes);
  const sampleStart = new Float64Array(samples + 1);
  const nodeList = new GrowingInts();
  const amountList = new GrowingDoubles();
  const below = new Float64Array(nodes);
  for (let sample = 0; sample < samples; sample++) {
    let total = 0;
    for (let k = table.indptr[sample]; k < table.indptr[sample + 1]; k++) total += table.data[k];
    totals[sample] = total;
    const touched: number[] = [];
    for (let k = table.indptr[sample]; k < table.indptr[sample + 1]; k++) {
      const amount = table.data[k];
      for (let node = tree.tipOfAsv[table.indices[k]]; node > 0; node = tree.parent[node]) {
        if (below[node] === 0) touched.push(node);
        below[node] += amount;
      }
    }
    touched.sort((a, b) => a - b);
    for (const node of touched) {
      if (length[node] !== 0) {
        nodeList.push(node);
        amountList.push(relative ? below[node] / total : below[node]);
        perNode[node]++;
      }
      below[node] = 0;
    }
    sampleStart[sample + 1] = nodeList.length;
  }
  const nodesOf = nodeList.finish();
  const amountOf = amountList.finish();
  const nodeStart = new Float64Array(nodes + 1);
  for (let node = 0; node < nodes; node++) nodeStart[node + 1] = nodeStart[node] + perNode[node];
  const next = nodeStart.slice(0, nodes);
  const samplesAt = new Int32Array(nodesOf.length);
  const amountAt = new Float64Array(nodesOf.length);
  for (let sample = 0; sample < samples; sample++) {
    for (let k = sampleStart[sample]; k < sampleStart[sample + 1]; k++) {
      const at = next[nodesOf[k]]++;
      samplesAt[at] = sample;
      amountAt[at] = amountOf[k];
    }
  }
  return { samples, nodes, length, sampleStart, nodesOf, amountOf, nodeStart, samplesAt, amountAt, totals };
}

/** A typed array that doubles when it is full: profiles of large studies have hundreds of millions of entries. */
class Growing<T extends Int32Array | Float64Array> {
  length = 0;
  constructor(
    private values: T,
    private readonly make: (size: number) => T,
  ) {}

  push(value: number): void {
    if (this.length === this.values.length) {
      const larger = this.make(2 * this.values.length);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length++] = value;
  }

  finish(): T {
    return this.values.slice(0, this.length) as T;
  }
}

class GrowingInts extends Growing<Int32Array> {
  constructor() {
    super(new Int32Array(1 << 16), (size) => new Int32Array(size));
  }
}

class GrowingDoubles extends Growing<Float64Array> {
  constructor() {
    super(new Float64Array(1 << 16), (size) => new Float64Array(size));
  }
}
