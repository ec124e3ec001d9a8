import { Generator } from "../../core/generator.ts";
import { Scope } from "../../core/scope.ts";
import type { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { isCudaAvailable } from "../../machine/devices.ts";
import { TorchError } from "../../native/errors.ts";
import { defaultCollate, pinBatch } from "./collate.ts";
import { type Batched, type Dataset, type IterableDataset, isIndexed } from "./dataset.ts";
import { BatchSampler, drawSeed, RandomSampler, type Sampler, SequentialSampler } from "./samplers.ts";
import type { FromWorker, ToWorker } from "./workerMessages.ts";
import { unpack } from "./workerMessages.ts";
import { discard, WorkerPool } from "./workerPool.ts";

export interface DataLoaderOptions<Example = unknown, Batch = unknown> {
  /** Examples in a batch (default 1); null gives the examples themselves. */
  readonly batchSize?: number | null;
  /** Draw a new order for each pass. */
  readonly shuffle?: boolean;
  /** Leave out the last batch if it is smaller. */
  readonly dropLast?: boolean;
  /** The order of examples; not together with `shuffle`. */
  readonly sampler?: Sampler;
  /** The batches themselves; not together with `batchSize`, `shuffle`, `sampler` and `dropLast`. */
  readonly batchSampler?: Iterable<readonly number[]> & { readonly length?: number };
  /** What makes a batch of examples; default `defaultCollate`. With workers their module has it. */
  readonly collateFn?: (examples: Example[]) => Batch;
  /** Where shuffling and the workers' seeds get their random numbers. */
  readonly generator?: Generator;
  /**
   * Batches in page-locked memory, from which copies to an accelerator do not block.
   * Nothing without an accelerator.
   */
  readonly pinMemory?: boolean;
  /** Threads that make the batches (default 0: this one). They need `workerModule`, and `for await`. */
  readonly numWorkers?: number;
  /** A module that exports `makeDataset(workerData, { id, numWorkers, seed })` and perhaps `collateFn`. */
  readonly workerModule?: string | URL;
  /** What `makeDataset` gets: anything that `postMessage` can copy. */
  readonly workerData?: unknown;
  /** Batches that each worker makes ahead (default 2). */
  readonly prefetchFactor?: number;
  /** Keep the workers from pass to pass. `dispose` ends them. */
  readonly persistentWorkers?: boolean;
  /** Seconds to wait for a batch of a worker; 0 (the default) waits without end. */
  readonly timeout?: number;
}

/** Where a pass over the data stands; tensors and numbers alone, for checkpoints. */
export interface DataLoaderState {
  /** The generator's state when the pass began (uint8). */
  readonly generator: Tensor;
  /** Batches given so far. */
  readonly position: number;
}

const known: readonly string[] = (
  "batchSize shuffle dropLast sampler batchSampler collateFn generator pinMemory numWorkers workerModule workerData " +
  "prefetchFactor persistentWorkers timeout"
).split(" ");

function checkWhole(value: number, least: number, name: string): void {
  if (!Number.isInteger(value) || value < least)
    throw new RangeError(`DataLoader: ${name} must be a whole number of at least ${least}, got ${value}`);
}

/**
 * Passes over a data set in batches: `for (const [x, y] of loader)`, or `for await` where the data set
 * is asynchronous or workers make the batches. The tensors of a batch are freed when the next one
 * comes (and at the end); `tensor.keep()` keeps one for the scope around. The order of `shuffle` is
 * PyTorch's at the same seed.
 *
 * `stateDict()` within a pass and `loadStateDict` before the next one go on exactly there, without reading
 * what was seen. A pass that was left early (`break`) is over.
 *
 * @throws TypeError for unknown options and for options that contradict each other.
 * @example
 * const examples = new torch.utils.data.TensorDataset(x, y);
 * const loader = new torch.utils.data.DataLoader(examples, { batchSize: 32, shuffle: true });
 * for (const [inputs, targets] of loader) train(inputs, targets);
 */
export class DataLoader<Example = unknown, Batch = Batched<Example>>
  implements Iterable<Batch>, AsyncIterable<Batch>
{
  readonly dataset: Dataset<Example> | IterableDataset<Example>;
  readonly batchSize: number | null;
  readonly #options: DataLoaderOptions<Example, Batch>;
  readonly #batches:
    | (Iterable<readonly number[]> & { readonly length?: number; draw?: BatchSampler["draw"] })
    | null;
  #pool: WorkerPool | null = null;
  #resumeFrom: DataLoaderState | null = null;
  #passStart: Tensor | null = null;
  #position = 0;
  #pass = 0;

  constructor(
    dataset: Dataset<Example> | IterableDataset<Example>,
    options: DataLoaderOptions<Example, Batch> = {},
  ) {
    for (const key of Object.keys(options))
      if (!known.includes(key)) refuseOthers("DataLoader", { [key]: true }, known.join(", "));
    const { batchSize, shuffle, dropLast, sampler, batchSampler, collateFn, generator } = options;
    const { numWorkers, workerModule, prefetchFactor, persistentWorkers, timeout } = options;
    this.dataset = dataset;
    this.#options = options;
    if (typeof batchSize === "number") checkWhole(batchSize, 1, "batchSize");
    if (numWorkers !== undefined) checkWhole(numWorkers, 0, "numWorkers");
    if (prefetchFactor !== undefined) checkWhole(prefetchFactor, 1, "prefetchFactor");
    if (timeout !== undefined && !(timeout >= 0))
      throw new RangeError("DataLoader: timeout must be at least 0");
    if (numWorkers && !workerModule)
      throw new TypeError(
        "DataLoader: numWorkers needs workerModule, a file that exports makeDataset: objects cannot be sent to other threads",
      );
    if (numWorkers && collateFn)
      throw new TypeError("DataLoader: with workers, collateFn is an export of workerModule");
    if (
      !numWorkers &&
      (workerModule !== undefined || prefetchFactor !== undefined || persistentWorkers || timeout)
    )
      throw new TypeError(
        "DataLoader: workerModule, prefetchFactor, persistentWorkers and timeout need numWorkers",
      );
    if (sampler && shuffle) throw new TypeError("DataLoader: sampler and shuffle exclude each other");
    if (batchSampler && (batchSize !== undefined || shuffle || sampler || dropLast))
      throw new TypeError("DataLoader: batchSampler excludes batchSize, shuffle, sampler and dropLast");
    if (batchSize === null && dropLast) throw new TypeError("DataLoader: dropLast needs a batchSize");
    this.batchSize = batchSampler ? null : batchSize === undefined ? 1 : batchSize;
    if (!isIndexed(dataset)) {
      if (shuffle || sampler || batchSampler)
        throw new TypeError(
          "DataLoader: an iterable data set decides its order itself, without shuffle, sampler and batchSampler",
        );
      this.#batches = null;
      return;
    }
    const order =
      sampler ??
      (shuffle ? new RandomSampler(dataset, generator ? { generator } : {}) : new SequentialSampler(dataset));
    this.#batches = batchSampler ?? new BatchSampler(order, this.batchSize ?? 1, dropLast);
  }

  /** Batches in one pass. @throws TypeError for an iterable data set, whose length is unknown. */
  get length(): number {
    const length = this.#batches?.length;
    if (length === undefined) throw new TypeError("DataLoader: the number of batches is not known");
    return length;
  }

  /** Where the pass that runs stands; after a pass, at the beginning of the next. */
  stateDict(): DataLoaderState {
    const generator = this.#passStart?.clone() ?? this.#generator().getState();
    return { generator, position: this.#position };
  }

  /** The next pass goes on where `state` was taken. */
  loadStateDict(state: DataLoaderState): void {
    checkWhole(state.position, 0, "position");
    this.#resumeFrom = { generator: state.generator.clone().detachFromScope(), position: state.position };
  }

  /** Ends the workers. */
  async dispose(): Promise<void> {
    const pool = this.#pool;
    this.#pool = null;
    await pool?.end([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  #generator(): Generator {
    return this.#options.generator ?? Generator.default("cpu");
  }

  /** Draws what a pass needs; a resumed pass draws it again from the state of then. */
  #begin(): { seed: number; batches: Iterator<readonly number[]> | null; pass: number } {
    const resumed = this.#resumeFrom;
    this.#resumeFrom = null;
    this.#passStart?.dispose();
    const source = this.#generator();
    this.#passStart = (resumed?.generator ?? source.getState()).detachFromScope();
    this.#position = resumed?.position ?? 0;
    const pass = ++this.#pass;
    // A generator that the caller gave goes on from the state of then, as it would have; the
    // default one is left alone.
    const own = resumed && !this.#options.generator ? new Generator() : source;
    if (resumed) own.setState(resumed.generator);
    const seed = drawSeed(own);
    if (this.#batches === null) return { seed, batches: null, pass };
    const numbers = this.#batches.draw?.(own) ?? this.#batches;
    const batches = numbers[Symbol.iterator]();
    for (let i = 0; i < this.#position; i++) batches.next();
    return { seed, batches, pass };
  }

  #end(pass: number): void {
    if (pass !== this.#pass) return;
    this.#passStart?.dispose();
    this.#passStart = null;
    this.#position = 0;
  }

  #finish(batch: Batch): Batch {
    return this.#options.pinMemory && isCudaAvailable() ? pinBatch(batch) : batch;
  }

  #collate(examples: Example[]): Batch {
    if (this.batchSize === null && !this.#options.batchSampler) return examples[0] as unknown as Batch;
    return (this.#options.collateFn ?? (defaultCollate as (all: Example[]) => unknown))(examples) as Batch;
  }

  /** The batch of these examples; a promise where the data set is asynchronous. */
  #read(indices: readonly number[], held: Held): Batch | Promise<Batch> {
    const dataset = this.dataset as Dataset<Example>;
    const batched = this.batchSize !== null || this.#options.batchSampler !== undefined;
    if (batched && dataset.batch && !this.#options.collateFn) {
      const all = dataset as Required<Dataset<Example>>;
      return held.hold(() => this.#finish(all.batch(indices) as unknown as Batch));
    }
    // What an asynchronous `get` has made before its first await lives until the batch is there.
    const examples = held.hold(() => indices.map((index) => dataset.get(index)));
    if (!examples.some((example) => example instanceof Promise))
      return held.within(() => this.#finish(this.#collate(examples as Example[])));
    return Promise.all(examples).then((all) => held.within(() => this.#finish(this.#collate(all))));
  }

  *[Symbol.iterator](): IterableIterator<Batch> {
    if (this.#options.numWorkers)
      throw new TypeError("DataLoader: workers need `for await (const batch of loader)`");
    const { batches, pass } = this.#begin();
    const held = new Held();
    try {
      if (batches === null) {
        const many = this.dataset as Iterable<Example>;
        if (typeof many[Symbol.iterator] !== "function")
          throw new TypeError(
            "DataLoader: an asynchronous data set needs `for await (const batch of loader)`",
          );
        yield* this.#inBatches(many[Symbol.iterator](), held);
        return;
      }
      for (let next = batches.next(); !next.done; next = batches.next()) {
        const batch = this.#read(next.value, held);
        if (batch instanceof Promise) {
          batch.catch(() => undefined);
          throw new TypeError(
            "DataLoader: an asynchronous data set needs `for await (const batch of loader)`",
          );
        }
        this.#position++;
        yield batch;
      }
    } finally {
      held.free();
      this.#end(pass);
    }
  }

  *#inBatches(source: Iterator<Example>, held: Held): Generator_<Batch> {
    const size = this.batchSize ?? 1;
    let skip = this.#position;
    for (;;) {
      const batch = held.hold(() => {
        const examples: Example[] = [];
        while (examples.length < size) {
          const next = source.next();
          if (next.done) break;
          examples.push(next.value);
        }
        if (examples.length === 0 || (examples.length < size && this.#options.dropLast)) return nothing;
        return skip-- > 0 ? null : this.#finish(this.#collate(examples));
      });
      if (batch === nothing) return;
      if (batch === null) continue;
      this.#position++;
      yield batch as Batch;
    }
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<Batch> {
    const { seed, batches, pass } = this.#begin();
    const held = new Held();
    try {
      if (this.#options.numWorkers) {
        yield* this.#fromWorkers(seed, batches, held);
      } else if (batches !== null) {
        for (let next = batches.next(); !next.done; next = batches.next()) {
          const batch = await this.#read(next.value, held);
          this.#position++;
          yield batch;
        }
      } else {
        yield* this.#inBatchesAsync(held);
      }
    } finally {
      held.free();
      this.#end(pass);
    }
  }

  async *#inBatchesAsync(held: Held): AsyncGenerator<Batch> {
    const size = this.batchSize ?? 1;
    let skip = this.#position;
    let examples: Example[] = [];
    const take = (): Batch | null => {
      const taken = examples;
      examples = [];
      if (skip-- > 0) return null;
      this.#position++;
      return held.hold(() => this.#finish(this.#collate(taken)));
    };
    for await (const example of this.dataset as AsyncIterable<Example>) {
      examples.push(example);
      if (examples.length < size) continue;
      const batch = take();
      if (batch !== null) yield batch;
    }
    if (examples.length === 0 || this.#options.dropLast) return;
    const batch = take();
    if (batch !== null) yield batch;
  }

  async *#fromWorkers(
    seed: number,
    batches: Iterator<readonly number[]> | null,
    held: Held,
  ): AsyncGenerator<Batch> {
    const {
      numWorkers = 1,
      workerModule = "",
      workerData,
      prefetchFactor = 2,
      persistentWorkers,
    } = this.#options;
    this.#pool ??= new WorkerPool(numWorkers, String(workerModule), workerData, seed);
    const pool = this.#pool;
    pool.begin(seed);
    const single = this.batchSize === null && !this.#options.batchSampler;
    const outstanding: { answer: Promise<FromWorker>; worker: number }[] = [];
    const ended = new Set<number>();
    const toSkip = batches === null ? this.#position : 0;
    let turn = 0;
    let failed = false;
    const request = (): ToWorker | null => {
      if (batches === null) {
        const dropLast = this.#options.dropLast ?? false;
        return { kind: "next", count: this.batchSize ?? 1, single, dropLast };
      }
      const next = batches.next();
      return next.done ? null : { kind: "indices", indices: next.value, single };
    };
    const askNext = (): void => {
      if (ended.size === numWorkers) return;
      while (ended.has(turn % numWorkers)) turn++;
      const message = request();
      if (message === null) return;
      const worker = turn++ % numWorkers;
      const answer = pool.members[worker].ask(message);
      answer.catch(() => undefined); // it is looked at when its turn comes
      outstanding.push({ answer, worker });
    };
    try {
      for (let i = 0; i < numWorkers * prefetchFactor; i++) askNext();
      let seen = 0;
      for (let first = outstanding.shift(); first !== undefined; first = outstanding.shift()) {
        const answer = await this.#inTime(first.answer);
        if (answer.kind === "end") {
          ended.add(first.worker);
          askNext();
          continue;
        }
        askNext();
        if (answer.kind !== "batch") continue;
        if (seen++ < toSkip) {
          await discard([Promise.resolve(answer)]);
          continue;
        }
        this.#position++;
        yield held.hold(() => this.#finish(unpack(answer.batch) as Batch));
      }
    } catch (error) {
      // What the workers are at is not known any more: others begin anew.
      failed = true;
      throw error;
    } finally {
      const answers = outstanding.map(({ answer }) => answer);
      if (failed || !persistentWorkers) {
        if (this.#pool === pool) this.#pool = null;
        if (failed) pool.stop();
        await pool.end(answers);
      } else await discard(answers);
    }
  }

  async #inTime(answer: Promise<FromWorker>): Promise<FromWorker> {
    const { timeout = 0 } = this.#options;
    if (timeout === 0) return answer;
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new TorchError(`DataLoader: no batch came within ${timeout} s (timeout)`, "runtime"));
      }, timeout * 1000);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

type Generator_<T> = globalThis.Generator<T>;

const nothing = Symbol("the end");

/**
 * What was made for the last batch, until it is freed; tensors that were there before
 * belong to whom they did.
 */
class Held {
  #scope: Scope | null = null;

  /** Frees what was held and runs `fn`, whose new tensors are held. */
  hold<Result>(fn: () => Result): Result {
    this.free();
    this.#scope = new Scope();
    return this.#scope.run(fn);
  }

  /** Runs `fn` with what it gives, and nothing else of it, held besides. */
  within<Result>(fn: () => Result): Result {
    return (this.#scope as Scope).run(() => tidy(fn));
  }

  free(): void {
    this.#scope?.[Symbol.dispose]();
    this.#scope = null;
  }
}
