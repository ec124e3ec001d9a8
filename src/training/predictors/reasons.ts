import type { Random } from "../../common/random/random.ts";
import { fromPower, RidgeFits, type RidgeSetting } from "./kernelRidge.ts";
import { multiply } from "./kernels.ts";
import { type LearnTarget, type LearnTask, lossOf, widthOf } from "./learner.ts";
import type { MedianLine } from "./medianLine.ts";
import { boundNumbers, probabilitiesOf, sharesOf } from "./scores.ts";

/** What no ASV is held to account for in a weighted mean of predictors. */
export interface Undivided {
  /** Names of the predictors. */
  readonly parts: readonly string[];
  /** Their weight, of 1. */
  readonly weight: number;
  /** Mean size of what they add as a whole: how far they move a prediction. */
  readonly importance: number;
}

/** What each ASV does in a predictor. */
export interface Reasons {
  /** Row numbers of ASVs in the data set: those in at least three training samples. */
  readonly asvs: number[];
  /**
   * By ASV: what its presence adds to the number, or to each class's score or probability [asvs * width];
   * null where the held-out samples do not tell.
   */
  readonly effects: (number | null)[];
  /** By ASV: how much it matters on the held-out samples. */
  readonly importance: number[];
  /**
   * Of contributions: by how much they fail to add up to predictions, at most, as a share of the largest
   * difference between a prediction and the base's.
   */
  readonly gap?: number;
  /** Parts of a weighted mean that are not divided among ASVs; absent where all are. */
  readonly undivided?: Undivided;
}

const permutations = 5;
/** Training samples that an ASV must be in to be spoken of. */
export const fewestSamples = 3;

/**
 * Effects of ASVs and their permutation importance (Breiman 2001) on held-out samples, in ridge regression
 * on presence. Presence is permuted among samples of the same group, where groups are given: what tells
 * groups apart is no reason.
 * @param target with the held-out values, which judge only.
 * @param settings chosen for the ridge regression by the inner folds, and the line that its numbers lie on.
 */
export function findReasons(
  task: LearnTask,
  target: LearnTarget,
  test: Int32Array,
  settings: RidgeSetting & Partial<MedianLine>,
): Reasons {
  const { study, train, groupOf, target: known, random } = task;
  const n = train.length;
  const width = widthOf(target);
  const fits = new RidgeFits(task, ["presence"], train);
  const { kernel } = fits;
  const { alpha, offsets } = fits.solve(settings);
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
  const asvs = Array.from(present.keys()).filter((asv) => present[asv] >= fewestSamples && present[asv] < n);
  const effects = asvs.flatMap((asv) =>
    Array.from({ length: width }, (_, c) => scale * (sums[asv * width + c] - (totals[c] * present[asv]) / n)),
  );
  const scores = multiply(kernel.against(test), alpha, test.length, n, offsets);
  const bound = target.kind === "numbers" ? boundNumbers(known, train) : null;
  const shares = sharesOf(known, train);
  const { power } = settings;
  const { slope = 1, offset = 0 } = settings;
  const numbersOf = (all: Float64Array) => fromPower(all, power).map((value) => offset + slope * value);
  const finish = (all: Float64Array) => (bound ? bound(numbersOf(all)) : probabilitiesOf(all, shares));
  const lossAt = (own: Float64Array, row: number) => lossOf(target, finish(own), 0, target.values[test[row]]);
  const before = Float64Array.from(test, (_, row) =>
    lossAt(scores.slice(row * width, (row + 1) * width), row),
  );
  const has = Array.from(test, (sample) => new Set(dataset.sample(sample).asvs));
  // How much larger the mean loss is with an ASV's presence permuted.
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
  if (power === 1) return { asvs, effects: effects.map((effect) => slope * effect), importance };
  // Where a power was learned, an effect depends on the sample: the mean over the held-out ones.
  const inUnits = asvs.map((asv, at) => {
    const change = scores.map((score, row) => {
      const without = score - (has[row].has(asv) ? effects[at] : 0);
      const [before, after] = numbersOf(Float64Array.of(without, without + effects[at]));
      return after - before;
    });
    return change.reduce((sum, value) => sum + value, 0) / test.length;
  });
  return { asvs, effects: inUnits, importance };
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
