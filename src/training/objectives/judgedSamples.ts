import { Random } from "../../common/random/random.ts";

/** So many samples are judged by all of their pairs, some eight million; of more a choice is. */
export const mostJudged = 4096;
/** The size of the choice, which has two million pairs. */
const chosenSamples = 2048;

/**
 * Which of `count` samples are judged, as positions in ascending order: all, or of many a choice that is
 * always the same for the same number, so that epochs and runs compare. Null for all.
 */
export function chooseJudged(count: number, most = mostJudged, chosen = chosenSamples): Int32Array | null {
  return count <= most ? null : Int32Array.from(new Random(0).derive("judged").sample(count, chosen)).sort();
}

/** Those of some samples that are judged. */
export function judgedOf(samples: Int32Array): Int32Array {
  return chooseJudged(samples.length)?.map((place) => samples[place]) ?? samples;
}

/**
 * What a figure on `count` samples is called: with the number of those that were judged behind it
 * where these are not all.
 */
export function judgedName<Name extends string>(
  name: Name,
  count: number,
): Name | `${Name}_of_${number}_samples` {
  const judged = chooseJudged(count);
  return judged === null ? name : `${name}_of_${judged.length}_samples`;
}
