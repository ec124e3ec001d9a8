import * as torch from "../../torch/index.ts";
import { WordIndex, type WordIndexOptions } from "./wordIndex.ts";

export interface WordTableOptions extends WordIndexOptions {
  /** Columns of the table. */
  readonly dim: number;
}

/** Sums of learned vectors of the words of sequences, which a `WordIndex` numbers. */
export class WordTable extends torch.nn.Module {
  /** [rows, D]; row 0 stands for no word and is never read. */
  readonly weight: torch.Tensor;
  readonly dim: number;
  readonly index: WordIndex;

  constructor({ dim, ...words }: WordTableOptions) {
    super();
    this.index = new WordIndex(words);
    this.dim = dim;
    this.weight = torch.nn.parameter(torch.randn([this.index.rows, dim]).mul(1 / Math.sqrt(words.maxBp)));
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
