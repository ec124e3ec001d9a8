import { Random } from "../../common/random/random.ts";
import { UserError } from "../../common/userError.ts";
import type { Dataset } from "../dataset/dataset.ts";
import type { Batch, BatchOptions } from "./batch.ts";
import { BatchBuilder } from "./batch.ts";
import { withMixtures } from "./mixtures.ts";
import { batchStarts, epochOrder } from "./plan.ts";
import type { BatchSource } from "./source.ts";
import { InlineSource, WorkerSource } from "./source.ts";

export interface LoaderOptions extends Omit<BatchOptions, "mixtures"> {
  /** From 2 on. */
  readonly batchSize: number;
  /** Which samples of the data set; default all. */
  readonly samples?: ArrayLike<number>;
  /**
   * For each sample of the data set a number: batches hold samples of one number only, in mixed
   * order. Default: all alike.
   */
  readonly groups?: Int32Array;
  /** Samples of each pass that are mixed anew from `samples`, which are then all of one group. Default 0. */
  readonly mixtures?: number;
  /** Default true; false keeps the order of `samples`. */
  readonly shuffle?: boolean;
  /** Decides the order of every epoch and all random ASV sampling. Default 0. */
  readonly seed?: number;
  /** Leave out samples that fill no batch (see `batchStarts`). Default false. */
  readonly dropLast?: boolean;
  /**
   * The fewest batches of an epoch: fewer samples are passed over several times, in an order of its
   * own each time. Default 1.
   */
  readonly minBatches?: number;
  /**
   * Prepare batches ahead in a thread of its own. The batches are the same either way. Default false: it pays
   * where a training step leaves a core idle, that is on an accelerator.
   */
  readonly worker?: boolean;
}

/** Where a loader stands: the batch that comes next. Plain JSON for a checkpoint. */
export interface LoaderState {
  readonly epoch: number;
  readonly batch: number;
  /** What the order depends on; a loader with other ones cannot continue from here. */
  readonly seed: number;
  readonly batchSize: number;
  readonly samples: number;
  readonly shuffle: boolean;
  readonly dropLast: boolean;
  /** Passes over the samples in an epoch; absent before there could be several. */
  readonly passes?: number;
}

/**
 * Gives the batches of a data set, epoch after epoch, in an order that only the seed decides, and continues
 * from a saved state with the very batch that would have come next.
 *
 *     for await (const batch of loader.epoch()) { ... loader.state() ... }
 */
export class Loader {
  readonly batchesPerEpoch: number;
  /** Samples in one epoch. */
  readonly samplesPerEpoch: number;
  readonly #samples: Int32Array;
  /** The samples of each group, and where their batches start in one pass. */
  readonly #parts: readonly { readonly samples: Int32Array; readonly starts: Int32Array }[];
  readonly #passes: number;
  readonly #plan: Pick<LoaderState, "seed" | "batchSize" | "samples" | "shuffle" | "dropLast" | "passes">;
  readonly #random: Random;
  readonly #mixtures: number;
  /** Where the numbers of mixtures begin. */
  readonly #ownSamples: number;
  readonly #source: BatchSource;
  #epoch = 0;
  #batch = 0;

  /** @throws UserError for options that make no sense or ask for what the data set does not have. */
  constructor(dataset: Dataset, options: LoaderOptions) {
    const { batchSize, shuffle = true, seed = 0, dropLast = false, worker = false, minBatches = 1 } = options;
    this.#samples = Int32Array.from(
      options.samples ?? { length: dataset.sampleCount },
      (value, i) => value ?? i,
    );
    const outside = this.#samples.find((index) => index < 0 || index >= dataset.sampleCount);
    if (outside !== undefined) {
      throw new RangeError(`The data set has samples 0 to ${dataset.sampleCount - 1}, not ${outside}.`);
    }
    if (this.#samples.length === 0) throw new UserError("There is no sample to make batches of.");
    this.#mixtures = options.mixtures ?? 0;
    this.#ownSamples = dataset.sampleCount;
    this.#parts = groupsOf(this.#samples, options.groups).map((samples) => ({
      samples,
      starts: batchStarts(samples.length + this.#mixtures, batchSize, dropLast),
    }));
    const inPass = this.#parts.reduce((sum, { starts }) => sum + starts.length - 1, 0);
    this.#passes = Math.max(1, Math.ceil(minBatches / inPass));
    this.batchesPerEpoch = inPass * this.#passes;
    this.samplesPerEpoch =
      this.#parts.reduce((sum, { starts }) => sum + starts[starts.length - 1], 0) * this.#passes;
    this.#plan = {
      seed,
      batchSize,
      samples: this.#samples.length + this.#mixtures,
      shuffle,
      dropLast,
      passes: this.#passes,
    };
    this.#random = new Random(seed);
    const batchOptions: BatchOptions = {
      tokenLimit: options.tokenLimit,
      asvSampling: options.asvSampling,
      maxBp: options.maxBp,
      distance: options.distance,
      vector: options.vector,
      withoutTokens: options.withoutTokens,
      mixtures: this.#mixtures > 0 ? { of: this.#samples, seed } : undefined,
    };
    // Made even with a worker: wrong options are told here and now.
    const builder = new BatchBuilder(dataset, batchOptions);
    this.#source = worker
      ? new WorkerSource({
          kind: "open",
          dataset: { path: dataset.path, manifest: dataset.manifest },
          options: batchOptions,
          seed,
        })
      : new InlineSource(builder, seed);
  }

  /**
   * The rest of the present epoch: all of it, or what was left when the last loop was
   * ended early or restored.
   */
  async *epoch(): AsyncGenerator<Batch, void, undefined> {
    const epoch = this.#epoch;
    const inPass = this.batchesPerEpoch / this.#passes;
    const passes = Array.from({ length: this.#passes }, (_, pass) =>
      this.#batchesOf(epoch * this.#passes + pass),
    );
    const requests = Array.from({ length: this.batchesPerEpoch - this.#batch }, (_, i) => {
      const batch = this.#batch + i;
      return { batch, sampleIndices: passes[Math.floor(batch / inPass)][batch % inPass] };
    });
    for await (const batch of this.#source.batches(epoch, requests)) {
      this.#batch += 1;
      if (this.#batch === this.batchesPerEpoch) {
        this.#epoch += 1;
        this.#batch = 0;
      }
      yield batch;
    }
  }

  /** The samples of each batch of a pass. */
  #batchesOf(pass: number): Int32Array[] {
    const { shuffle } = this.#plan;
    const batches = this.#parts.flatMap(({ samples, starts }) => {
      const order = epochOrder(this.#ofPass(samples, pass), shuffle, this.#random, pass);
      return Array.from({ length: starts.length - 1 }, (_, i) => order.subarray(starts[i], starts[i + 1]));
    });
    if (this.#parts.length === 1 || !shuffle) return batches;
    const places = Int32Array.from(batches.keys());
    return Array.from(this.#random.derive("groups", pass).shuffle(places), (place) => batches[place]);
  }

  #ofPass(samples: Int32Array, pass: number): Int32Array {
    return withMixtures(samples, this.#mixtures, this.#ownSamples + pass * this.#mixtures);
  }

  /** The state after the batch that was given last. */
  state(): LoaderState {
    return { epoch: this.#epoch, batch: this.#batch, ...this.#plan };
  }

  /** Continues from a saved state. @throws UserError if that belongs to other samples or options. */
  restore(state: LoaderState): void {
    for (const [name, value] of Object.entries(this.#plan)) {
      const saved = state[name as keyof LoaderState] ?? (name === "passes" ? 1 : undefined);
      if (saved !== value) {
        throw new UserError(
          `The data of this run do not continue those of the checkpoint: ${name} is ${value}, it was ${saved}; ` +
            "use the same data set and options, or start a new run.",
        );
      }
    }
    this.#epoch = state.epoch;
    this.#batch = state.batch;
  }

  /** Ends the worker, if there is one. Needed nowhere for the process to end. */
  close(): void {
    this.#source.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The samples of each group, in their order. */
function groupsOf(samples: Int32Array, groups: Int32Array | undefined): Int32Array[] {
  if (!groups) return [samples];
  const present = [...new Set(Array.from(samples, (sample) => groups[sample]))].sort((a, b) => a - b);
  return present.map((group) => samples.filter((sample) => groups[sample] === group));
}
