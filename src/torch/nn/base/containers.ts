import type { Tensor } from "../../core/tensor.ts";
import { isParameter, Module, parameter } from "./module.ts";

/** A module that makes one tensor of one. */
export type Layer = Module & { forward(input: Tensor): Tensor };

/** Names are joined by dots in the state dict. @throws TypeError for one that is empty or has dots itself. */
function checkName(container: string, name: string): void {
  if (name === "" || name.includes("."))
    throw new TypeError(`${container}: a name must not be empty or have dots, got "${name}"`);
}

/** Layers one after the other, named by their positions, or by the names of an object. */
export class Sequential extends Module implements Iterable<Layer> {
  readonly #layers: Map<string, Layer>;

  constructor(named: Readonly<Record<string, Layer>>);
  constructor(...layers: Layer[]);
  constructor(first?: Layer | Readonly<Record<string, Layer>>, ...others: Layer[]) {
    super();
    const named =
      first === undefined || first instanceof Module
        ? (first ? [first, ...others] : []).map((layer, i): [string, Layer] => [String(i), layer as Layer])
        : Object.entries(first);
    for (const [name] of named) checkName("Sequential", name);
    this.#layers = new Map(named);
  }

  protected override hollowCopy(copied: Map<object, object>): this {
    const layers = [...this.#layers].map(([name, layer]) => [name, layer.clone(copied)]);
    return Reflect.construct(Sequential, [Object.fromEntries(layers)], this.constructor) as this;
  }

  override *namedChildren(): Generator<[string, Module]> {
    yield* this.#layers;
  }

  [Symbol.iterator](): Iterator<Layer> {
    return this.#layers.values();
  }

  forward(input: Tensor): Tensor {
    let value = input;
    for (const layer of this.#layers.values()) value = layer.forward(value);
    return value;
  }

  get length(): number {
    return this.#layers.size;
  }

  at(index: number): Layer {
    const layer = [...this.#layers.values()].at(index);
    if (!layer) throw new RangeError(`Sequential: no layer ${index} among ${this.length}`);
    return layer;
  }

  append(layer: Layer): this {
    this.#layers.set(String(this.length), layer);
    return this;
  }
}

/** A list of modules, named by their positions; how they are called is the owner's business. */
export class ModuleList<M extends Module = Module> extends Module implements Iterable<M> {
  readonly #items: M[];

  constructor(items: Iterable<M> = []) {
    super();
    this.#items = [...items];
  }

  protected override hollowCopy(copied: Map<object, object>): this {
    const items = this.#items.map((item) => item.clone(copied));
    return Reflect.construct(ModuleList, [items], this.constructor) as this;
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

  extend(items: Iterable<M>): this {
    this.#items.push(...items);
    return this;
  }

  insert(index: number, item: M): this {
    this.#items.splice(index, 0, item);
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
    this.#items = new Map();
    for (const [name, item] of Object.entries(items)) this.set(name, item);
  }

  protected override hollowCopy(copied: Map<object, object>): this {
    const items = [...this.#items].map(([name, item]) => [name, item.clone(copied)]);
    return Reflect.construct(ModuleDict, [Object.fromEntries(items)], this.constructor) as this;
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

  /** Adds a module, or replaces the one of that name. */
  set(name: string, item: M): this {
    checkName("ModuleDict", name);
    this.#items.set(name, item);
    return this;
  }

  /** Takes a module out; whether there was one. */
  delete(name: string): boolean {
    return this.#items.delete(name);
  }

  keys(): string[] {
    return [...this.#items.keys()];
  }

  values(): M[] {
    return [...this.#items.values()];
  }

  entries(): [string, M][] {
    return [...this.#items];
  }

  get length(): number {
    return this.#items.size;
  }

  forward(): never {
    throw new TypeError("A ModuleDict cannot be called; call its modules.");
  }
}

/** A list of parameters, named by their positions; plain tensors become parameters. */
export class ParameterList extends Module implements Iterable<Tensor> {
  constructor(items: Iterable<Tensor> = []) {
    super();
    this.extend(items);
  }

  get length(): number {
    return this.parameters().length;
  }

  /** The one at a position; negative ones count from the end. @throws RangeError where there is none. */
  at(index: number): Tensor {
    const item = this.parameters().at(index);
    if (!item) throw new RangeError(`ParameterList: no parameter ${index} among ${this.length}`);
    return item;
  }

  append(item: Tensor): this {
    (this as unknown as Record<number, Tensor>)[this.length] = isParameter(item) ? item : parameter(item);
    return this;
  }

  extend(items: Iterable<Tensor>): this {
    for (const item of items) this.append(item);
    return this;
  }

  [Symbol.iterator](): Iterator<Tensor> {
    return this.parameters()[Symbol.iterator]();
  }

  forward(): never {
    throw new TypeError("A ParameterList cannot be called; use its parameters.");
  }
}

/** Parameters by name, which are properties too; plain tensors become parameters. */
export class ParameterDict extends Module {
  constructor(items: Readonly<Record<string, Tensor>> = {}) {
    super();
    for (const [name, item] of Object.entries(items)) this.set(name, item);
  }

  /** @throws RangeError where there is none of that name. */
  get(name: string): Tensor {
    const item = parametersOf(this).get(name);
    if (!item)
      throw new RangeError(`ParameterDict: no parameter "${name}"; there are ${this.keys().join(", ")}`);
    return item;
  }

  has(name: string): boolean {
    return parametersOf(this).has(name);
  }

  /**
   * Adds a parameter, or replaces the one of that name.
   * @throws TypeError for names with dots and those that modules have themselves.
   */
  set(name: string, item: Tensor): this {
    checkName("ParameterDict", name);
    if (name in this && !this.has(name))
      throw new TypeError(`ParameterDict: "${name}" is the name of something else`);
    (this as unknown as Record<string, Tensor>)[name] = isParameter(item) ? item : parameter(item);
    return this;
  }

  keys(): string[] {
    return [...parametersOf(this).keys()];
  }

  values(): Tensor[] {
    return [...parametersOf(this).values()];
  }

  entries(): [string, Tensor][] {
    return [...parametersOf(this)];
  }

  get length(): number {
    return parametersOf(this).size;
  }

  forward(): never {
    throw new TypeError("A ParameterDict cannot be called; use its parameters.");
  }
}

const parametersOf = (module: Module): Map<string, Tensor> =>
  new Map(Object.entries(module).filter((entry): entry is [string, Tensor] => isParameter(entry[1])));
