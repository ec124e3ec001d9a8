import type { ReportProgress } from "../../common/progress.ts";
import type { Random } from "../../common/random/random.ts";
import type { DecisionTree } from "./decisionTree.ts";
import { TreeShap } from "./treeShap.ts";

/** Samples' features by sample: only those that are not 0, in ascending order of the feature. */
export interface SparseRows {
  readonly features: number;
  readonly rows: readonly { readonly index: ArrayLike<number>; readonly value: ArrayLike<number> }[];
}

export interface ForestOptions {
  /** Default 500. */
  readonly trees?: number;
  /** Features looked at for a split: their number, a share of all below 1, or `sqrt` (default) or `all`. */
  readonly maxFeatures?: number | "sqrt" | "all";
  /** Samples that a leaf has at least. Default 1. */
  readonly minLeaf?: number;
  readonly random: Random;
  readonly onProgress?: ReportProgress;
}

/** What a forest predicts: numbers [n], or for each sample the shares of the classes [n x classes]. */
export type ForestTarget =
  | { readonly kind: "numbers"; readonly values: ArrayLike<number> }
  | { readonly kind: "classes"; readonly values: ArrayLike<number>; readonly classes: number };

/**
 * A random forest (Breiman 2001): trees grown to purity on bootstrap samples, each split the best one of some
 * random features by variance (numbers) or Gini impurity (classes); predictions are means over the trees'
 * leaves. Made for sparse counts: a split costs as much as the feature has values that are not 0.
 */
export class RandomForest {
  readonly #trees: DecisionTree[] = [];
  readonly #width: number;

  constructor(x: SparseRows, y: ForestTarget, options: ForestOptions) {
    const { trees = 500, random, onProgress } = options;
    this.#width = y.kind === "numbers" ? 1 : y.classes;
    const grower = new TreeGrower(x, y, options);
    for (let tree = 0; tree < trees; tree++) {
      this.#trees.push(grower.grow(random.derive("tree", tree)));
      onProgress?.("Growing a random forest", { done: tree + 1, total: trees, unit: "trees" });
    }
  }

  /** [n] numbers, or [n x classes] shares. */
  predict(x: SparseRows): Float64Array {
    return this.#predictions(x, (own) => meanOf(own, this.#width));
  }

  /**
   * [n] The mean of the middle fifth of the trees' numbers, which is nearly their median: with trees grown to
   * purity that is the conditional median (Meinshausen 2006, quantile regression forests), and errs less than
   * the mean where values are skewed or come from several groups.
   * @throws RangeError for a forest of classes.
   */
  predictMiddle(x: SparseRows): Float64Array {
    return this.#predictions(x, (own) =>
      meanOf(
        Float64Array.from(this.#middle(own), (tree) => own[tree]),
        1,
      ),
    );
  }

  /**
   * SHAP values: what each feature adds to the prediction of each sample, exactly (`TreeShap`).
   * @param of what was predicted: the mean over all trees, or over each sample's middle fifth of them.
   * @returns of each sample in turn `base` [classes or 1], the prediction without any feature, and `values`
   * [features * classes], whose sum and the base are its prediction.
   * @example
   * for (const { base, values } of forest.shap(x))
   *   console.log(base[0] + values.reduce((sum, value) => sum + value, 0));
   */
  *shap(
    x: SparseRows,
    of: "mean" | "middle" = "mean",
  ): Generator<{ readonly base: Float64Array; readonly values: Float64Array }> {
    const shap = new TreeShap(this.#trees, x.features, this.#width);
    const all = Array.from(this.#trees.keys());
    for (const [sample, own] of this.#ofTrees(x))
      yield shap.explain(sample, of === "mean" ? all : this.#middle(own));
  }

  /** The trees whose predictions of a sample are the middle fifth: at least one, or two of evenly many. */
  #middle(own: Float64Array): number[] {
    if (this.#width !== 1) throw new RangeError("Only a forest of numbers has a middle.");
    const count = own.length;
    const kept = 2 * Math.round(count / 10) + (count % 2);
    const order = Array.from(own.keys()).sort((a, b) => own[a] - own[b] || a - b);
    const wanted = Math.max(kept, count % 2 === 0 ? 2 : 1);
    return order.slice((count - wanted) / 2, (count + wanted) / 2);
  }

  #predictions(x: SparseRows, combine: (own: Float64Array) => Float64Array): Float64Array {
    const all = new Float64Array(x.rows.length * this.#width);
    let row = 0;
    for (const [, own] of this.#ofTrees(x)) all.set(combine(own), this.#width * row++);
    return all;
  }

  /** Of each sample its features, in memory that the next one reuses, and what trees say [trees * width]. */
  *#ofTrees(x: SparseRows): Generator<[sample: Float64Array, own: Float64Array]> {
    const dense = new Float64Array(x.features);
    for (const { index, value } of x.rows) {
      for (let i = 0; i < index.length; i++) dense[index[i]] = value[i];
      const own = new Float64Array(this.#trees.length * this.#width);
      this.#trees.forEach(({ feature, threshold, left, right, leaf }, tree) => {
        let node = 0;
        while (feature[node] >= 0) node = dense[feature[node]] <= threshold[node] ? left[node] : right[node];
        own.set(leaf[node]!, tree * this.#width);
      });
      yield [dense, own];
      for (let i = 0; i < index.length; i++) dense[index[i]] = 0;
    }
  }
}

/** The mean [width] of rows of that width. */
function meanOf(rows: Float64Array, width: number): Float64Array {
  const mean = new Float64Array(width);
  for (let i = 0; i < rows.length; i++) mean[i % width] += rows[i];
  return mean.map((sum) => (sum * width) / rows.length);
}

/** Where one feature of a node's samples is not 0, in ascending order of the values. */
interface FeatureValues {
  readonly rows: ArrayLike<number>;
  readonly values: ArrayLike<number>;
}

/** Columns of the training samples, and working memory for one node at a time. */
class TreeGrower {
  readonly #rows: SparseRows["rows"];
  readonly #columns: { rows: Int32Array; values: Float64Array }[];
  /** Numbers are in units of `#unit`. */
  readonly #y: ForestTarget;
  readonly #unit: number;
  readonly #tryFeatures: number;
  readonly #minLeaf: number;
  readonly #samples: number;
  /** Features that are not 0 everywhere. */
  readonly #used: Int32Array;
  /** How often each sample is in the present tree's bootstrap sample. */
  #weight = new Float64Array(0);
  /** The present node of each sample. */
  #nodeOf = new Int32Array(0);
  /**
   * The last node that has each feature in one of its samples: in all others it is 0
   * throughout, which needs no look.
   */
  #presentIn = new Int32Array(0);

  constructor(x: SparseRows, y: ForestTarget, { maxFeatures = "sqrt", minLeaf = 1 }: ForestOptions) {
    this.#rows = x.rows;
    this.#samples = x.rows.length;
    this.#unit = y.kind === "numbers" ? unitOf(y.values) : 1;
    this.#y = { ...y, values: Float64Array.from(y.values, (value) => value / this.#unit) };
    this.#minLeaf = minLeaf;
    const counts = new Int32Array(x.features);
    for (const { index } of x.rows) for (let i = 0; i < index.length; i++) counts[index[i]]++;
    this.#columns = Array.from(counts, (count) => ({
      rows: new Int32Array(count),
      values: new Float64Array(count),
    }));
    const filled = new Int32Array(x.features);
    x.rows.forEach(({ index, value }, row) => {
      for (let i = 0; i < index.length; i++) {
        const column = this.#columns[index[i]];
        const at = filled[index[i]]++;
        column.rows[at] = row;
        column.values[at] = value[i];
      }
    });
    // Ascending values: a node takes its own in order, without sorting.
    for (const column of this.#columns) {
      const order = Int32Array.from(column.rows.keys()).sort((a, b) => column.values[a] - column.values[b]);
      column.rows = order.map((i) => column.rows[i]);
      column.values = Float64Array.from(order, (i) => column.values[i]);
    }
    this.#used = Int32Array.from(counts.keys()).filter((feature) => counts[feature] > 0);
    const all = this.#used.length;
    const wanted =
      maxFeatures === "sqrt"
        ? Math.floor(Math.sqrt(all))
        : maxFeatures === "all"
          ? all
          : maxFeatures < 1
            ? Math.floor(maxFeatures * all)
            : maxFeatures;
    this.#tryFeatures = Math.max(1, Math.min(all, wanted));
  }

  grow(random: Random): DecisionTree {
    const n = this.#samples;
    this.#weight = new Float64Array(n);
    for (let i = 0; i < n; i++) this.#weight[random.integer(n)]++;
    this.#nodeOf = new Int32Array(n).fill(-1);
    this.#presentIn = new Int32Array(this.#columns.length).fill(-1);
    const tree: DecisionTree = { feature: [], threshold: [], left: [], right: [], cover: [], leaf: [] };
    const members = Int32Array.from({ length: n }, (_, i) => i).filter((i) => this.#weight[i] > 0);
    this.#growNode(tree, members, random);
    return tree;
  }

  #growNode(tree: DecisionTree, members: Int32Array, random: Random): number {
    const node = tree.feature.push(-1) - 1;
    tree.threshold.push(0);
    tree.left.push(-1);
    tree.right.push(-1);
    tree.leaf.push(null);
    const whole = this.#statistics(members);
    tree.cover.push(whole.weight);
    const split =
      whole.impurity > 1e-12 * whole.weight ? this.#bestSplit(members, node, whole, random) : null;
    if (!split) {
      tree.leaf[node] = this.#leafOf(whole);
      return node;
    }
    const { feature, threshold, goesRight } = split;
    tree.feature[node] = feature;
    tree.threshold[node] = threshold;
    tree.left[node] = this.#growNode(
      tree,
      members.filter((i) => !goesRight.has(i)),
      random,
    );
    tree.right[node] = this.#growNode(
      tree,
      members.filter((i) => goesRight.has(i)),
      random,
    );
    return node;
  }

  #statistics(members: Int32Array): Statistics {
    const whole = new Statistics(this.#y.kind === "numbers" ? 0 : this.#y.classes);
    for (const i of members) whole.add(this.#y.values[i], this.#weight[i]);
    return whole;
  }

  #leafOf(whole: Statistics): Float64Array {
    if (!whole.classes) return Float64Array.of((whole.sum / whole.weight) * this.#unit);
    return whole.classes.map((count) => count / whole.weight);
  }

  #bestSplit(
    members: Int32Array,
    node: number,
    whole: Statistics,
    random: Random,
  ): { feature: number; threshold: number; goesRight: Set<number> } | null {
    for (const i of members) {
      this.#nodeOf[i] = node;
      const { index } = this.#rows[i];
      for (let k = 0; k < index.length; k++) this.#presentIn[index[k]] = node;
    }
    let best = Number.NEGATIVE_INFINITY;
    let feature = -1;
    let threshold = 0;
    const order = this.#used;
    let tried = 0;
    // Features that are the same in all of the node's samples do not count as tried.
    for (let at = 0; at < order.length && tried < this.#tryFeatures; at++) {
      const other = at + random.integer(order.length - at);
      const candidate = order[other];
      order[other] = order[at];
      order[at] = candidate;
      if (this.#presentIn[candidate] !== node) continue;
      const found = this.#splitOn(this.#valuesOf(candidate, members), node, members.length, whole);
      if (found === null) continue;
      tried++;
      if (found.score > best) {
        best = found.score;
        feature = candidate;
        threshold = found.threshold;
      }
    }
    if (feature < 0) return null;
    const goesRight = new Set<number>();
    const { rows, values } = this.#columns[feature];
    for (let i = 0; i < rows.length; i++)
      if (this.#nodeOf[rows[i]] === node && values[i] > threshold) goesRight.add(rows[i]);
    return { feature, threshold, goesRight };
  }

  /** All of a feature's column, or the members' values alone where looking them up is less work. */
  #valuesOf(feature: number, members: Int32Array): FeatureValues {
    const column = this.#columns[feature];
    if (members.length * lookUpCost > column.rows.length) return column;
    const found: { row: number; value: number }[] = [];
    for (const row of members) {
      const { index, value } = this.#rows[row];
      const at = positionOf(index, feature);
      if (at >= 0) found.push({ row, value: value[at] });
    }
    found.sort((a, b) => a.value - b.value);
    return { rows: found.map(({ row }) => row), values: found.map(({ value }) => value) };
  }

  /** The best threshold of a feature; null if all samples of the node have the same value. */
  #splitOn(
    { rows, values }: FeatureValues,
    node: number,
    members: number,
    whole: Statistics,
  ): { score: number; threshold: number } | null {
    const right = new Statistics(whole.classes?.length ?? 0);
    let inNode = 0;
    let before = Number.NaN;
    let best: { score: number; threshold: number } | null = null;
    let varies = false;
    // From the largest value down; what remains on the left includes all zeros.
    for (let i = rows.length - 1; i >= 0; i--) {
      const row = rows[i];
      if (this.#nodeOf[row] !== node) continue;
      const value = values[i];
      if (inNode > 0 && value !== before) {
        varies = true;
        best = this.#better(best, right, whole, between(value, before));
      }
      right.add(this.#y.values[row], this.#weight[row]);
      inNode++;
      before = value;
    }
    if (inNode > 0 && inNode < members && before > 0) {
      varies = true;
      best = this.#better(best, right, whole, between(0, before));
    }
    return varies ? (best ?? { score: Number.NEGATIVE_INFINITY, threshold: 0 }) : null;
  }

  #better(
    best: { score: number; threshold: number } | null,
    right: Statistics,
    whole: Statistics,
    threshold: number,
  ): { score: number; threshold: number } | null {
    if (right.weight < this.#minLeaf || whole.weight - right.weight < this.#minLeaf) return best;
    const score = right.gainBeside(whole);
    return best === null || score > best.score ? { score, threshold } : best;
  }
}

/** A threshold that parts two values: the middle, unless rounding makes it the higher one. */
function between(low: number, high: number): number {
  const middle = (low + high) / 2;
  return middle < high ? middle : low;
}

/** The power of two next below the range of numbers: dividing by it rounds nothing. 1 where all are equal. */
function unitOf(values: ArrayLike<number>): number {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i]);
    high = Math.max(high, values[i]);
  }
  return high > low ? 2 ** Math.floor(Math.log2(high - low)) : 1;
}

/** Steps along a column that cost as much as finding one sample's value. */
const lookUpCost = 8;

/** Where `wanted` is in ascending numbers; -1 if it is not there. */
function positionOf(numbers: ArrayLike<number>, wanted: number): number {
  let from = 0;
  let to = numbers.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (numbers[middle] < wanted) from = middle + 1;
    else to = middle;
  }
  return numbers[from] === wanted ? from : -1;
}

/** Sums over samples: of values, or of each class. */
class Statistics {
  weight = 0;
  sum = 0;
  squares = 0;
  readonly classes: Float64Array | null;

  constructor(classes: number) {
    this.classes = classes > 0 ? new Float64Array(classes) : null;
  }

  add(value: number, weight: number): void {
    this.weight += weight;
    if (this.classes) this.classes[value] += weight;
    else {
      this.sum += weight * value;
      this.squares += weight * value * value;
    }
  }

  /** Weight x impurity (Gini or variance). */
  get impurity(): number {
    if (!this.classes) return this.squares - (this.sum * this.sum) / this.weight;
    let squares = 0;
    for (const count of this.classes) squares += count * count;
    return this.weight - squares / this.weight;
  }

  /** What grows as the impurity of this part and of the rest of `whole` falls. */
  gainBeside(whole: Statistics): number {
    const rest = whole.weight - this.weight;
    if (!this.classes || !whole.classes) {
      const other = whole.sum - this.sum;
      return (this.sum * this.sum) / this.weight + (other * other) / rest;
    }
    let own = 0;
    let others = 0;
    for (let k = 0; k < this.classes.length; k++) {
      const count = this.classes[k];
      const other = whole.classes[k] - count;
      own += count * count;
      others += other * other;
    }
    return own / this.weight + others / rest;
  }
}
