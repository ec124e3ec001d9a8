import * as torch from "../torch/index.ts";

/** Category numbers [B] int64 by column; 0 is unknown. */
export type CategoryIds = Readonly<Record<string, torch.Tensor>>;

/** A learned vector for each category of some columns; the unknown category's is zero and stays so. */
export class CategoricalEmbedder extends torch.nn.Module {
  readonly embeddings: torch.nn.ModuleDict<torch.nn.Embedding>;
  readonly columns: readonly string[];
  readonly dropout: torch.nn.Dropout;
  readonly columnDim: number;

  /**
   * `cardinalities`: categories of each column, the unknown one included. Columns are taken in
   * the order of their names.
   */
  constructor(cardinalities: Readonly<Record<string, number>>, columnDim: number, dropout: number) {
    super();
    this.columns = Object.keys(cardinalities).sort();
    this.columnDim = columnDim;
    const tables = this.columns.map((column) => {
      const table = new torch.nn.Embedding(cardinalities[column], columnDim, { paddingIdx: 0 });
      return [column, table] as const;
    });
    this.embeddings = new torch.nn.ModuleDict(Object.fromEntries(tables));
    this.dropout = new torch.nn.Dropout(dropout);
  }

  /** Values of the joined vectors. */
  get dim(): number {
    return this.columns.length * this.columnDim;
  }

  /** -> [B, columns x columnDim] for `samples` samples; a column that is not given is unknown. */
  forward(ids: CategoryIds, samples: number): torch.Tensor {
    const device = this.embeddings.get(this.columns[0]).weight.device;
    const parts = this.columns.map((column) => {
      const own = Object.hasOwn(ids, column)
        ? ids[column]
        : torch.zeros([samples], { dtype: "int64", device });
      return this.embeddings.get(column).forward(own);
    });
    return this.dropout.forward(torch.cat(parts, -1));
  }
}
