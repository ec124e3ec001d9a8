import type { Generator } from "../../core/generator.ts";
import type { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { indexSelect } from "../../dispatch/ops.gen.ts";
import { randperm, tensor } from "../../functions/creation.ts";

/** Examples by number: tensors, numbers, text, or arrays and objects of them. `get` may be asynchronous. */
export interface Dataset<Example = unknown> {
  readonly length: number;
  get(index: number): Example | Promise<Example>;
  /**
   * Several examples at once, each tensor with a new first dimension; without it they are got
   * one by one and collated.
   */
  batch?(indices: readonly number[]): Batched<Example>;
}

/** Examples one after the other, of unknown number: whatever can be iterated, also asynchronously. */
export type IterableDataset<Example = unknown> = Iterable<Example> | AsyncIterable<Example>;

/**
 * What the examples of a batch become: tensors are stacked, numbers become a tensor, arrays and
 * objects are collated by part.
 */
export type Batched<Example> = Example extends Tensor | number | bigint | boolean
  ? Tensor
  : Example extends string
    ? string[]
    : Example extends readonly unknown[] | Readonly<Record<string, unknown>>
      ? { -readonly [Part in keyof Example]: Batched<Example[Part]> }
      : unknown;

/** Whether a data set has examples by number. */
export function isIndexed<Example>(
  dataset: Dataset<Example> | IterableDataset<Example>,
): dataset is Dataset<Example> {
  return typeof (dataset as Dataset).get === "function";
}

/** The index within a list of `length`; negative ones count from the end. @throws RangeError outside. */
function checkedIndex(index: number, length: number, what: string): number {
  const at = index < 0 ? index + length : index;
  if (!Number.isInteger(at) || at < 0 || at >= length)
    throw new RangeError(`${what}: example ${index} is out of range for ${length} examples`);
  return at;
}

/** As many tensors as a list has. */
export type Tensors<List extends readonly Tensor[]> = { -readonly [Part in keyof List]: Tensor };

/** Tensors of the same first dimension: example i is the i-th part of each. */
export class TensorDataset<List extends readonly Tensor[] = readonly Tensor[]>
  implements Dataset<Tensors<List>>
{
  readonly tensors: List;
  readonly length: number;

  /** @throws TypeError if the tensors do not have the same number of examples. */
  constructor(...tensors: List) {
    if (tensors.length === 0) throw new TypeError("TensorDataset: there are no tensors");
    const sizes = tensors.map((value) => value.size(0));
    if (sizes.some((size) => size !== sizes[0]))
      throw new TypeError(
        `TensorDataset: the tensors have ${sizes.join(", ")} examples; the numbers must be equal`,
      );
    this.tensors = tensors;
    this.length = sizes[0];
  }

  get(index: number): Tensors<List> {
    return this.tensors.map((value) => value.select(0, index)) as Tensors<List>;
  }

  batch(indices: readonly number[]): Batched<Tensors<List>> {
    return tidy(() => {
      const chosen = tensor(indices, { dtype: "int64" });
      const parts = this.tensors.map((value) => indexSelect(value, 0, chosen.to(value.device)));
      return parts as Batched<Tensors<List>>;
    });
  }
}

/** Some examples of another data set, by their numbers there. */
export class Subset<Example> implements Dataset<Example> {
  readonly length: number;
  readonly batch?: (indices: readonly number[]) => Batched<Example>;

  /** @throws RangeError for a number that the data set does not have. */
  constructor(
    readonly dataset: Dataset<Example>,
    readonly indices: readonly number[],
  ) {
    for (const index of indices) checkedIndex(index, dataset.length, "Subset");
    this.length = indices.length;
    if (dataset.batch) {
      const all = dataset as Required<Dataset<Example>>;
      this.batch = (chosen) =>
        all.batch(chosen.map((i) => indices[checkedIndex(i, indices.length, "Subset")]));
    }
  }

  get(index: number): Example | Promise<Example> {
    return this.dataset.get(this.indices[checkedIndex(index, this.length, "Subset")]);
  }
}

/** Data sets one after the other. */
export class ConcatDataset<Example> implements Dataset<Example> {
  readonly datasets: readonly Dataset<Example>[];
  /** How many examples there are up to and with each data set. */
  readonly cumulativeSizes: readonly number[];
  readonly length: number;

  constructor(datasets: readonly Dataset<Example>[]) {
    if (datasets.length === 0) throw new TypeError("ConcatDataset: there are no data sets");
    if (!datasets.every(isIndexed))
      throw new TypeError(
        "ConcatDataset: takes data sets with get and length; ChainDataset takes iterable ones",
      );
    this.datasets = datasets;
    let total = 0;
    this.cumulativeSizes = datasets.map(({ length }) => {
      total += length;
      return total;
    });
    this.length = total;
  }

  get(index: number): Example | Promise<Example> {
    const at = checkedIndex(index, this.length, "ConcatDataset");
    const which = this.cumulativeSizes.findIndex((end) => at < end);
    return this.datasets[which].get(which === 0 ? at : at - this.cumulativeSizes[which - 1]);
  }
}

/** Iterable data sets one after the other. */
export class ChainDataset<Example> implements AsyncIterable<Example> {
  constructor(readonly datasets: readonly IterableDataset<Example>[]) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Example> {
    for (const dataset of this.datasets) yield* dataset as AsyncIterable<Example>;
  }
}

/** Data sets of the same length side by side: example i holds example i of each, as a list or under names. */
export class StackDataset implements Dataset<unknown> {
  readonly length: number;

  constructor(readonly datasets: readonly Dataset[] | Readonly<Record<string, Dataset>>) {
    const all = Object.values(datasets as Record<string, Dataset>);
    if (all.length === 0) throw new TypeError("StackDataset: there are no data sets");
    if (all.some(({ length }) => length !== all[0].length))
      throw new TypeError(
        `StackDataset: the data sets have ${all.map(({ length }) => length).join(", ")} examples; the numbers must be equal`,
      );
    this.length = all[0].length;
  }

  get(index: number): unknown {
    const { datasets } = this;
    const parts = Object.entries(datasets as Record<string, Dataset>).map(
      ([name, one]) => [name, one.get(index)] as const,
    );
    const assemble = (values: readonly unknown[]) =>
      Array.isArray(datasets) ? values : Object.fromEntries(parts.map(([name], i) => [name, values[i]]));
    const values = parts.map(([, value]) => value);
    return values.some((value) => value instanceof Promise)
      ? Promise.all(values).then(assemble)
      : assemble(values);
  }
}

/**
 * Splits a data set at random into subsets of the given lengths, or of fractions that add up to 1 (what
 * rounding leaves goes to the first ones): PyTorch's own split at the same seed.
 * @throws RangeError where the lengths do not add up.
 */
export function randomSplit<Example>(
  dataset: Dataset<Example>,
  lengths: readonly number[],
  options: { generator?: Generator } = {},
): Subset<Example>[] {
  const sum = lengths.reduce((total, length) => total + length, 0);
  let counts = [...lengths];
  if (Math.abs(sum - 1) < 1e-6 && lengths.every((length) => length >= 0 && length <= 1)) {
    counts = lengths.map((fraction) => Math.floor(dataset.length * fraction));
    const rest = dataset.length - counts.reduce((total, count) => total + count, 0);
    for (let i = 0; i < rest; i++) counts[i % counts.length]++;
  }
  const total = counts.reduce((all, count) => all + count, 0);
  if (total !== dataset.length || !counts.every((count) => Number.isInteger(count) && count >= 0))
    throw new RangeError(
      `randomSplit: the lengths ${lengths.join(", ")} must add up to the ${dataset.length} examples, or be fractions that add up to 1`,
    );
  using drawn = randperm(total, options.generator ? { generator: options.generator } : {});
  const order = Array.from(drawn.toFloat64Array());
  let start = 0;
  return counts.map((count) => {
    start += count;
    return new Subset(dataset, order.slice(start - count, start));
  });
}
