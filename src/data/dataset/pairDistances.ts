/** Where the numbers of a large condensed matrix are: parts of equal length (the last may be shorter). */
export interface CondensedParts {
  /** Length of every part but the last. */
  readonly partLength: number;
  part(index: number): Float32Array;
}

/** Distances of one metric between all pairs of a data set's samples. */
export class PairDistances {
  readonly metric: string;
  readonly samples: number;
  readonly #parts: CondensedParts;

  constructor(metric: string, samples: number, parts: CondensedParts) {
    this.metric = metric;
    this.samples = samples;
    this.#parts = parts;
  }

  get pairs(): number {
    return (this.samples * (this.samples - 1)) / 2;
  }

  /** The distance between two samples, NaN if it is unknown; 0 between a sample and itself. */
  between(a: number, b: number): number {
    if (a === b) return 0;
    const [row, column] = a < b ? [a, b] : [b, a];
    const pair = (row * (2 * this.samples - row - 1)) / 2 + (column - row - 1);
    const part = Math.floor(pair / this.#parts.partLength);
    return this.#parts.part(part)[pair - part * this.#parts.partLength];
  }

  /** The distances between all of some samples: row-major `[n, n]` float32, symmetric, 0 on the diagonal. */
  block(samples: ArrayLike<number>): Float32Array {
    const n = samples.length;
    const block = new Float32Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let j = i + 1; j < n; j++) {
        const distance = this.between(samples[i], samples[j]);
        block[i * n + j] = distance;
        block[j * n + i] = distance;
      }
    }
    return block;
  }

  /** All pairs in the order (0,1), (0,2), ... (1,2), ..., in parts that lie in the mapped file. */
  *condensed(): Generator<Float32Array> {
    const { partLength } = this.#parts;
    for (let start = 0, part = 0; start < this.pairs; start += partLength, part++)
      yield this.#parts.part(part);
  }
}
