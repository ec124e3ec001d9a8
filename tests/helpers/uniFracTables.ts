import type { Random } from "../../src/common/random/random.ts";
import type { Table } from "../../src/data/table/table.ts";
import type { Tree } from "../../src/data/tree/tree.ts";
import type { Condensed, UniFracOptions } from "../../src/data/unifrac/index.ts";

/** A table from counts by sample and ASV. */
export function tableOf(
  counts: readonly (readonly number[])[],
  asvIds: readonly string[],
  sampleIds?: readonly string[],
): Table {
  const indptr = [0];
  const indices: number[] = [];
  const data: number[] = [];
  for (const row of counts) {
    row.forEach((count, asv) => {
      if (count === 0) return;
      indices.push(asv);
      data.push(count);
    });
    indptr.push(indices.length);
  }
  return {
    sampleIds: sampleIds ?? counts.map((_, i) => `sample ${i}`),
    asvIds,
    indptr: Int32Array.from(indptr),
    indices: Int32Array.from(indices),
    data: Float64Array.from(data),
  };
}

/**
 * A tree of one to five branches at each fork, with branches of length 0 and chains; its
 * tips are named t0, t1, ...
 */
export function randomTree(random: Random, tips: number): Tree {
  // Nodes by their parent's number, renumbered in preorder below.
  const parents: number[] = [-1];
  const open = [0];
  while (open.length < tips) {
    const at = random.integer(open.length);
    const node = open[at];
    const forks = 1 + random.integer(Math.min(5, tips - open.length + 1));
    for (let child = 0; child < forks; child++) {
      parents.push(node);
      if (child === 0) open[at] = parents.length - 1;
      else open.push(parents.length - 1);
    }
  }
  const children: number[][] = parents.map(() => []);
  parents.forEach((parent, node) => {
    if (parent >= 0) children[parent].push(node);
  });
  const order: number[] = [];
  const stack = [0];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    order.push(node);
    stack.push(...children[node]);
  }
  const place = new Int32Array(order.length);
  order.forEach((node, i) => {
    place[node] = i;
  });
  let tip = 0;
  return {
    parent: Int32Array.from(order, (node) => (parents[node] < 0 ? -1 : place[parents[node]])),
    length: Float64Array.from(order, () => (random.integer(8) === 0 ? 0 : random.float())),
    names: order.map((node) => (children[node].length === 0 ? `t${tip++}` : "")),
  };
}

/** Counts with empty samples, samples of equal shares and fractions among them. */
export function randomCounts(random: Random, samples: number, asvs: number): number[][] {
  const counts: number[][] = [];
  for (let sample = 0; sample < samples; sample++) {
    const kind = random.integer(12);
    const earlier = counts[random.integer(Math.max(1, sample))];
    if (kind === 0) counts.push(new Array(asvs).fill(0));
    else if (kind === 1 && earlier) counts.push(earlier.map((count) => 3 * count));
    else {
      const share = random.float();
      const unit = kind === 2 ? 0.25 : 1;
      counts.push(
        Array.from({ length: asvs }, () => (random.float() < share ? unit * (1 + random.integer(30)) : 0)),
      );
    }
  }
  return counts;
}

/**
 * The greatest difference between two lists of distances, NaN if their lengths differ or one has no number.
 */
export function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.NaN;
  let greatest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= greatest)) greatest = difference;
  }
  return greatest;
}

/**
 * The distances of all pairs as the definitions say, branch by branch and pair by pair, without any shortcut.
 */
export function bruteForce(table: Table, tree: Tree, options: UniFracOptions): Condensed {
  const { metric = "unweighted", alpha = 1, varianceAdjusted, absolute, bypassTips } = options;
  const samples = table.sampleIds.length;
  const counts = tree.names.map(() => new Float64Array(samples));
  const asvsBelow = new Int32Array(tree.names.length);
  const isTip = tree.names.map((_, node) => !tree.parent.includes(node));
  table.asvIds.forEach((id, asv) => {
    for (
      let node = tree.names.findIndex((name, i) => name === id && isTip[i]);
      node >= 0;
      node = tree.parent[node]
    ) {
      asvsBelow[node]++;
      for (let sample = 0; sample < samples; sample++) {
        for (let k = table.indptr[sample]; k < table.indptr[sample + 1]; k++) {
          if (table.indices[k] === asv) counts[node][sample] += table.data[k];
        }
      }
    }
  });
  const totals = counts[0];
  const distances: number[] = [];
  for (let i = 0; i < samples; i++) {
    for (let j = i + 1; j < samples; j++) {
      let [numerator, denominator] = [0, 0];
      for (let node = 1; node < tree.names.length; node++) {
        if (bypassTips && asvsBelow[node] === 1) continue;
        const [a, b] = [counts[node][i], counts[node][j]];
        if (a + b === 0) continue;
        const variance = (a + b) * (totals[i] + totals[j] - (a + b));
        if (varianceAdjusted && variance <= 0) continue;
        const deviation = varianceAdjusted ? Math.sqrt(variance) : 1;
        if (metric.startsWith("unweighted")) {
          if (a === 0 || b === 0) numerator += tree.length[node] / deviation;
          denominator += tree.length[node] / deviation;
          continue;
        }
        const [x, y] = absolute ? [a, b] : [a / (totals[i] || 1), b / (totals[j] || 1)];
        const weight = tree.length[node] * ((x + y) / deviation) ** (metric === "generalized" ? alpha : 1);
        numerator += (weight * Math.abs(x - y)) / (x + y);
        denominator += weight;
      }
      if (metric.endsWith("_unnormalized")) distances.push(numerator);
      else distances.push(denominator > 0 ? numerator / denominator : 0);
    }
  }
  return Float64Array.from(distances);
}
