// A worker of a DataLoader: makes its data set from the module that it is told (which imports torch, and with
// it the tensors' methods), and answers requests for batches in order.
import { manualSeed } from "../../core/generator.ts";
import { setNumThreads } from "../../machine/settings.ts";
import { defaultCollate } from "./collate.ts";
import { type Dataset, type IterableDataset, isIndexed } from "./dataset.ts";
import { type FromWorker, pack, type ToWorker, type WorkerModule } from "./workerMessages.ts";

declare const self: Worker;

let dataset: Dataset | IterableDataset;
let collate: (examples: unknown[]) => unknown = defaultCollate;
let pass: AsyncIterator<unknown> | Iterator<unknown> | null = null;

async function answer(message: ToWorker): Promise<FromWorker | null> {
  if (message.kind === "open") {
    // The others have the cores.
    setNumThreads(1);
    manualSeed(message.info.seed);
    const module = (await import(message.module)) as Partial<WorkerModule>;
    if (typeof module.makeDataset !== "function")
      throw new TypeError(`${message.module} exports no function makeDataset`);
    dataset = (await module.makeDataset(message.data, message.info)) as Dataset;
    if (module.collateFn) collate = module.collateFn;
    return null;
  }
  if (message.kind === "pass") {
    manualSeed(message.seed);
    if (!isIndexed(dataset)) {
      const many = dataset as Partial<AsyncIterable<unknown>> & Partial<Iterable<unknown>>;
      pass = (many[Symbol.asyncIterator]?.() ?? many[Symbol.iterator]?.()) as AsyncIterator<unknown>;
    }
    return null;
  }
  if (message.kind === "indices") {
    const indexed = dataset as Dataset;
    if (!isIndexed(dataset)) throw new TypeError("the worker's data set has no get, the loader's has");
    if (!message.single && indexed.batch && collate === defaultCollate)
      return { kind: "batch", batch: pack(indexed.batch(message.indices)) };
    const examples = await Promise.all(message.indices.map((index) => indexed.get(index)));
    return { kind: "batch", batch: pack(message.single ? examples[0] : collate(examples)) };
  }
  const examples: unknown[] = [];
  while (examples.length < message.count) {
    const next = await pass!.next();
    if (next.done) break;
    examples.push(next.value);
  }
  if (examples.length === 0 || (examples.length < message.count && message.dropLast)) return { kind: "end" };
  return { kind: "batch", batch: pack(message.single ? examples[0] : collate(examples)) };
}

let queue: Promise<void> = Promise.resolve();

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  queue = queue.then(async () => {
    try {
      const reply = await answer(data);
      if (reply) self.postMessage(reply);
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      self.postMessage({ kind: "error", message: error.message, name: error.name, stack: error.stack ?? "" });
    }
  });
};
