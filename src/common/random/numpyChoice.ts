import type { Pcg64 } from "./pcg64.ts";

/**
 * Draws `size` of all the individuals in `counts` without replacement and writes how many of each kind were
 * drawn to `drawn`. The draw is NumPy's `Generator.choice(total, size, replace=False, shuffle=False)` over
 * the individuals in the order of their kinds, so that the numbers equal biom-format's.
 * `counts`: whole numbers, `total` their sum, at least `size` and below 2^32.
 */
export class WithoutReplacement {
  #population = new Int32Array(0);
  #taken = new Uint32Array(0);

  draw(random: Pcg64, counts: Float64Array, total: number, size: number, drawn: Float64Array): void {
    drawn.fill(0);
    // NumPy's own rule for when which algorithm runs.
    if (total > 10000 && size > Math.floor(total / 20)) this.#shuffleTail(random, counts, total, size, drawn);
    else this.#floyd(random, counts, total, size, drawn);
  }

  /**
   * Fisher and Yates from the end; the last `size` places are the draw. Only the kind
   * of an individual matters.
   */
  #shuffleTail(random: Pcg64, counts: Float64Array, total: number, size: number, drawn: Float64Array): void {
    if (this.#population.length < total) this.#population = new Int32Array(total);
    const population = this.#population;
    for (let kind = 0, start = 0; kind < counts.length; start += counts[kind++]) {
      population.fill(kind, start, start + counts[kind]);
    }
    const first = Math.max(total - size, 1);
    for (let i = total - 1; i >= first; i--) {
      const other = random.bounded(i);
      const held = population[i];
      population[i] = population[other];
      population[other] = held;
    }
    for (let i = total - size; i < total; i++) drawn[population[i]]++;
  }

  /**
   * Floyd's sampling (Bentley and Floyd 1987), with a hash table of what is taken (0
   * is free, else number + 1).
   */
  #floyd(random: Pcg64, counts: Float64Array, total: number, size: number, drawn: Float64Array): void {
    const slots = 2 ** Math.ceil(Math.log2(2 * size));
    if (this.#taken.length < slots) this.#taken = new Uint32Array(slots);
    const taken = this.#taken.fill(0, 0, slots);
    const mask = slots - 1;
    const take = (number: number): boolean => {
      let slot = Math.imul(number, 0x9e3779b1) & mask;
      while (taken[slot] !== 0) {
        if (taken[slot] === number + 1) return false;
        slot = (slot + 1) & mask;
      }
      taken[slot] = number + 1;
      return true;
    };
    const ends = new Float64Array(counts.length);
    for (let kind = 0, end = 0; kind < counts.length; kind++) ends[kind] = end += counts[kind];
    for (let last = total - size; last < total; last++) {
      const number = random.bounded(last);
      if (take(number)) drawn[kindOf(number, ends)]++;
      else {
        take(last);
        drawn[kindOf(last, ends)]++;
      }
    }
  }
}

/** The first kind whose individuals end after `number`. */
function kindOf(number: number, ends: Float64Array): number {
  let low = 0;
  let high = ends.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ends[middle] > number) high = middle;
    else low = middle + 1;
  }
  return low;
}
