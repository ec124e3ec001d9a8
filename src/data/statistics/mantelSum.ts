/**
 * The sum of products of two matrices' entries over all pairs of samples, where those of one are in another
 * order: `square` [samples, samples], `condensed` the other's pairs.
 */
export function permutedSum(square: Float64Array, condensed: Float64Array, order: Int32Array): number {
  const n = order.length;
  let [sum, place] = [0, 0];
  for (let i = 0; i < n; i++) {
    const row = order[i] * n;
    for (let j = i + 1; j < n; j++) sum += square[row + order[j]] * condensed[place++];
  }
  return sum;
}
