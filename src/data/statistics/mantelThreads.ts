import { permutedSum } from "./mantelSum.ts";
import type { MantelRequest, MantelStart } from "./mantelWorker.ts";

/** Computes `permutedSum` of many orders, on several cores where these are given. */
export class MantelThreads {
  readonly #start: MantelStart;
  readonly #workers: Worker[];

  /** Both matrices must be in shared memory. */
  constructor(square: Float64Array, condensed: Float64Array, threads: number) {
    this.#start = { square, condensed };
    this.#workers = Array.from({ length: threads > 1 ? threads : 0 }, () => {
      const worker = new Worker(new URL("./mantelWorker.ts", import.meta.url).href);
      worker.postMessage(this.#start);
      return worker;
    });
  }

  /** The sums of each request's orders, in the order of the requests. */
  async *compute(requests: Iterator<readonly Int32Array[]>): AsyncGenerator<Float64Array, void, void> {
    if (this.#workers.length === 0) {
      const { square, condensed } = this.#start;
      for (let next = requests.next(); !next.done; next = requests.next())
        yield Float64Array.from(next.value, (order) => permutedSum(square, condensed, order));
      return;
    }
    const asked: { worker: Worker; sums: Promise<Float64Array> }[] = [];
    const ask = (worker: Worker): void => {
      const { value, done } = requests.next();
      if (!done) asked.push({ worker, sums: askWorker(worker, { orders: value }) });
    };
    this.#workers.forEach(ask);
    for (let current = asked.shift(); current; current = asked.shift()) {
      const sums = await current.sums;
      ask(current.worker);
      yield sums;
    }
  }

  close(): void {
    for (const worker of this.#workers) worker.terminate();
  }
}

function askWorker(worker: Worker, request: MantelRequest): Promise<Float64Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Float64Array>();
  worker.onmessage = ({ data }: MessageEvent<Float64Array>) => resolve(data);
  worker.onerror = ({ message }) => reject(new Error(`A thread that compares matrices failed: ${message}.`));
  // What is asked ahead and never awaited must not end the process when it fails.
  promise.catch(() => undefined);
  worker.postMessage(request);
  return promise;
}
