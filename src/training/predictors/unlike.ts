import { nearestOf } from "../baselines/nearestNeighbours.ts";
import type { LearnTask } from "./learner.ts";

/** Training samples that a sample is compared with: the nearest of other groups. */
const nearest = 5;

/**
 * How unlike the training data samples are: for each the share of training samples that are at least as far
 * from their own nearest training samples of other groups (a conformal p-value; Bates et al. 2023). Small
 * where nothing like the sample was seen in training; NaN without distances.
 */
export function likenessOf({ study, train, groupOf }: LearnTask, samples: Int32Array): Float64Array {
  if (study.metric === null) return new Float64Array(samples.length).fill(Number.NaN);
  const far = (sample: number, isOther: (other: number) => boolean) => {
    const distanceTo = (other: number) => (isOther(other) ? study.distance(sample, other) : Number.NaN);
    const near = nearestOf(train, distanceTo, nearest);
    return near.length > 0
      ? near.reduce((sum, other) => sum + study.distance(sample, other), 0) / near.length
      : Number.POSITIVE_INFINITY;
  };
  const usual = Float64Array.from(train, (sample) =>
    far(sample, (other) => (groupOf ? groupOf[other] !== groupOf[sample] : other !== sample)),
  );
  return Float64Array.from(samples, (sample) => {
    const own = far(sample, () => true);
    return (1 + usual.filter((value) => value >= own).length) / (1 + usual.length);
  });
}
