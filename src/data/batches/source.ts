import { UserError } from "../../common/userError.ts";
import type { Batch, BatchBuilder } from "./batch.ts";
import { batchRandom } from "./plan.ts";
import type { Answer, BuildRequest, OpenRequest } from "./worker.ts";

export interface PlannedBatch {
  readonly batch: number;
  readonly sampleIndices: Int32Array;
}

/** Makes the batches of one epoch in their order. */
export interface BatchSource {
  batches(epoch: number, planned: readonly PlannedBatch[]): AsyncIterable<Batch> | Iterable<Batch>;
  close(): void;
}

/** Builds each batch when it is asked for, in this thread. */
export class InlineSource implements BatchSource {
  readonly #builder: BatchBuilder;
  readonly #seed: number;

  constructor(builder: BatchBuilder, seed: number) {
    this.#builder = builder;
    this.#seed = seed;
  }

  *batches(epoch: number, planned: readonly PlannedBatch[]): Generator<Batch> {
    for (const { batch, sampleIndices } of planned) {
      yield this.#builder.build(sampleIndices, batchRandom(this.#seed, epoch, batch));
    }
  }

  close(): void {}
}

/** How many batches a worker prepares beyond the one in use. */
const ahead = 3;

/**
 * Has batches built in a worker, a few ahead of use. The worker keeps the process alive only while somebody
 * waits for a batch, so a program that stops asking ends by itself.
 */
export class WorkerSource implements BatchSource {
  readonly #open: OpenRequest;
  #worker: Worker | undefined;
  /**
   * What the worker still owes, in the order in which it answers; also batches of a loop that was left early.
   */
  #owed: PromiseWithResolvers<Batch>[] = [];

  constructor(open: OpenRequest) {
    this.#open = open;
  }

  async *batches(epoch: number, planned: readonly PlannedBatch[]): AsyncGenerator<Batch> {
    const prepared: Promise<Batch>[] = [];
    let asked = 0;
    for (let taken = 0; taken < planned.length; taken++) {
      while (asked < Math.min(planned.length, taken + ahead + 1))
        prepared.push(this.#ask(epoch, planned[asked++]));
      yield await this.#awaited(prepared.shift()!);
    }
  }

  close(): void {
    this.#worker?.terminate();
    this.#fail(new Error("The loader was closed."));
  }

  #ask(epoch: number, { batch, sampleIndices }: PlannedBatch): Promise<Batch> {
    this.#worker ??= this.#start();
    const owed = Promise.withResolvers<Batch>();
    // A batch that is never taken must not end the process when it fails.
    owed.promise.catch(() => undefined);
    this.#owed.push(owed);
    this.#worker.postMessage({ kind: "build", epoch, batch, sampleIndices } satisfies BuildRequest);
    return owed.promise;
  }

  async #awaited(batch: Promise<Batch>): Promise<Batch> {
    this.#worker?.ref();
    try {
      return await batch;
    } finally {
      this.#worker?.unref();
    }
  }

  #start(): Worker {
    const worker = new Worker(new URL("./worker.ts", import.meta.url).href);
    worker.unref();
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      const owed = this.#owed.shift();
      if ("batch" in data) owed?.resolve(data.batch);
      else owed?.reject(data.isUserError ? new UserError(data.error) : new Error(data.error));
    };
    worker.onerror = (event) =>
      this.#fail(new Error(`The worker that prepares batches failed: ${event.message}`));
    worker.addEventListener("close", () => {
      if (this.#worker === worker)
        this.#fail(new Error("The worker that prepares batches ended unexpectedly."));
    });
    worker.postMessage(this.#open);
    return worker;
  }

  #fail(error: Error): void {
    this.#worker = undefined;
    for (const owed of this.#owed.splice(0)) owed.reject(error);
  }
}
