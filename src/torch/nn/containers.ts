import type { Tensor } from "../tensor.ts";
import { Module } from "./module.ts";

/** Layers one after the other. */
export class Sequential extends Module {
  readonly #layers: (Module & { forward(input: Tensor): Tensor })[];

  constructor(...layers: (Module & { forward(input: Tensor): Tensor })[]) {
    super();
    this.#layers = layers;
  }

  override *namedChildren(): Generator<[string, Module]> {
    for (let i = 0; i < this.#layers.length; i++) yield [String(i), this.#layers[i]];
  }

  forward(input: Tensor): Tensor {
    return this.#layers.reduce((value, layer) => layer.forward(value), input);
  }

  get length(): number {
    return this.#layers.length;
  }

  at(index: number): Module {
    const layer = this.#layers.at(index);
    if (!layer) throw new RangeError(`Sequential: no layer ${index} among ${this.#layers.length}`);
    return layer;
  }
}

/** A list of modules, named by their positions; how they are called is the owner's business. */
export class ModuleList<M extends Module = Module> extends Module implements Iterable<M> {
  readonly #items: M[];

  constructor(items: Iterable<M> = []) {
    super();
    this.#items = [...items];
  }

  override *namedChildren(): Generator<[string, Module]> {
    for (let i = 0; i < this.#items.length; i++) yield [String(i), this.#items[i]];
  }

  [Symbol.iterator](): Iterator<M> {
    return this.#items[Symbol.iterator]();
  }

  get length(): number {
    return this.#items.length;
  }

  at(index: number): M {
    const item = this.#items.at(index);
    if (!item) throw new RangeError(`ModuleList: no module ${index} among ${this.#items.length}`);
    return item;
  }

  append(item: M): this {
    this.#items.push(item);
    return this;
  }

  forward(): never {
    throw new TypeError("A ModuleList cannot be called; call its modules.");
  }
}

/** Modules by name; how they are called is the owner's business. */
export class ModuleDict<M extends Module = Module> extends Module {
  readonly #items: Map<string, M>;

  constructor(items: Readonly<Record<string, M>> = {}) {
    super();
    this.#items = new Map(Object.entries(items));
  }

  override *namedChildren(): Generator<[string, Module]> {
    yield* this.#items;
  }

  get(name: string): M {
    const item = this.#items.get(name);
    if (!item)
      throw new RangeError(
        `ModuleDict: no module "${name}"; there are ${[...this.#items.keys()].join(", ")}`,
      );
    return item;
  }

  has(name: string): boolean {
    return this.#items.has(name);
  }

  keys(): string[] {
    return [...this.#items.keys()];
  }

  forward(): never {
    throw new TypeError("A ModuleDict cannot be called; call its modules.");
  }
}
