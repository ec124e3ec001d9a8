import type { Dataset } from "../../../data/dataset/dataset.ts";
import type { SparseRows } from "../randomForest.ts";

/** Odd and large: neighbouring words fall into columns far apart (Knuth's multiplicative hash). */
const hashFactor = 2654435761;

/**
 * Samples by their words (k-mers) of `length` bases, up to 12: the share of a sample's counts that each word
 * is read in, all of a sample's shares together 1. Words with an unknown base are left out. Where there are
 * more words than `mostColumns`, several share a column.
 */
export function wordShares(
  dataset: Dataset,
  samples: Int32Array,
  length: number,
  mostColumns: number,
): SparseRows {
  const columnOf = columnsOfWords(dataset, samples, length, mostColumns);
  const features = columnOf.count;
  const share = new Float64Array(features);
  const rows = Array.from(samples, (sample) => {
    const { asvs, counts } = dataset.sample(sample);
    const found: number[] = [];
    let total = 0;
    asvs.forEach((asv, i) => {
      eachWord(dataset.asvTokens(asv), length, (word) => {
        const column = columnOf.column(word);
        if (share[column] === 0) found.push(column);
        share[column] += counts[i];
        total += counts[i];
      });
    });
    const index = Int32Array.from(found).sort();
    const value = Float64Array.from(index, (column) => share[column] / total);
    for (const column of found) share[column] = 0;
    return { index, value };
  });
  return { features, rows };
}

/**
 * Calls with the number of every word of a sequence's tokens (START first; 1 to 4 are
 * bases), from left to right.
 */
function eachWord(tokens: Uint8Array, length: number, call: (word: number) => void): void {
  const mask = 4 ** length - 1;
  let word = 0;
  let known = 0;
  for (let i = 1; i < tokens.length; i++) {
    const base = tokens[i] - 1;
    known = base >= 0 && base < 4 ? known + 1 : 0;
    word = ((word << 2) | (base & 3)) & mask;
    if (known >= length) call(word);
  }
}

/** Numbers the words that occur; by a hash where they are too many. */
function columnsOfWords(dataset: Dataset, samples: Int32Array, length: number, most: number) {
  const place = new Int32Array(4 ** length);
  let words = 0;
  const seen = new Uint8Array(dataset.asvCount);
  for (const sample of samples)
    for (const asv of dataset.sample(sample).asvs) {
      if (seen[asv]) continue;
      seen[asv] = 1;
      eachWord(dataset.asvTokens(asv), length, (word) => {
        if (place[word] === 0) place[word] = ++words;
      });
    }
  return words <= most
    ? { count: words, column: (word: number) => place[word] - 1 }
    : {
        count: most,
        column: (word: number) => Math.floor(((Math.imul(word, hashFactor) >>> 0) / 2 ** 32) * most),
      };
}
