import type { Random } from "../../common/random/random.ts";
import { multiply, solveRidge } from "./kernelRidge.ts";
import { KernelSum } from "./kernels.ts";
import { type LearnTarget, type LearnTask, lossOf, widthOf } from "./learner.ts";
import { boundNumbers, scoreTargets, softmax } from "./scores.ts";

/** What each ASV does in a ridge regression on presence. */
export interface Reasons {
  /** Row numbers of ASVs in the data set: those in at least three training samples. */
  readonly asvs: number[];
  /** By ASV: what its presence adds to the number, or to the score of each class [asvs * width]. */
  readonly effects: number[];
  /** By ASV: how much larger the mean loss on the held-out samples is with its presence permuted. */
  readonly importance: number[];
}

const permutations = 5;
const fewest = 3;

/**
 * Effects of ASVs and their permutation importance (Breiman 2001) on held-out samples, in ridge regression
 * on presence. Presence is permuted among samples of the same group, where groups are given: what tells
 * groups apart is no reason.
 * @param target with the held-out values, which judge only.
 * @param settings chosen for the ridge regression by the inner folds.
 */
export function findReasons(
  { study, train, groupOf, target: known, random }: LearnTask,
  target: LearnTarget,
  test: Int32Array,
  settings: Readonly<Record<string, string | number>>,
): Reasons {
  const n = train.length;
  const width = widthOf(target);
  const kernel = new KernelSum(study, ["presence"], train);
  const { y, offsets } = scoreTargets(known, train);
  const alpha = solveRidge(kernel.gram, y, n, Number(settings["penalty"]), settings["robust"] === 1);
  const { dataset } = study;
  const totals = new Float64Array(width);
  for (let i = 0; i < n; i++) for (let c = 0; c < width; c++) totals[c] += alpha[i * width + c];
  const sums = new Float64Array(dataset.asvCount * width);
  const present = new Int32Array(dataset.asvCount);
  train.forEach((sample, i) => {
    for (const asv of dataset.sample(sample).asvs) {
      present[asv]++;
      for (let c = 0; c < width; c++) sums[asv * width + c] += alpha[i * width + c];
    }
  });
  const scale = kernel.scales[0];
  const asvs = Array.from(present.keys()).filter((asv) => present[asv] >= fewest && present[asv] < n);
  const effects = asvs.flatMap((asv) =>
    Array.from({ length: width }, (_, c) => scale * (sums[asv * width + c] - (totals[c] * present[asv]) / n)),
  );
  const scores = multiply(kernel.against(test), alpha, test.length, n, offsets);
  const bound = target.kind === "numbers" ? boundNumbers(known, train) : null;
  const finish = (all: Float64Array) => (bound ? bound(all) : softmax(all, width, 1.5));
  const lossAt = (own: Float64Array, row: number) => lossOf(target, finish(own), 0, target.values[test[row]]);
  const before = Float64Array.from(test, (_, row) =>
    lossAt(scores.slice(row * width, (row + 1) * width), row),
  );
  const has = Array.from(test, (sample) => new Set(dataset.sample(sample).asvs));
  const importance = asvs.map((asv, at) => {
    const held = Uint8Array.from(has, (own) => (own.has(asv) ? 1 : 0));
    let grown = 0;
    for (let round = 0; round < permutations; round++) {
      const moved = permutedWithin(held, test, groupOf, random.derive("permute", asv, round));
      moved.forEach((value, row) => {
        const change = value - held[row];
        if (change === 0) return;
        const own = scores.slice(row * width, (row + 1) * width);
        for (let c = 0; c < width; c++) own[c] += change * effects[at * width + c];
        grown += (lossAt(own, row) - before[row]) / (permutations * test.length);
      });
    }
    return grown;
  });
  return { asvs, effects, importance };
}

/** Values in random order among samples of the same group; among all of them where there are no groups. */
function permutedWithin(
  values: Uint8Array,
  samples: Int32Array,
  groupOf: Int32Array | null,
  random: Random,
): Uint8Array {
  const moved = values.slice();
  const members = new Map<number, number[]>();
  samples.forEach((sample, row) => {
    const group = groupOf ? groupOf[sample] : 0;
    const own = members.get(group);
    if (own) own.push(row);
    else members.set(group, [row]);
  });
  for (const rows of members.values()) {
    const order = random.permutation(rows.length);
    rows.forEach((row, i) => {
      moved[row] = values[rows[order[i]]];
    });
  }
  return moved;
}
