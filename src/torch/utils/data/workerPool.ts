import { Tensor } from "../../core/tensor.ts";
import { tensorsIn } from "../../func/tree.ts";
import { TorchError } from "../../native/errors.ts";
import { type FromWorker, type ToWorker, unpack } from "./workerMessages.ts";

interface Waiting {
  readonly resolve: (answer: FromWorker) => void;
  readonly reject: (error: Error) => void;
}

/** One worker: requests are answered in their order. */
class Member {
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  #failure: Error | null = null;

  constructor(
    readonly id: number,
    open: ToWorker,
  ) {
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url));
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data.kind === "error") {
        const error = new TorchError(
          `DataLoader: worker ${id} failed: ${data.name}: ${data.message}\n${data.stack}`,
          "runtime",
        );
        this.#fail(error);
      } else this.#waiting.shift()?.resolve(data);
    };
    this.#worker.onerror = ({ message }) => {
      this.#fail(new TorchError(`DataLoader: worker ${id} failed: ${message}`, "runtime"));
    };
    this.#worker.addEventListener("close", () => {
      this.#fail(new TorchError(`DataLoader: worker ${id} ended although it was still needed`, "runtime"));
    });
    this.send(open);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }

  send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  ask(message: ToWorker): Promise<FromWorker> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.send(message);
    });
  }

  end(): void {
    this.#fail(new TorchError("DataLoader: the workers have been ended", "runtime"));
    this.#worker.terminate();
  }
}

/** The workers of a DataLoader. */
export class WorkerPool {
  readonly members: readonly Member[];

  constructor(count: number, module: string, data: unknown, seed: number) {
    this.members = Array.from({ length: count }, (_, id) => {
      const info = { id, numWorkers: count, seed: (seed + id) % 2 ** 32 };
      return new Member(id, { kind: "open", module, data, info });
    });
  }

  /** A new pass; what random operators give in the workers depends on its seed. */
  begin(seed: number): void {
    for (const [id, member] of this.members.entries())
      member.send({ kind: "pass", seed: (seed + id) % 2 ** 32 });
  }

  /** Ends the workers now; what they are asked for is refused. */
  stop(): void {
    for (const member of this.members) member.end();
  }

  /** Ends the workers once they have answered what they were asked; those answers are freed. */
  async end(outstanding: readonly Promise<FromWorker>[]): Promise<void> {
    await discard(outstanding);
    for (const member of this.members) member.end();
  }
}

/** Waits for answers that nobody wants any more and frees their tensors. */
export async function discard(outstanding: readonly Promise<FromWorker>[]): Promise<void> {
  for (const answer of await Promise.allSettled(outstanding)) {
    if (answer.status !== "fulfilled" || answer.value.kind !== "batch") continue;
    for (const tensor of tensorsIn(unpack(answer.value.batch)))
      if (tensor instanceof Tensor) tensor.dispose();
  }
}
