/**
 * NumPy's legacy generator, `numpy.random.RandomState(seed)`: the Mersenne twister MT19937 (Matsumoto and
 * Nishimura 1998). scikit-learn splits data with it, and the original AAM's splits are scikit-learn's.
 */
export class Mt19937 {
  readonly #state = new Uint32Array(624);
  #position = 624;

  /** `seed`: a whole number from 0 to 2^32 - 1, as NumPy demands. @throws RangeError for anything else. */
  constructor(seed: number) {
    if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
      throw new RangeError(`A seed for a split must be a whole number from 0 to 2^32 - 1, got ${seed}.`);
    }
    const state = this.#state;
    state[0] = seed;
    for (let i = 1; i < 624; i++) {
      state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
    }
  }

  /** A whole number from 0 to 2^32 - 1. */
  uint32(): number {
    if (this.#position === 624) this.#renew();
    let word = this.#state[this.#position++];
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  /**
   * A whole number from 0 to `largest` (below 2^32): draws of as many bits as `largest` has until one fits.
   */
  bounded(largest: number): number {
    if (largest === 0) return 0;
    const mask = 0xffffffff >>> Math.clz32(largest);
    let draw = (this.uint32() & mask) >>> 0;
    while (draw > largest) draw = (this.uint32() & mask) >>> 0;
    return draw;
  }

  /** The same array in the order of NumPy's `RandomState.permutation`. */
  permuted<T>(array: readonly T[]): T[] {
    const order = array.slice();
    for (let last = order.length - 1; last > 0; last--) {
      const other = this.bounded(last);
      const held = order[last];
      order[last] = order[other];
      order[other] = held;
    }
    return order;
  }

  #renew(): void {
    const state = this.#state;
    for (let i = 0; i < 624; i++) {
      const joined = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
      const twist = (joined & 1) === 0 ? 0 : 0x9908b0df;
      state[i] = state[(i + 397) % 624] ^ (joined >>> 1) ^ twist;
    }
    this.#position = 0;
  }
}
