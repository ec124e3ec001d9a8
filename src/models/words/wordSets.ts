import * as torch from "../../torch/index.ts";
import type { WordIndex } from "./wordIndex.ts";

/** Keeps the slope of a root finite where words are worth nothing. */
const shortest = 1e-12;
/** softplus of it is 1: at the start all words are alike. */
const alike = Math.log(Math.E - 1);

/**
 * The set of words of a sample's sequences as coordinates: sqrt(length_w) where any of its ASVs has the word
 * w. Before any training their Tanimoto distance is the Jaccard distance of the samples' k-mers, which knows
 * about relatives of ASVs that training has not seen.
 */
export class WordSets extends torch.nn.Module {
  /** [V]: the length of each column's branch after a softplus. */
  readonly length: torch.Tensor;
  /** [1]: what these lengths are multiplied by, set at the start. */
  readonly unit: torch.Tensor;

  /** Beyond `mostColumns` several words share a column. */
  constructor(
    readonly index: WordIndex,
    mostColumns: number,
  ) {
    super();
    this.length = torch.nn.parameter(torch.full([Math.min(index.rows - 1, mostColumns)], alike));
    this.unit = torch.nn.buffer(torch.ones([1]));
  }

  /**
   * Rows of words [U, W] (`WordIndex.rowsOf`) and `RaggedBatch.asvIndex` [B, S] -> coordinates [B, V].
   * `members` [B, U] says how often each sample has each ASV, where that is at hand: a product with it is
   * faster than looking up each slot.
   */
  forward(rows: torch.Tensor, index: torch.Tensor, members: torch.Tensor | null): torch.Tensor {
    const present = torch.noGrad(() =>
      torch.tidy(() => {
        const columns = this.length.numel;
        const folded = this.#folded(rows);
        const has = (places: torch.Tensor) =>
          torch
            .zeros([places.size(0), columns + 1], { dtype: this.length.dtype, device: rows.device })
            .scatter(1, places, 1)
            .narrow(1, 1, columns);
        if (members) return members.to(this.length.dtype).matmul(has(folded)).clampMax(1);
        const none = torch.zeros([1, rows.size(1)], { dtype: "int64", device: rows.device });
        return has(
          torch
            .cat([none, folded])
            .indexSelect(0, index.flatten())
            .view([index.size(0), -1]),
        );
      }),
    );
    return present.mul(this.worths());
  }

  /** [V]: the coordinate of a sample that has the word. */
  worths(): torch.Tensor {
    return this.length.softplus().mul(this.unit).clampMin(shortest).sqrt();
  }

  /** The columns of the words [U, W] of each ASV, from 0 on. */
  columnsOf(rows: torch.Tensor): Set<number>[] {
    const values = torch.tidy(() => this.#folded(rows).toFloat64Array());
    const [asvs, width] = rows.shape;
    return Array.from({ length: asvs }, (_, asv) => {
      const own = values.subarray(asv * width, (asv + 1) * width).filter((value) => value > 0);
      return new Set(own.map((value) => value - 1));
    });
  }

  /** Columns from 1 on [U, W], 0 where there is no word. */
  #folded(rows: torch.Tensor): torch.Tensor {
    return rows.sub(1).remainder(this.length.numel).add(1).mul(rows.ne(0)).to("int64");
  }
}
