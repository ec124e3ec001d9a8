/** Everything a `Random` needs to continue where it stood; plain JSON. */
export interface RandomState {
  readonly algorithm: "xoshiro128**";
  /** Four unsigned 32-bit words, not all zero. */
  readonly words: readonly number[];
}

/**
 * The project's one generator for shuffles, sampling and simulated data: xoshiro128** 1.1 (Blackman and Vigna
 * 2018), period 2^128 - 1. Its state can be saved in a checkpoint and restored, after which it continues with
 * the very same numbers on every platform. Not for cryptography.
 *
 * (Numbers that must equal NumPy's come from `src/common/random/pcg64.ts` and
 * `src/common/random/mt19937.ts` instead.)
 */
export class Random {
  readonly #words = new Uint32Array(4);

  /** `seed`: a whole number from 0 to 2^53 - 1. @throws RangeError for anything else. */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new RangeError(`A seed must be a whole number from 0 to 2^53 - 1, got ${seed}.`);
    }
    this.#words.set([seed >>> 0, Math.floor(seed / 2 ** 32), 0x9e3779b9, 0x7f4a7c15]);
    this.#stir();
  }

  /**
   * A generator that continues from a saved state.
   * @throws RangeError for a state that no generator can have.
   */
  static restore(state: RandomState): Random {
    const words = state.words;
    const valid =
      state.algorithm === "xoshiro128**" &&
      Array.isArray(words) &&
      words.length === 4 &&
      words.every((word) => Number.isInteger(word) && word >= 0 && word < 2 ** 32) &&
      words.some((word) => word !== 0);
    if (!valid) throw new RangeError("Not a saved state of a xoshiro128** generator.");
    const random = new Random(0);
    random.#words.set(words);
    return random;
  }

  /** The present state, to be restored later. */
  save(): RandomState {
    return { algorithm: "xoshiro128**", words: [...this.#words] };
  }

  /**
   * An independent generator that depends on this one's present state and the labels, and leaves this one as
   * it is: `derive("shuffle", epoch)` gives every epoch its own numbers without replaying the earlier ones.
   */
  derive(...labels: readonly (string | number)[]): Random {
    const derived = Random.restore(this.save());
    const words = derived.#words;
    for (const label of labels) {
      // The type is part of the text, so that 1 and "1" differ and ("a", "b") is not ("ab").
      for (const byte of new TextEncoder().encode(`${typeof label}:${label}\0`)) {
        words[0] = mix32(words[0] ^ byte);
        words[1] = mix32(words[1] + words[0]);
      }
    }
    derived.#stir();
    return derived;
  }

  /** A whole number from 0 to 2^32 - 1. */
  uint32(): number {
    const words = this.#words;
    const second = words[1];
    const scrambled = Math.imul(rotateLeft(Math.imul(second, 5), 7), 9) >>> 0;
    words[2] ^= words[0];
    words[3] ^= second;
    words[1] = second ^ words[2];
    words[0] ^= words[3];
    words[2] ^= second << 9;
    words[3] = rotateLeft(words[3], 11);
    return scrambled;
  }

  /** A number in [0, 1), a multiple of 2^-53. */
  float(): number {
    const high = this.uint32() >>> 5;
    const low = this.uint32() >>> 6;
    return (high * 2 ** 26 + low) * 2 ** -53;
  }

  /** A whole number from 0 to `bound - 1`, every one equally likely. `bound`: from 1 to 2^32. */
  integer(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 32) {
      throw new RangeError(`A bound must be a whole number from 1 to 2^32, got ${bound}.`);
    }
    // Draws beyond the last full multiple of the bound would favour small results, so they are drawn again.
    const limit = 2 ** 32 - (2 ** 32 % bound);
    let draw = this.uint32();
    while (draw >= limit) draw = this.uint32();
    return draw % bound;
  }

  /**
   * A standard normal number (Box and Muller 1958; one of each pair is used, so that the
   * state stays four words).
   */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.float()));
    return radius * Math.cos(2 * Math.PI * this.float());
  }

  /** Puts an array in random order, in place (Fisher and Yates), and returns it. */
  shuffle<T extends { length: number; [index: number]: unknown }>(array: T): T {
    for (let last = array.length - 1; last > 0; last--) {
      const other = this.integer(last + 1);
      const held = array[last];
      array[last] = array[other];
      array[other] = held;
    }
    return array;
  }

  /** The numbers 0 to `count - 1` in random order. */
  permutation(count: number): Int32Array {
    const order = new Int32Array(count);
    for (let i = 0; i < count; i++) order[i] = i;
    return this.shuffle(order);
  }

  /** `size` different numbers out of 0 to `count - 1`, in random order. */
  sample(count: number, size: number): Int32Array {
    if (size > count) throw new RangeError(`Cannot draw ${size} different numbers out of ${count}.`);
    const order = new Int32Array(count);
    for (let i = 0; i < count; i++) order[i] = i;
    for (let i = 0; i < size; i++) {
      const other = i + this.integer(count - i);
      const held = order[i];
      order[i] = order[other];
      order[other] = held;
    }
    return order.slice(0, size);
  }

  /** Spreads every bit of the four words over all of them, so that like seeds give unlike numbers. */
  #stir(): void {
    const words = this.#words;
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 4; i++)
        words[i] = mix32(words[i] + Math.imul(words[(i + 3) & 3], 0x9e3779b9) + i + 1);
    }
    if (words.every((word) => word === 0)) words[0] = 1;
  }
}

function rotateLeft(word: number, count: number): number {
  return (word << count) | (word >>> (32 - count));
}

/** The 32-bit finalizer of MurmurHash3 (Appleby), a bijection. */
function mix32(word: number): number {
  let mixed = word | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
