import type { PairData } from "./pairData.ts";
import type { DistanceRows } from "./pairRows.ts";
import type { RowsAnswer, RowsRequest, StartRequest, StopRequest } from "./rowWorker.ts";

/** Blocks of rows that a worker has been asked for beyond the one it computes, so that it never waits. */
const ahead = 1;

/** Workers that compute blocks of rows of the same distances. */
export class RowThreads {
  readonly #workers: RowThread[];

  constructor(data: PairData, count: number) {
    this.#workers = Array.from({ length: count }, () => new RowThread(data));
  }

  /** Computes blocks that begin at `starts`, the last one up to `end`, and gives them in this order. */
  async *compute(starts: readonly number[], end: number): AsyncGenerator<DistanceRows, void, void> {
    const asked: { worker: RowThread; rows: Promise<DistanceRows> }[] = [];
    let next = 0;
    const ask = (worker: RowThread): void => {
      if (next === starts.length) return;
      asked.push({ worker, rows: worker.compute(starts[next], starts[++next] ?? end) });
    };
    for (let round = 0; round <= ahead; round++) this.#workers.forEach(ask);
    for (let current = asked.shift(); current; current = asked.shift()) {
      const rows = await current.rows;
      ask(current.worker);
      yield rows;
    }
  }

  /** Ends the workers when they are done with what they do. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }
}

class RowThread {
  readonly #worker: Worker;
  readonly #owed: PromiseWithResolvers<DistanceRows>[] = [];
  readonly #stopped = Promise.withResolvers<void>();

  constructor(data: PairData) {
    this.#worker = new Worker(new URL("./rowWorker.ts", import.meta.url).href);
    this.#worker.onmessage = ({ data: answer }: MessageEvent<RowsAnswer>) => {
      if (answer === "stopped") this.#stopped.resolve();
      else if ("error" in answer) this.#fail(answer.error);
      else this.#owed.shift()?.resolve(answer);
    };
    this.#worker.onerror = (event) => this.#fail(event.message);
    this.#worker.addEventListener("close", () => this.#fail("it ended unexpectedly"));
    const { dense, ...rest } = data;
    const request: StartRequest = {
      kind: "start",
      data: rest,
      // A second tensor of the same memory, for it is given away.
      dense: dense && { ...dense, amounts: dense.amounts.detach().transfer() },
    };
    this.#worker.postMessage(request);
  }

  compute(from: number, to: number): Promise<DistanceRows> {
    const owed = Promise.withResolvers<DistanceRows>();
    // What is asked ahead and never awaited must not end the process when it fails.
    owed.promise.catch(() => undefined);
    this.#owed.push(owed);
    this.#worker.postMessage({ kind: "rows", from, to } satisfies RowsRequest);
    return owed.promise;
  }

  async close(): Promise<void> {
    this.#worker.postMessage({ kind: "stop" } satisfies StopRequest);
    await this.#stopped.promise;
    this.#worker.terminate();
  }

  #fail(reason: string): void {
    this.#stopped.resolve();
    for (const owed of this.#owed.splice(0)) {
      owed.reject(new Error(`A thread that computes distances failed: ${reason}.`));
    }
  }
}
