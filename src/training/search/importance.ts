import { Random } from "../../common/random/random.ts";
import { RandomForest } from "../baselines/randomForest.ts";
import type { Trial } from "./outcome.ts";
import type { Dimension } from "./space.ts";

/** With fewer trials a forest says nothing. */
const fewest = 8;

/**
 * How much each setting mattered: the mean size of its SHAP values in a forest that predicts a trial's loss
 * on the first fold, which all trials have, from where its settings lie in their ranges. In the loss's unit.
 */
export function importanceOf(
  space: readonly Dimension[],
  trials: readonly Trial[],
  placesOf: (trial: number) => readonly number[],
  lossOf: (trial: number) => number,
): Record<string, number> | null {
  const drawn = trials
    .map(({ trial }) => trial)
    .filter((trial) => trial > 0 && Number.isFinite(lossOf(trial)));
  if (drawn.length < fewest) return null;
  // The forest takes 0 for missing, so places go from 1 to 2.
  const rows = drawn.map((trial) => ({
    index: space.map((_, d) => d),
    value: placesOf(trial).map((place, d) => 1 + stepOf(space[d], place)),
  }));
  const x = { features: space.length, rows };
  const y = { kind: "numbers", values: drawn.map(lossOf) } as const;
  const forest = new RandomForest(x, y, {
    trees: 300,
    maxFeatures: "all",
    minLeaf: 2,
    random: new Random(0),
  });
  const sums = new Float64Array(space.length);
  for (const { values } of forest.shap(x))
    for (const [d, value] of values.entries()) sums[d] += Math.abs(value);
  return Object.fromEntries(space.map(({ name }, d) => [name, sums[d] / drawn.length]));
}

/** Places of the same choice are one. */
function stepOf({ values }: Dimension, place: number): number {
  return values.kind === "choice" ? Math.floor(place * values.of.length) / values.of.length : place;
}
