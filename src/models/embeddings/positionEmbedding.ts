import * as torch from "../../torch/index.ts";

/** A learned vector for each position from 0 to `maxLength` - 1. */
export class PositionEmbedding extends torch.nn.Module {
  static override readonly names = { table: "position_embedding" };
  readonly table: torch.nn.Embedding;

  constructor(
    readonly maxLength: number,
    dim: number,
  ) {
    super();
    this.table = new torch.nn.Embedding(maxLength, dim);
  }

  /** The first rows, [length, D]. @throws RangeError for more than there are. */
  rows(length: number): torch.Tensor {
    if (length > this.maxLength) {
      throw new RangeError(
        `The model knows ${this.maxLength} positions, but the batch has ${length}: cut the data to the model's limits.`,
      );
    }
    return this.table.weight.narrow(0, 0, length);
  }

  /** Adds each position's vector: [..., T, D] -> [..., T, D]. */
  forward(input: torch.Tensor): torch.Tensor {
    return input.add(this.rows(input.size(-2)));
  }
}
