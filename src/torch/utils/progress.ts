/** A line that shows how far a loop is. */

export interface ProgressOptions {
  /** How many there will be; taken from `length` or `size` where the loop's subject has one. */
  readonly total?: number;
  /** Before the bar. */
  readonly description?: string;
  /**
   * Where it is written; default standard error. Elsewhere than on a terminal nothing is shown but the end.
   */
  readonly stream?: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
  /** Milliseconds between two pictures. Default 100. */
  readonly every?: number;
}

const clock = (seconds: number): string => {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const rest = `${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
};

/** Shows a bar, how many are done of how many, times and the rate. */
export class Progress {
  readonly #total: number | null;
  readonly #options: ProgressOptions;
  readonly #stream: NonNullable<ProgressOptions["stream"]>;
  readonly #started = performance.now();
  #drawn = Number.NEGATIVE_INFINITY;
  #done = 0;
  #note = "";
  #closed = false;

  constructor(options: ProgressOptions = {}) {
    this.#options = options;
    this.#total = options.total ?? null;
    this.#stream = options.stream ?? process.stderr;
  }

  /** So many more are done. */
  update(count = 1): void {
    this.#done += count;
    if (performance.now() - this.#drawn >= (this.#options.every ?? 100)) this.#draw();
  }

  /** What is shown behind the bar: `{ loss: 0.25 }`. */
  setPostfix(values: Readonly<Record<string, number | string>>): void {
    const show = (value: number | string) =>
      typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
    this.#note = Object.entries(values)
      .map(([name, value]) => `, ${name}=${show(value)}`)
      .join("");
  }

  /** The line as it is now. */
  toString(): string {
    const seconds = (performance.now() - this.#started) / 1000;
    const rate = this.#done / Math.max(seconds, 1e-9);
    const head = this.#options.description ? `${this.#options.description}: ` : "";
    const speed = rate >= 1 || rate === 0 ? `${rate.toFixed(2)}it/s` : `${(1 / rate).toFixed(2)}s/it`;
    if (this.#total === null) return `${head}${this.#done}it [${clock(seconds)}, ${speed}${this.#note}]`;
    const share = this.#total === 0 ? 1 : Math.min(1, this.#done / this.#total);
    const left = rate > 0 ? clock((this.#total - this.#done) / rate) : "?";
    const tail = ` ${this.#done}/${this.#total} [${clock(seconds)}<${left}, ${speed}${this.#note}]`;
    const start = `${head}${String(Math.floor(share * 100)).padStart(3)}%|`;
    const width = Math.max(10, Math.min(40, (this.#stream.columns ?? 80) - start.length - tail.length - 2));
    const filled = Math.floor(share * width);
    return `${start}${"█".repeat(filled)}${" ".repeat(width - filled)}|${tail}`;
  }

  #draw(): void {
    this.#drawn = performance.now();
    if (this.#stream.isTTY) this.#stream.write(`\r\x1b[K${this.toString()}`);
  }

  /** Draws the last picture and ends the line. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#draw();
    this.#stream.write(this.#stream.isTTY ? "\n" : `${this.toString()}\n`);
  }
}

function totalOf(subject: object): number | undefined {
  if ("length" in subject) {
    try {
      const { length } = subject as { length: unknown };
      return typeof length === "number" ? length : undefined;
    } catch {
      return undefined; // a loader of an iterable data set does not know
    }
  }
  return "size" in subject && typeof subject.size === "number" ? subject.size : undefined;
}

/**
 * Shows how far a loop over `subject` is: `for (const batch of progress(loader))`. `for await`
 * where it is asynchronous.
 * @example
 * for (const [x, y] of torch.utils.progress(loader, { description: "epoch 1" })) step(x, y);
 */
export function progress<T>(
  subject: Iterable<T> | AsyncIterable<T>,
  options: ProgressOptions = {},
): Iterable<T> & AsyncIterable<T> {
  const total = options.total ?? totalOf(subject);
  const begin = () => new Progress(total === undefined ? options : { ...options, total });
  return {
    *[Symbol.iterator](): Generator<T> {
      const bar = begin();
      try {
        for (const item of subject as Iterable<T>) {
          yield item;
          bar.update();
        }
      } finally {
        bar.close();
      }
    },
    async *[Symbol.asyncIterator](): AsyncGenerator<T> {
      const bar = begin();
      try {
        for await (const item of subject as AsyncIterable<T>) {
          yield item;
          bar.update();
        }
      } finally {
        bar.close();
      }
    },
  };
}
