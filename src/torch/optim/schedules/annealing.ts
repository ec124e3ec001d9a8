/** The curves that schedules are made of; `share` runs from 0 to 1. */

/** Half a cosine from one value to another. */
export function annealCosine(from: number, to: number, share: number): number {
  return to + (from - to) * 0.5 * (1 + Math.cos(Math.PI * share));
}

/** A straight line from one value to another. */
export function annealLinear(from: number, to: number, share: number): number {
  return from + (to - from) * share;
}

/**
 * How far the cycle at `position` has come, where the first lasts `first` and each next
 * one `growth` times as long.
 */
export function restartedAt(position: number, first: number, growth: number): number {
  let start = 0;
  let length = first;
  while (position >= start + length) {
    start += length;
    length *= growth;
  }
  return (position - start) / length;
}
