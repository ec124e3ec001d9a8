/**
 * Words of a sequence that are told apart: runs of `length` bases, anywhere or in one of several
 * stretches of the sequence.
 */
export interface WordKind {
  /** Bases of a word, from 1 to 12. */
  readonly length: number;
  /** Words are told apart by their place in stretches of so many bases; 0: the place does not matter. */
  readonly stretch: number;
}

/** Words of 13 bases are distinct in nearly all sequences: they would tell ASVs apart and no more. */
const longestWord = 12;

/**
 * Reads kinds of words: `6` is all words of 6 bases, `8@25` words of 8 bases told apart by the stretch of 25
 * bases in which they begin.
 *
 * @example
 * readWordKinds("6,8@25"); // [{ length: 6, stretch: 0 }, { length: 8, stretch: 25 }]
 *
 * @throws RangeError for a text that is none.
 */
export function readWordKinds(text: string): WordKind[] {
  return text.split(",").map((part) => {
    const found = /^\s*(\d+)(?:@(\d+))?\s*$/.exec(part);
    const length = Number(found?.[1]);
    const stretch = Number(found?.[2] ?? 0);
    if (!found || length < 1 || length > longestWord || (found[2] !== undefined && stretch < 1)) {
      throw new RangeError(
        `"${part.trim()}" is no kind of words; write a length from 1 to ${longestWord}, as 6, or with the stretch that tells places apart, as 8@25.`,
      );
    }
    return { length, stretch };
  });
}

/** Whether a text names kinds of words. */
export function isWordKinds(text: string): boolean {
  try {
    return readWordKinds(text).length > 0;
  } catch {
    return false;
  }
}
