import type { BranchWalker } from "./branchWalker.ts";

/** Numbers samples so that those with the same amounts on the same branches bear one number. */
export class Fingerprints {
  readonly #numbers = new Map<bigint, number>();

  /** The number of the sample that the walker has visited. */
  numberOf({ branches, size }: BranchWalker, amounts: Float64Array): number {
    const places = Bun.hash.wyhash(new Uint8Array(branches.buffer, 0, 4 * size));
    const key = Bun.hash.wyhash(new Uint8Array(amounts.buffer, 0, 8 * size), places);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#numbers.set(key, this.#numbers.size);
    return this.#numbers.size - 1;
  }
}
