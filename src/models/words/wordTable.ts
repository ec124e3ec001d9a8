import * as torch from "../../torch/index.ts";
import type { WordKind } from "./wordKinds.ts";

export interface WordTableOptions {
  readonly kinds: readonly WordKind[];
  /** The longest sequence in bases. */
  readonly maxBases: number;
  /** Columns of the table. */
  readonly dim: number;
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
 * Sums of learned vectors of the words (k-mers) of sequences. Every word of every kind has a row; words with
 * a base that is not known, and those that a sequence is too short for, are left out.
 */
export class WordTable extends torch.nn.Module {
  /** [1 + rows, D]; row 0 stands for no word and is never read. */
  readonly weight: torch.Tensor;
  readonly dim: number;
  readonly #kinds: readonly WordRows[];

  constructor({ kinds, maxBases, dim, buckets }: WordTableOptions) {
    super();
    let offset = 0;
    this.#kinds = kinds.map((kind) => {
      const places =
        kind.stretch > 0 ? Math.max(1, Math.ceil((maxBases - kind.length + 1) / kind.stretch)) : 1;
      const words = bases ** kind.length * places;
      const rows = Math.min(words, buckets);
      offset += rows;
      return { ...kind, offset: offset - rows, rows, words };
    });
    this.dim = dim;
    this.weight = torch.nn.parameter(torch.randn([1 + offset, dim]).mul(1 / Math.sqrt(maxBases)));
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

  /** Rows of words [U, W] -> sums [U, D]. */
  forward(rows: torch.Tensor): torch.Tensor {
    if (this.weight.device === "cpu") return torch.ops.aamt.word_sums(this.weight, rows) as torch.Tensor;
    const [lists, width] = rows.shape;
    const starts = torch.arange(0, lists * width, width, { dtype: "int32", device: rows.device });
    const sumMode = 0;
    return torch.embeddingBag(this.weight, rows.flatten(), starts, false, sumMode, false, null, false, 0)[0];
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
