/** Numbers in memory, or parts of any length that follow each other, for what does not fit one array. */
export type Numbers = Float32Array | Float64Array | Iterable<Float32Array | Float64Array>;

/** Cuts numbers that come in parts of any length into parts of a wanted length. */
export class NumberTaker {
  readonly #parts: Iterator<Float32Array | Float64Array>;
  #rest: Float32Array | Float64Array = new Float32Array(0);

  constructor(values: Numbers) {
    this.#parts = (ArrayBuffer.isView(values) ? [values] : values)[Symbol.iterator]();
  }

  /** The next `length` numbers. @throws RangeError if there are fewer. */
  take(length: number): Float32Array {
    if (this.#rest instanceof Float32Array && this.#rest.length >= length) {
      const taken = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      return taken;
    }
    const taken = new Float32Array(length);
    for (let filled = 0; filled < length; ) {
      if (this.atEnd()) throw new RangeError("There are fewer distances than pairs of samples.");
      const part = this.#rest.subarray(0, length - filled);
      taken.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return taken;
  }

  atEnd(): boolean {
    while (this.#rest.length === 0) {
      const next = this.#parts.next();
      if (next.done) return true;
      this.#rest = next.value;
    }
    return false;
  }
}
