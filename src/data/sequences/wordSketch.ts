/**
 * A sketch of the words of bases that sequences have, to tell later whether others are of their kind. A
 * fixed eighth of all words of 10 bases is looked at, so that a sketch is a bitmap of 16 KiB. The share of
 * a sequence's words that the sketch has estimates their containment (FracMinHash: Irber et al. 2022,
 * https://doi.org/10.1101/2022.01.11.475838). Between studies of one region of the 16S gene the median ASV
 * has 0.57 or more, a reverse complement or a random sequence at most 0.2.
 */

export const wordLength = 10;
const codes = 4 ** wordLength;
const looked = codes / 8;

/** A sequence with fewer words than this that are looked at is not judged. */
const fewestWords = 4;

/** What a sequence's words say of it. */
export type Kinship = "known" | "reversed" | "foreign" | "too short";

/** The share of known words below which a sequence is not of the sketch's kind. */
const knownShare = 0.25;

/** The share from which a reverse complement is one: of many strangers some share words by chance. */
const turnedShare = 0.5;

/**
 * The words of tokenized sequences (A 1, C 2, G 3, T 4, others no base), as the base64 text of a bitmap.
 * @example sketchWords([dataset.asvTokens(0)])
 */
export function sketchWords(sequences: Iterable<Uint8Array>): string {
  const bits = new Uint8Array(looked / 8);
  for (const tokens of sequences) {
    for (const place of placesOf(tokens)) bits[place >> 3] |= 1 << (place & 7);
  }
  return bits.toBase64();
}

/** Judges sequences by a sketch of others. */
export class WordSketch {
  readonly #bits: Uint8Array;
  readonly #maxBp: number;

  /**
   * @param text what `sketchWords` made.
   * @param maxBp bases from the start of a sequence that count.
   */
  constructor(text: string, maxBp: number) {
    this.#bits = Uint8Array.fromBase64(text);
    this.#maxBp = maxBp;
  }

  /** Whether a tokenized sequence is of the sketched ones' kind, or its reverse complement is. */
  judge(tokens: Uint8Array): Kinship {
    const share = this.#knownShare(tokens);
    if (share === null) return "too short";
    if (share >= knownShare) return "known";
    const turned = this.#knownShare(reverseComplement(tokens));
    return turned !== null && turned >= turnedShare ? "reversed" : "foreign";
  }

  /** The share of a sequence's words that are known; null for too few. */
  #knownShare(tokens: Uint8Array): number | null {
    let words = 0;
    let known = 0;
    for (const place of placesOf(tokens.subarray(0, this.#maxBp))) {
      words += 1;
      if (this.#bits[place >> 3] & (1 << (place & 7))) known += 1;
    }
    return words < fewestWords ? null : known / words;
  }
}

/** Where the words of a sequence that are looked at lie in the bitmap. */
function* placesOf(tokens: Uint8Array): Generator<number> {
  let code = 0;
  let bases = 0;
  for (const token of tokens) {
    if (token < 1 || token > 4) {
      bases = 0;
      continue;
    }
    code = ((code << 2) | (token - 1)) & (codes - 1);
    bases += 1;
    if (bases < wordLength) continue;
    // Multiplying by an odd number permutes the codes, so that those below the limit are a sample.
    const place = Math.imul(code, 0x9e3779b1) & (codes - 1);
    if (place < looked) yield place;
  }
}

function reverseComplement(tokens: Uint8Array): Uint8Array {
  return tokens.toReversed().map((token) => (token >= 1 && token <= 4 ? 5 - token : token));
}
