import type { Dataset } from "../../data/dataset/dataset.ts";
import {
  CategoricalEncoder,
  type CategoricalEncoderState,
  textValues,
} from "../../data/encoding/categories.ts";
import type { CategoryIds } from "../../models/categoricalEmbedder.ts";
import * as torch from "../../torch/index.ts";

/** The categories of a data set's samples, as numbers for a model. */
export class SampleCategories {
  readonly encoder: CategoricalEncoder;
  readonly #numbers: ReadonlyMap<string, Int32Array>;

  private constructor(encoder: CategoricalEncoder, dataset: Dataset) {
    this.encoder = encoder;
    this.#numbers = new Map(
      encoder.columnNames.map((name) => [name, encoder.encode(textValues(dataset.column(name)))]),
    );
  }

  /** Takes the categories of the training samples. Null without columns. */
  static fit(dataset: Dataset, columns: readonly string[], train: Int32Array): SampleCategories | null {
    if (columns.length === 0) return null;
    const encoder = CategoricalEncoder.fit(
      columns.map((name) => textValues(dataset.column(name))),
      train,
    );
    return new SampleCategories(encoder, dataset);
  }

  static restore(state: CategoricalEncoderState, dataset: Dataset): SampleCategories {
    return new SampleCategories(CategoricalEncoder.fromState(state), dataset);
  }

  get cardinalities(): Record<string, number> {
    return Object.fromEntries(this.encoder.columnNames.map((name) => [name, this.encoder.cardinality(name)]));
  }

  /** [B] int64 by column for some samples. */
  ids(samples: ArrayLike<number>, device: torch.Device): CategoryIds {
    const ids: Record<string, torch.Tensor> = {};
    for (const [name, numbers] of this.#numbers) {
      const own = BigInt64Array.from(Array.from(samples), (sample) => BigInt(numbers[sample]));
      ids[name] = torch.tensor(own).to(device);
    }
    return ids;
  }

  /** How many of some samples have a category that training did not see, or none, by column. */
  unknown(samples: ArrayLike<number>): Record<string, number> {
    return Object.fromEntries(
      [...this.#numbers].map(([name, numbers]) => [
        name,
        Array.from(samples).filter((sample) => numbers[sample] === 0).length,
      ]),
    );
  }
}
