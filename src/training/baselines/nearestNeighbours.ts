import type { ReportProgress } from "../../common/progress.ts";

/** A known target of each sample: a number, or a class number. */
export type NeighbourTarget =
  | { readonly kind: "numbers"; readonly values: ArrayLike<number> }
  | { readonly kind: "classes"; readonly values: ArrayLike<number>; readonly classes: number };

export interface NeighbourInput {
  /** Distance between two samples; NaN where unknown. */
  readonly distance: (a: number, b: number) => number;
  /** Samples whose targets are known. */
  readonly train: Int32Array;
  readonly target: NeighbourTarget;
  /** Samples of one group are no neighbours of each other when k is chosen, as whole groups are held out. */
  readonly groupOf?: ArrayLike<number>;
  readonly onProgress?: ReportProgress;
}

const candidates = [1, 2, 3, 5, 7, 10, 15, 20, 30, 50];

/**
 * The `count` nearest of some samples, the nearest first, of equally near ones the one of the smaller number;
 * those whose distance is NaN are left out.
 */
export function nearestOf(
  samples: Int32Array,
  distance: (sample: number) => number,
  count: number,
): number[] {
  const near: number[] = [];
  const far: number[] = [];
  for (const sample of samples) {
    const own = distance(sample);
    if (Number.isNaN(own)) continue;
    let at = near.length;
    while (at > 0 && (own < far[at - 1] || (own === far[at - 1] && sample < near[at - 1]))) at--;
    if (at === count) continue;
    near.splice(at, 0, sample);
    far.splice(at, 0, own);
    if (near.length > count) {
      near.pop();
      far.pop();
    }
  }
  return near;
}

/**
 * Predicts the mean of the k nearest training samples (or the share of each class), with the k of least error
 * when each training sample is predicted from the others.
 */
export class NearestNeighbours {
  readonly k: number;
  /** By k: mean absolute error, or share of wrong classes, among the training samples. */
  readonly errors: ReadonlyMap<number, number>;
  readonly #input: NeighbourInput;

  constructor(input: NeighbourInput) {
    this.#input = input;
    const sizes = candidates.filter((k) => k < input.train.length);
    const sums = new Map(sizes.map((k) => [k, 0]));
    const { groupOf, target, onProgress } = input;
    const total = input.train.length;
    input.train.forEach((sample, done) => {
      const order = this.#nearest(sample, (other) =>
        groupOf ? groupOf[other] !== groupOf[sample] : other !== sample,
      );
      for (const k of sizes) {
        const [value] = [this.#outcome(order, k)];
        const truth = target.values[sample];
        const error =
          target.kind === "numbers" ? Math.abs(value[0] - truth) : value[truth] < Math.max(...value) ? 1 : 0;
        sums.set(k, sums.get(k)! + error / total);
      }
      onProgress?.("Comparing nearest neighbours", { done: done + 1, total, unit: "samples" });
    });
    this.errors = sums;
    this.k = sizes.reduce((best, k) => (sums.get(k)! < sums.get(best)! ? k : best), sizes[0] ?? 1);
  }

  /** [n] numbers, or [n x classes] shares, for any samples that have distances to the training samples. */
  predict(samples: Int32Array): Float64Array {
    const { target } = this.#input;
    const width = target.kind === "numbers" ? 1 : target.classes;
    const all = new Float64Array(samples.length * width);
    samples.forEach((sample, i) => {
      all.set(
        this.#outcome(
          this.#nearest(sample, (other) => other !== sample),
          this.k,
        ),
        i * width,
      );
    });
    return all;
  }

  #nearest(sample: number, eligible: (other: number) => boolean): number[] {
    const { distance, train } = this.#input;
    const far = (other: number) => (eligible(other) ? distance(sample, other) : Number.NaN);
    return nearestOf(train, far, Math.max(...candidates));
  }

  #outcome(order: readonly number[], k: number): Float64Array {
    const { target } = this.#input;
    const near = order.slice(0, k);
    const result = new Float64Array(target.kind === "numbers" ? 1 : target.classes);
    for (const other of near) {
      if (target.kind === "numbers") result[0] += target.values[other] / near.length;
      else result[target.values[other]] += 1 / near.length;
    }
    return result;
  }
}
