import * as torch from "../../torch/index.ts";

/** Columns for words at the most; beyond them several share one. */
const mostColumns = 4096;
/** softplus of it is 1: at the start all words are alike. */
const alike = Math.log(Math.E - 1);

/**
 * The set of words of a sample's sequences as coordinates: sqrt(length_w) where any of its ASVs has the word w. Before any training their
 * Tanimoto distance is the Jaccard distance of the samples' k-mers, which knows about relatives of ASVs that training has not seen.
 */
export class WordSets extends torch.nn.Module {
  /** [V]: the length of each column's branch after a softplus. */
  readonly length: torch.Tensor;
  /** [1]: what these lengths are multiplied by, set at the start. */
  readonly unit: torch.Tensor;

  /** `rows` is how many rows the words' table has, the one for no word included. */
  constructor(rows: number) {
    super();
    this.length = torch.nn.parameter(torch.full([Math.min(rows - 1, mostColumns)], alike));
    this.unit = torch.nn.buffer(torch.ones([1]));
  }

  /** Rows of words [U, W] (`WordTable.rowsOf`) and `RaggedBatch.asvIndex` [B, S] -> coordinates [B, V]. */
  forward(rows: torch.Tensor, index: torch.Tensor): torch.Tensor {
    const columns = this.length.numel;
    const present = torch.noGrad(() =>
      torch.tidy(() => {
        const none = torch.zeros([1, rows.size(1)], { dtype: rows.dtype, device: rows.device });
        const slots = torch.cat([none, rows]).indexSelect(0, index.flatten()).to("int64");
        const place = slots
          .sub(1)
          .remainder(columns)
          .add(1)
          .mul(slots.ne(0))
          .view([index.size(0), -1]);
        return torch
          .zeros([index.size(0), columns + 1], { dtype: this.length.dtype, device: rows.device })
          .scatter(1, place, 1)
          .narrow(1, 1, columns);
      }),
    );
    return present.mul(this.length.softplus().mul(this.unit).sqrt());
  }
}
