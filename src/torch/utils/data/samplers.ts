import { Generator } from "../../core/generator.ts";
import { tidy } from "../../core/tidy.ts";
import { multinomial } from "../../dispatch/ops.gen.ts";
import { empty, randint, randperm, tensor } from "../../functions/creation.ts";

/** An order of examples: their numbers, one pass per iteration. */
export interface Sampler extends Iterable<number> {
  /** How many numbers a pass gives. */
  readonly length: number;
  /** A pass whose random numbers come from `generator` where the sampler has none of its own. */
  draw?(generator: Generator): Iterable<number>;
}

const options = (generator: Generator | undefined) => (generator ? { generator } : {});

function checkCount(value: number, what: string): number {
  if (!Number.isInteger(value) || value < 1)
    throw new RangeError(`${what} must be a whole number of at least 1, got ${value}`);
  return value;
}

/**
 * A seed from a generator (default: the CPU's own) as PyTorch draws it. LibTorch's generator on the CPU uses
 * the lower 32 bits alone, which every JavaScript number holds.
 * @internal
 */
export function drawSeed(generator?: Generator): number {
  return tidy(() => {
    const drawn = empty([], { dtype: "int64" }).random_(options(generator));
    return Number((drawn.data() as BigInt64Array)[0] & 0xffffffffn);
  });
}

/** 0, 1, 2 ... */
export class SequentialSampler implements Sampler {
  readonly length: number;

  constructor(source: { readonly length: number }) {
    this.length = source.length;
  }

  *[Symbol.iterator](): Generator_<number> {
    for (let i = 0; i < this.length; i++) yield i;
  }
}

type Generator_<T> = globalThis.Generator<T>;

/**
 * All examples in a new order each pass, or with `replacement` any of them again and again:
 * PyTorch's order at the same seed.
 */
export class RandomSampler implements Sampler {
  readonly length: number;
  readonly #count: number;
  readonly #replacement: boolean;
  readonly #generator: Generator | undefined;

  constructor(
    source: { readonly length: number },
    settings: { replacement?: boolean; numSamples?: number; generator?: Generator } = {},
  ) {
    this.#count = source.length;
    this.#replacement = settings.replacement ?? false;
    this.length =
      settings.numSamples === undefined ? source.length : checkCount(settings.numSamples, "numSamples");
    this.#generator = settings.generator;
  }

  [Symbol.iterator](): Iterator<number> {
    return this.#pass(undefined);
  }

  draw(generator: Generator): Iterable<number> {
    return { [Symbol.iterator]: () => this.#pass(generator) };
  }

  *#pass(outer: Generator | undefined): Generator_<number> {
    const generator = this.#generator ?? new Generator().manualSeed(drawSeed(outer));
    if (this.#replacement) {
      // In parts of 32, as PyTorch draws them: the numbers depend on it.
      for (let left = this.length; left > 0; left -= 32) {
        using drawn = randint(0, this.#count, [Math.min(left, 32)], { dtype: "int64", generator });
        yield* drawn.toFloat64Array();
      }
      return;
    }
    for (let left = this.length; left > 0 && this.#count > 0; left -= this.#count) {
      using drawn = randperm(this.#count, { generator });
      yield* drawn.toFloat64Array().subarray(0, Math.min(left, this.#count));
    }
  }
}

/** Given examples in a new order each pass. */
export class SubsetRandomSampler implements Sampler {
  readonly length: number;
  readonly #indices: readonly number[];
  readonly #generator: Generator | undefined;

  constructor(indices: readonly number[], settings: { generator?: Generator } = {}) {
    this.#indices = indices;
    this.length = indices.length;
    this.#generator = settings.generator;
  }

  [Symbol.iterator](): Iterator<number> {
    return this.#pass(this.#generator);
  }

  draw(generator: Generator): Iterable<number> {
    return { [Symbol.iterator]: () => this.#pass(this.#generator ?? generator) };
  }

  *#pass(generator: Generator | undefined): Generator_<number> {
    using order = randperm(this.length, options(generator));
    for (const at of order.toFloat64Array()) yield this.#indices[at];
  }
}

/**
 * Examples drawn with the given weights (they need not add up to 1): rare classes as
 * often as frequent ones, say.
 */
export class WeightedRandomSampler implements Sampler {
  readonly #weights: readonly number[];
  readonly #replacement: boolean;
  readonly #generator: Generator | undefined;

  constructor(
    weights: readonly number[],
    readonly length: number,
    settings: { replacement?: boolean; generator?: Generator } = {},
  ) {
    checkCount(length, "WeightedRandomSampler: the number of samples");
    if (!weights.every((weight) => Number.isFinite(weight) && weight >= 0))
      throw new RangeError("WeightedRandomSampler: weights must be finite numbers of at least 0");
    this.#weights = weights;
    this.#replacement = settings.replacement ?? true;
    if (!this.#replacement && length > weights.filter((weight) => weight > 0).length)
      throw new RangeError(
        `WeightedRandomSampler: ${length} samples without replacement are more than the weights above 0`,
      );
    this.#generator = settings.generator;
  }

  [Symbol.iterator](): Iterator<number> {
    return this.#pass(this.#generator);
  }

  draw(generator: Generator): Iterable<number> {
    return { [Symbol.iterator]: () => this.#pass(this.#generator ?? generator) };
  }

  *#pass(generator: Generator | undefined): Generator_<number> {
    const drawn = tidy(() => {
      const weights = tensor(this.#weights, { dtype: "float64" });
      return multinomial(weights, this.length, this.#replacement, options(generator)).toFloat64Array();
    });
    yield* drawn;
  }
}

/** Batches of the numbers that a sampler gives. */
export class BatchSampler implements Iterable<number[]> {
  constructor(
    readonly sampler: Sampler,
    readonly batchSize: number,
    readonly dropLast: boolean = false,
  ) {
    checkCount(batchSize, "BatchSampler: batchSize");
  }

  get length(): number {
    const count = this.sampler.length / this.batchSize;
    return this.dropLast ? Math.floor(count) : Math.ceil(count);
  }

  [Symbol.iterator](): Iterator<number[]> {
    return this.#pass(this.sampler);
  }

  draw(generator: Generator): Iterable<number[]> {
    return { [Symbol.iterator]: () => this.#pass(this.sampler.draw?.(generator) ?? this.sampler) };
  }

  *#pass(numbers: Iterable<number>): Generator_<number[]> {
    let batch: number[] = [];
    for (const number of numbers) {
      batch.push(number);
      if (batch.length < this.batchSize) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0 && !this.dropLast) yield batch;
  }
}
