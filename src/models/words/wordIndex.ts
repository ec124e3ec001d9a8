import * as torch from "../../torch/index.ts";
import type { WordKind } from "./wordKinds.ts";

export interface WordIndexOptions {
  readonly kinds: readonly WordKind[];
  /** The longest sequence in bases. */
  readonly maxBp: number;
  /** Rows of a kind at the most: where it has more words, several share a row by a hash. */
  readonly buckets: number;
}

interface WordRows extends WordKind {
  /** Row of the table before its first. */
  readonly offset: number;
  readonly rows: number;
  /** Words that exist, places told apart. */
  readonly words: number;
}

const bases = 4;
/** Odd and large, so that neighbouring words fall into rows far apart (Knuth's multiplicative hash). */
const hashFactor = 2654435;
const hashRange = 2 ** 24;
/** Far below any word's number. */
const noBase = -(2 ** 40);

/**
 * Numbers the words (k-mers) of sequences: every word of every kind has a row, from 1 on. Words with a base
 * that is not known, and those that a sequence is too short for, have row 0.
 */
export class WordIndex {
  /** All rows, the one for no word included. */
  readonly rows: number;
  readonly #kinds: readonly WordRows[];

  constructor({ kinds, maxBp, buckets }: WordIndexOptions) {
    let offset = 0;
    this.#kinds = kinds.map((kind) => {
      const places = kind.stretch > 0 ? Math.max(1, Math.ceil((maxBp - kind.length + 1) / kind.stretch)) : 1;
      const words = bases ** kind.length * places;
      const rows = Math.min(words, buckets);
      offset += rows;
      return { ...kind, offset: offset - rows, rows, words };
    });
    this.rows = 1 + offset;
  }

  /**
   * Tokens [U, L], the first of each no base -> the rows of their words [U, W] int32, 0 where there is none.
   */
  rowsOf(tokens: torch.Tensor): torch.Tensor {
    return torch.noGrad(() =>
      torch.tidy(() => {
        const length = tokens.size(1) - 1;
        // Tokens 1 to 4 are the bases.
        // In float64, which is exact here and several times faster than int64.
        const digits = tokens.narrow(1, 1, Math.max(0, length)).to("float64").sub(1);
        const known = digits.ge(0).logicalAnd(digits.lt(bases));
        const values = digits.maskedFill(known.logicalNot(), noBase);
        const parts = this.#kinds
          .filter((kind) => length >= kind.length)
          .map((kind) => rowsOfKind(values, kind, length));
        if (parts.length === 0)
          return torch.zeros([tokens.size(0), 1], { dtype: "int32", device: tokens.device });
        return torch.cat(parts, 1).to("int32");
      }),
    );
  }
}

function rowsOfKind(values: torch.Tensor, kind: WordRows, length: number): torch.Tensor {
  const count = length - kind.length + 1;
  let word = values.narrow(1, 0, count);
  for (let i = 1; i < kind.length; i++) word = word.mul(bases).add(values.narrow(1, i, count));
  const known = word.ge(0);
  if (kind.stretch > 0) {
    const { device } = values;
    const place = torch.arange(0, count, 1, { dtype: "float64", device }).floorDivide(kind.stretch);
    word = word.add(place.mul(bases ** kind.length).unsqueeze(0));
  }
  if (kind.rows < kind.words)
    word = word.mul(hashFactor).remainder(hashRange).mul(kind.rows).floorDivide(hashRange);
  return word.add(1 + kind.offset).mul(known);
}
