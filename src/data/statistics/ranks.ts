/** Ranks of values, none of which is NaN, from 1 on; equal values share the mean of theirs. */
export function ranksOf(values: ArrayLike<number>): Float64Array {
  // Sorting numbers and looking each up is several times as quick as sorting their places.
  const sorted = Float64Array.from(values).sort();
  const ranks = new Float64Array(sorted.length);
  let distinct = 0;
  for (let start = 0, end = 1; start < sorted.length; start = end++) {
    while (end < sorted.length && sorted[end] === sorted[start]) end++;
    sorted[distinct] = sorted[start];
    ranks[distinct++] = (start + end + 1) / 2;
  }
  const rankOf = (value: number): number => {
    let [low, high] = [0, distinct - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] < value) low = middle + 1;
      else high = middle;
    }
    return ranks[low];
  };
  return Float64Array.from(values, rankOf);
}
