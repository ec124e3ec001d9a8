/**
 * NumPy's default generator, `numpy.random.default_rng(seed)`: PCG64 (O'Neill 2014; a 128-bit linear
 * congruential generator with XSL-RR output) seeded through `SeedSequence`. It gives the same numbers as
 * NumPy 1.17 and later, which is what rarefaction needs to equal biom-format's.
 *
 * The 128-bit state is held as eight 16-bit limbs in doubles, lowest first, in which sums of their products
 * stay exact; drawing makes no garbage.
 */
export class Pcg64 {
  readonly #state = new Float64Array(8);
  readonly #increment = new Float64Array(8);
  /** The two halves of the latest 64-bit draw. */
  #high = 0;
  #low = 0;
  /** The upper half of a 64-bit draw whose lower half `uint32` gave away; -1 if there is none. */
  #kept = -1;

  /** `seed`: a whole number from 0 to 2^53 - 1. @throws RangeError for anything else. */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new RangeError(`A seed must be a whole number from 0 to 2^53 - 1, got ${seed}.`);
    }
    // Four 64-bit words, each as its low and its high half: the upper word of a 128-bit number comes first.
    const words = seedSequence(seed, 8);
    const initialState = limbs(words[2], words[3], words[0], words[1]);
    const sequence = limbs(words[6], words[7], words[4], words[5]);
    for (let i = 7; i >= 0; i--) {
      const carry = i > 0 ? sequence[i - 1] >>> 15 : 1;
      this.#increment[i] = ((sequence[i] << 1) & 0xffff) | carry;
    }
    this.#step();
    for (let i = 0, carry = 0; i < 8; i++) {
      const sum = this.#state[i] + initialState[i] + carry;
      this.#state[i] = sum & 0xffff;
      carry = sum >>> 16;
    }
    this.#step();
  }

  /** A whole number from 0 to 2^32 - 1: the lower, then the upper half of a 64-bit draw. */
  uint32(): number {
    if (this.#kept >= 0) {
      const kept = this.#kept;
      this.#kept = -1;
      return kept;
    }
    this.#next();
    this.#kept = this.#high;
    return this.#low;
  }

  /** A whole 64-bit draw. It leaves a half that `uint32` keeps where it is. */
  uint64(): bigint {
    this.#next();
    return (BigInt(this.#high) << 32n) | BigInt(this.#low);
  }

  /** A number in [0, 1), a multiple of 2^-53. */
  double(): number {
    this.#next();
    return (this.#high * 2 ** 21 + (this.#low >>> 11)) * 2 ** -53;
  }

  /**
   * A whole number from 0 to `largest`, every one equally likely (Lemire 2019, 32-bit draws). `largest`: from
   * 0 to 2^32 - 2; 0 draws nothing.
   */
  bounded(largest: number): number {
    if (largest === 0) return 0;
    const count = largest + 1;
    let draw = this.uint32();
    let low = Math.imul(draw, count) >>> 0;
    if (low < count) {
      const threshold = (0xffffffff - largest) % count;
      while (low < threshold) {
        draw = this.uint32();
        low = Math.imul(draw, count) >>> 0;
      }
    }
    return highProduct(draw, count);
  }

  /** Advances the state and computes the output: the xor of its halves, rotated by its six top bits. */
  #next(): void {
    this.#step();
    const s = this.#state;
    const high = ((s[7] ^ s[3]) << 16) | (s[6] ^ s[2]);
    const low = ((s[5] ^ s[1]) << 16) | (s[4] ^ s[0]);
    const rotation = s[7] >>> 10;
    const top = rotation < 32 ? high : low;
    const bottom = rotation < 32 ? low : high;
    const shift = rotation & 31;
    if (shift === 0) {
      this.#high = top >>> 0;
      this.#low = bottom >>> 0;
    } else {
      this.#high = ((top >>> shift) | (bottom << (32 - shift))) >>> 0;
      this.#low = ((bottom >>> shift) | (top << (32 - shift))) >>> 0;
    }
  }

  /** state = state * 0x2360ed051fc65da44385df649fccf645 + increment, modulo 2^128, column by column. */
  #step(): void {
    const s = this.#state;
    const c = this.#increment;
    const s0 = s[0];
    const s1 = s[1];
    const s2 = s[2];
    const s3 = s[3];
    const s4 = s[4];
    const s5 = s[5];
    const s6 = s[6];
    const s7 = s[7];
    let sum = c[0] + s0 * 0xf645;
    s[0] = sum & 0xffff;
    sum = c[1] + Math.floor(sum / 65536) + s0 * 0x9fcc + s1 * 0xf645;
    s[1] = sum & 0xffff;
    sum = c[2] + Math.floor(sum / 65536) + s0 * 0xdf64 + s1 * 0x9fcc + s2 * 0xf645;
    s[2] = sum & 0xffff;
    sum = c[3] + Math.floor(sum / 65536) + s0 * 0x4385 + s1 * 0xdf64 + s2 * 0x9fcc + s3 * 0xf645;
    s[3] = sum & 0xffff;
    sum =
      c[4] + Math.floor(sum / 65536) + s0 * 0x5da4 + s1 * 0x4385 + s2 * 0xdf64 + s3 * 0x9fcc + s4 * 0xf645;
    s[4] = sum & 0xffff;
    sum = c[5] + Math.floor(sum / 65536) + s0 * 0x1fc6 + s1 * 0x5da4 + s2 * 0x4385 + s3 * 0xdf64;
    sum += s4 * 0x9fcc + s5 * 0xf645;
    s[5] = sum & 0xffff;
    sum = c[6] + Math.floor(sum / 65536) + s0 * 0xed05 + s1 * 0x1fc6 + s2 * 0x5da4 + s3 * 0x4385;
    sum += s4 * 0xdf64 + s5 * 0x9fcc + s6 * 0xf645;
    s[6] = sum & 0xffff;
    sum = c[7] + Math.floor(sum / 65536) + s0 * 0x2360 + s1 * 0xed05 + s2 * 0x1fc6 + s3 * 0x5da4;
    sum += s4 * 0x4385 + s5 * 0xdf64 + s6 * 0x9fcc + s7 * 0xf645;
    s[7] = sum & 0xffff;
  }
}

/** The upper 32 bits of the product of two 32-bit numbers. */
function highProduct(a: number, b: number): number {
  if (b <= 0x200000) return Math.floor((a * b) / 2 ** 32);
  const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = aHigh * bLow + Math.floor((aLow * bLow) / 65536);
  const other = aLow * bHigh + (middle & 0xffff);
  return aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(other / 65536);
}

function limbs(...words: readonly number[]): number[] {
  return words.flatMap((word) => [word & 0xffff, word >>> 16]);
}

/**
 * NumPy's `SeedSequence(seed).generate_state(count)`: spreads a seed over `count` 32-bit words (after
 * O'Neill's seed_seq_fe 2015).
 */
export function seedSequence(seed: number, count: number): Uint32Array {
  const entropy = seed < 2 ** 32 ? [seed] : [seed >>> 0, Math.floor(seed / 2 ** 32)];
  const pool = new Uint32Array(4);
  let constant = 0x43b0d7e5;
  const hash = (value: number): number => {
    const mixed = value ^ constant;
    constant = Math.imul(constant, 0x931e8875);
    const product = Math.imul(mixed, constant);
    return product ^ (product >>> 16);
  };
  for (let i = 0; i < 4; i++) pool[i] = hash(entropy[i] ?? 0);
  for (let from = 0; from < 4; from++) {
    for (let to = 0; to < 4; to++) {
      if (from === to) continue;
      const mixed = Math.imul(0xca01f9dd, pool[to]) - Math.imul(0x4973f715, hash(pool[from]));
      pool[to] = mixed ^ (mixed >>> 16);
    }
  }
  const words = new Uint32Array(count);
  constant = 0x8b51f9dd;
  for (let i = 0; i < count; i++) {
    const mixed = pool[i & 3] ^ constant;
    constant = Math.imul(constant, 0x58f38ded);
    const product = Math.imul(mixed, constant);
    words[i] = product ^ (product >>> 16);
  }
  return words;
}
