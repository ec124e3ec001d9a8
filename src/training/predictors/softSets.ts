/**
 * What ASVs have in common (branches above them, words in them) in a sample that has each ASV to a degree p
 * from 0 to 1. A thing is there as far as not all ASVs that have it are absent: z = 1 - prod (1 - p), the
 * multilinear extension of "any of them" (Owen 1972), which is 0 or 1 where all p are.
 */
export class SoftSets {
  readonly #starts: Int32Array;
  readonly #things: Int32Array;

  /** @param thingsOf what each ASV has, by number; none twice. */
  constructor(
    thingsOf: readonly ArrayLike<number>[],
    readonly size: number,
  ) {
    this.#starts = new Int32Array(thingsOf.length + 1);
    thingsOf.forEach((own, asv) => {
      this.#starts[asv + 1] = this.#starts[asv] + own.length;
    });
    this.#things = new Int32Array(this.#starts[thingsOf.length]);
    thingsOf.forEach((own, asv) => {
      this.#things.set(own, this.#starts[asv]);
    });
  }

  /** Degrees of ASVs [A] -> those of things [size], into `z`. */
  fill(presence: Float64Array, z: Float64Array): void {
    z.fill(0);
    presence.forEach((p, asv) => {
      if (p === 0) return;
      const absent = Math.log1p(-p);
      for (let i = this.#starts[asv]; i < this.#starts[asv + 1]; i++) z[this.#things[i]] += absent;
    });
    for (let i = 0; i < z.length; i++) z[i] = -Math.expm1(z[i]);
  }

  /**
   * The slope by one ASV's degree p < 1 of what has these slopes by things [size] at their degrees `z`.
   */
  slope(asv: number, p: number, z: Float64Array, slopes: Float64Array): number {
    let sum = 0;
    for (let i = this.#starts[asv]; i < this.#starts[asv + 1]; i++) {
      const thing = this.#things[i];
      sum += (1 - z[thing]) * slopes[thing];
    }
    return sum / (1 - p);
  }
}
