import type { DecisionTree } from "./decisionTree.ts";
import { gaussLegendre, type Quadrature } from "./gaussLegendre.ts";

/**
 * What each feature adds to a forest's prediction of one sample: exact Shapley values of the game in which a
 * feature that is not known sends the sample both ways, by the shares of training samples that went there
 * (the path-dependent values of Lundberg et al. 2020, doi:10.1038/s42256-019-0138-9). A leaf's part of the
 * game is a product over the features on its path, so a Shapley value is the integral over t from 0 to 1 of a
 * polynomial, the derivative of the game's multilinear extension (Owen 1972). Gauss-Legendre quadrature takes
 * it without error, in time nodes * depth, and loses nothing by cancelling as where polynomials are divided.
 */
export class TreeShap {
  readonly #trees: readonly { readonly tree: DecisionTree; readonly rule: Quadrature }[];
  readonly #width: number;
  /** Products along the path and sums over the leaves below, at each depth. */
  readonly #products: Float64Array[];
  readonly #sums: Float64Array[];
  /** Of each feature on the present path: share of training samples, and 1 where the sample goes this way. */
  readonly #share: Float64Array;
  readonly #agrees: Float64Array;
  /** Of each tree, the mean over its own training samples [width]. */
  readonly #bases: readonly Float64Array[];

  /** @param width numbers in a leaf. */
  constructor(trees: readonly DecisionTree[], features: number, width: number) {
    const depths = trees.map(depthOf);
    const deepest = Math.max(...depths);
    const points = pointsFor(deepest);
    this.#trees = trees.map((tree, i) => ({ tree, rule: gaussLegendre(pointsFor(depths[i])) }));
    this.#width = width;
    this.#products = Array.from({ length: deepest + 1 }, () => new Float64Array(points));
    this.#sums = Array.from({ length: deepest + 1 }, () => new Float64Array(points * width));
    this.#share = new Float64Array(features).fill(1);
    this.#agrees = new Float64Array(features).fill(1);
    this.#bases = trees.map(({ leaf, cover }) => {
      const base = new Float64Array(width);
      leaf.forEach((own, node) => {
        for (let k = 0; own && k < width; k++) base[k] += (own[k] * cover[node]) / cover[0];
      });
      return base;
    });
  }

  /**
   * Of the mean of some trees, by number: `base` [width], their prediction without any feature, and `values`
   * [features * width] of a sample [features], which with the base add up to their prediction.
   */
  explain(sample: Float64Array, trees: readonly number[]): { base: Float64Array; values: Float64Array } {
    const values = new Float64Array(sample.length * this.#width);
    const base = new Float64Array(this.#width);
    this.#products[0].fill(1);
    for (const at of trees) {
      const { tree, rule } = this.#trees[at];
      this.#visit(tree, rule, 0, 0, sample, values);
      for (let k = 0; k < base.length; k++) base[k] += this.#bases[at][k] / trees.length;
    }
    for (let i = 0; i < values.length; i++) values[i] /= trees.length;
    return { base, values };
  }

  /** Leaves the sums over the leaves below `node` in `#sums[level]`. */
  #visit(
    tree: DecisionTree,
    rule: Quadrature,
    node: number,
    level: number,
    sample: Float64Array,
    values: Float64Array,
  ): void {
    const width = this.#width;
    const { points, weights } = rule;
    const sums = this.#sums[level];
    const products = this.#products[level];
    const own = tree.leaf[node];
    if (own) {
      for (let q = 0; q < points.length; q++)
        for (let k = 0; k < width; k++) sums[q * width + k] = products[q] * own[k] * weights[q];
      return;
    }
    sums.fill(0);
    const feature = tree.feature[node];
    const share = this.#share[feature];
    const agrees = this.#agrees[feature];
    const goesLeft = sample[feature] <= tree.threshold[node];
    const below = this.#products[level + 1];
    const sumsBelow = this.#sums[level + 1];
    for (let side = 0; side < 2; side++) {
      const child = side === 0 ? tree.left[node] : tree.right[node];
      const newShare = (share * tree.cover[child]) / tree.cover[node];
      const newAgrees = goesLeft === (side === 0) ? agrees : 0;
      for (let q = 0; q < points.length; q++)
        below[q] =
          (products[q] * (newShare + points[q] * (newAgrees - newShare))) /
          (share + points[q] * (agrees - share));
      this.#share[feature] = newShare;
      this.#agrees[feature] = newAgrees;
      this.#visit(tree, rule, child, level + 1, sample, values);
      // A feature that was asked before counts by its last question alone.
      for (let q = 0; q < points.length; q++) {
        const change =
          (newAgrees - newShare) / (newShare + points[q] * (newAgrees - newShare)) -
          (agrees - share) / (share + points[q] * (agrees - share));
        for (let k = 0; k < width; k++) {
          const sum = sumsBelow[q * width + k];
          values[feature * width + k] += change * sum;
          sums[q * width + k] += sum;
        }
      }
    }
    this.#share[feature] = share;
    this.#agrees[feature] = agrees;
  }
}

/** Points that integrate a path's polynomial, whose degree is below the number of its edges. */
const pointsFor = (depth: number) => Math.max(1, Math.ceil(depth / 2));

/** Edges on the longest path. */
function depthOf({ feature, left, right }: DecisionTree): number {
  let deepest = 0;
  const open: [node: number, depth: number][] = [[0, 0]];
  for (let next = open.pop(); next; next = open.pop()) {
    const [node, depth] = next;
    deepest = Math.max(deepest, depth);
    if (feature[node] >= 0) open.push([left[node], depth + 1], [right[node], depth + 1]);
  }
  return deepest;
}
