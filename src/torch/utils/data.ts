/** `torch.utils.data`, as far as data that fit into memory need it. */

import type { Generator } from "../core/generator.ts";
import type { Tensor } from "../core/tensor.ts";
import { tidy } from "../core/tidy.ts";
import { indexSelect, stack } from "../dispatch/ops.gen.ts";
import { randperm, tensor } from "../functions/creation.ts";

/** Examples by number; an example is one or several tensors. */
export interface Dataset<Example extends readonly Tensor[] = readonly Tensor[]> {
  readonly length: number;
  get(index: number): Example;
  /** Several examples at once, each tensor with a new first dimension; without it they are got one by one and stacked. */
  batch?(indices: readonly number[]): Batch<Example>;
}

/** What a batch of examples is: as many tensors, each with a new first dimension. */
export type Batch<Example extends readonly Tensor[]> = { -readonly [Part in keyof Example]: Tensor };

/** Tensors of the same first dimension: example i is the i-th part of each. */
export class TensorDataset<Tensors extends readonly Tensor[] = readonly Tensor[]>
  implements Dataset<Batch<Tensors>>
{
  readonly tensors: Tensors;
  readonly length: number;

  /** @throws TypeError if the tensors do not have the same number of examples. */
  constructor(...tensors: Tensors) {
    if (tensors.length === 0) throw new TypeError("TensorDataset: there are no tensors");
    const sizes = tensors.map((value) => value.size(0));
    if (sizes.some((size) => size !== sizes[0]))
      throw new TypeError(
        `TensorDataset: the tensors have ${sizes.join(", ")} examples; the numbers must be equal`,
      );
    this.tensors = tensors;
    this.length = sizes[0];
  }

  get(index: number): Batch<Tensors> {
    return this.tensors.map((value) => value.select(0, index)) as Batch<Tensors>;
  }

  batch(indices: readonly number[]): Batch<Batch<Tensors>> {
    return tidy(() => {
      const chosen = tensor(indices, { dtype: "int64" });
      return this.tensors.map((value) => indexSelect(value, 0, chosen.to(value.device))) as Batch<
        Batch<Tensors>
      >;
    });
  }
}

export interface DataLoaderOptions {
  batchSize?: number;
  /** Draw a new order for each pass. */
  shuffle?: boolean;
  /** Leave out the last batch if it is smaller. */
  dropLast?: boolean;
  generator?: Generator;
}

/** Passes over a dataset in batches, typed by the data set: `for (const [x, y] of loader)`. The tensors of a batch belong to the loop's scope. */
export class DataLoader<Example extends readonly Tensor[] = readonly Tensor[]>
  implements Iterable<Batch<Example>>
{
  readonly #options: Required<Omit<DataLoaderOptions, "generator">> & DataLoaderOptions;

  constructor(
    readonly dataset: Dataset<Example>,
    options: DataLoaderOptions = {},
  ) {
    this.#options = { batchSize: 1, shuffle: false, dropLast: false, ...options };
    const { batchSize } = this.#options;
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new RangeError(`DataLoader: batchSize must be a whole number of at least 1, got ${batchSize}`);
  }

  /** Batches in one pass. */
  get length(): number {
    const { batchSize, dropLast } = this.#options;
    const count = this.dataset.length / batchSize;
    return dropLast ? Math.floor(count) : Math.ceil(count);
  }

  *[Symbol.iterator](): IterableIterator<Batch<Example>> {
    const { batchSize } = this.#options;
    const order = this.#order();
    for (let i = 0; i < this.length; i++) yield this.#batch(order.slice(i * batchSize, (i + 1) * batchSize));
  }

  #order(): number[] {
    const { shuffle, generator } = this.#options;
    if (!shuffle) return Array.from({ length: this.dataset.length }, (_, i) => i);
    using drawn = randperm(this.dataset.length, generator ? { generator } : {});
    return Array.from(drawn.toFloat64Array());
  }

  #batch(indices: readonly number[]): Batch<Example> {
    if (this.dataset.batch) return this.dataset.batch(indices);
    return tidy(() => {
      const examples = indices.map((index) => this.dataset.get(index));
      return examples[0].map((_, part) => stack(examples.map((example) => example[part]))) as Batch<Example>;
    });
  }
}
