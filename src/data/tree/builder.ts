import type { Tree } from "./tree.ts";

/** Collects nodes in preorder in arrays that grow. */
export class TreeBuilder {
  count = 0;
  #parent: Int32Array;
  #length: Float64Array;
  readonly #names: string[] = [];

  constructor(capacity: number) {
    this.#parent = new Int32Array(capacity);
    this.#length = new Float64Array(capacity);
  }

  add(parent: number): number {
    if (this.count === this.#parent.length) this.#grow();
    const node = this.count++;
    this.#parent[node] = parent;
    this.#length[node] = Number.NaN;
    this.#names.push("");
    return node;
  }

  parentOf(node: number): number {
    return this.#parent[node];
  }

  setLength(node: number, value: number): void {
    this.#length[node] = value;
  }

  setName(node: number, name: string): void {
    this.#names[node] = name;
  }

  finish(): Tree & { readonly lengthMissing: Uint8Array } {
    const length = this.#length.slice(0, this.count);
    const lengthMissing = new Uint8Array(this.count);
    for (let node = 0; node < this.count; node++) {
      if (Number.isNaN(length[node])) {
        length[node] = 0;
        lengthMissing[node] = 1;
      }
    }
    return { parent: this.#parent.slice(0, this.count), length, names: this.#names, lengthMissing };
  }

  #grow(): void {
    const parent = new Int32Array(2 * this.#parent.length);
    parent.set(this.#parent);
    this.#parent = parent;
    const length = new Float64Array(parent.length);
    length.set(this.#length);
    this.#length = length;
  }
}
