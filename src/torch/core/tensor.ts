import { TorchError } from "../native/errors.ts";
import { adoptMemory, check, readText, shim } from "../native/library.ts";
import { contentsOf, refusingCopies } from "./contents.ts";
import { type Device, deviceName } from "./device.ts";
import {
  arrayFor,
  type Complex,
  type DType,
  dtypeOfCode,
  isComplexDtype,
  isFloat8Dtype,
  type Scalar,
  type TypedArray,
} from "./dtype.ts";
import { type Layout, layoutOfCode } from "./layout.ts";
import { currentScope, makeToken, moveTo, type Owned, own, type Scope, type Token } from "./scope.ts";

/** @internal */
export const contents: unique symbol = Symbol("contents");

const disposedText = "The tensor was used after it had been disposed.";
const endedText =
  "The tensor was used after its scope had ended, which disposed it: return it from tidy, or keep() it. (Where several " +
  "asynchronous functions are started at once, give each its own scope with torch.tidyAsync.)";

const meta = new Float64Array(new ArrayBuffer(8 * 256));
const out = new Float64Array(new ArrayBuffer(1024));
/** How `aamt_item` marks an integer: AAMT_TAG_INT. */
const integerTag = 2;

/** Nested arrays of numbers (booleans for bool tensors), as deep as the tensor has dimensions. */
export type Nested = number | boolean | Complex | Nested[];

/** How often values were read back to JavaScript: on an accelerator each read waits for the device. */
export const hostReads = { count: 0 };

/**
 * A multi-dimensional array with autograd: a handle to LibTorch's own tensor. It is freed by its scope, by
 * `dispose`, or by the garbage collector, whichever comes first. The operators' methods (`add`, `matmul`,
 * `view` ...) and the conversions (`float`, `cpu` ...) are put on it, and declared, by methods.ts.
 */
export class Tensor implements Owned, Disposable {
  #handle: number;
  #token: Token | null = null;
  #scope: Scope | null = null;
  /**
   * What comparisons and snapshots look at: own properties, as they see no others. See contents.ts.
   * @internal
   */
  readonly [contents]: object = contentsOf(this);
  /** @internal */
  readonly ["constructor"] = standIn;

  private constructor(handle: number) {
    this.#handle = handle;
  }

  /** @internal */
  get scope(): Scope | null {
    return this.#scope;
  }

  /** @internal */
  set scope(scope: Scope | null) {
    this.#scope = scope;
  }

  /**
   * Wraps a native handle that nothing else owns. `bytes` is what the tensor newly occupies (0 for a view).
   * @internal
   */
  static fromHandle(handle: number, bytes: number): Tensor {
    const tensor = new Tensor(handle);
    own(tensor, bytes);
    return tensor;
  }

  /** Wraps the result of a typed call, which does not say how much it newly occupies. */
  static fromTyped(handle: number): Tensor {
    const tensor = new Tensor(handle);
    const scope = currentScope();
    if (scope !== null) scope.adopt(tensor);
    else tensor.attachToken();
    return tensor;
  }

  /**
   * The native handle. @throws TorchError once the tensor has been disposed.
   * @internal
   */
  get handle(): number {
    if (this.#handle === 0) throw new TorchError(this.#scope === null ? disposedText : endedText, "disposed");
    return this.#handle;
  }

  /** @internal */
  get rawHandle(): number {
    return this.#handle;
  }

  /** @internal */
  forget(): void {
    this.#handle = 0;
  }

  /** @internal */
  attachToken(bytes = shim.aamt_owned_bytes(this.#handle)): void {
    this.#token ??= makeToken(this.#handle, bytes);
  }

  get isDisposed(): boolean {
    return this.#handle === 0;
  }

  /** Frees the tensor now. Views of it and the autograd graph stay valid. Doing it twice is harmless. */
  dispose(): void {
    if (this.#handle === 0) return;
    this.#token = null;
    const handle = this.#handle;
    this.#handle = 0;
    this.#scope = null;
    check(shim.aamt_free(handle), "dispose");
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Takes the tensor out of the innermost scope: the scope around it, or the garbage collector, frees it. */
  keep(): this {
    const from = this.scope;
    if (from) moveTo(from.parent, this);
    return this;
  }

  /**
   * Takes the tensor out of all scopes: it belongs to whoever refers to it. Parameters and states do this.
   */
  detachFromScope(): this {
    if (this.scope) moveTo(null, this);
    return this;
  }

  /**
   * Gives the native tensor away, for a Worker of this process: the number goes through `postMessage` and
   * becomes a tensor there with `Tensor.receive`. This tensor is disposed.
   */
  transfer(): number {
    // A new handle: this one may have a token.
    check(shim.aamt_clone_handle(this.handle, out), "transfer");
    const handle = out[0];
    this.dispose();
    return handle;
  }

  /** Takes over a tensor that another thread of this process gave away with `transfer`. */
  static receive(handle: number): Tensor {
    check(shim.aamt_meta(handle, meta, 256), "Tensor.receive");
    return Tensor.fromHandle(handle, meta[5]);
  }

  /**
   * Gives this object other values, moved and converted: the object stays, so that whoever refers to it (an
   * optimizer, a module) sees the new ones. Gradients are dropped.
   * @internal
   */
  replaceData(target: { device: Device; dtype: DType }): void {
    const requiresGrad = this.requiresGrad;
    using detached = this.detach();
    const moved = detached.to(target) as Tensor;
    if (moved.device === this.device && moved.dtype === this.dtype) {
      moved.dispose();
      return;
    }
    const bytes = moved.nbytes;
    const fresh = moved.transfer();
    const wasScoped = this.scope;
    this.dispose();
    this.#handle = fresh;
    if (wasScoped) wasScoped.adopt(this);
    else this.attachToken(bytes);
    if (requiresGrad) this.requiresGrad_(true);
  }

  #meta(): Float64Array {
    const needed = check(shim.aamt_meta(this.handle, meta, 256), "Tensor");
    if (needed > 256) throw new TorchError("Tensors of more than 124 dimensions are not supported.", "value");
    return meta;
  }

  get shape(): number[] {
    const m = this.#meta();
    return Array.from(m.subarray(8, 8 + m[3]));
  }

  /** The shape, or with an argument one size; negative dimensions count from the end. */
  size(): number[];
  size(dim: number): number;
  size(dim?: number): number | number[] {
    const shape = this.shape;
    if (dim === undefined) return shape;
    const index = dim < 0 ? dim + shape.length : dim;
    if (!(index >= 0 && index < shape.length)) {
      throw new TorchError(
        `size: dimension ${dim} is out of range for a tensor of ${shape.length} dimensions`,
        "index",
      );
    }
    return shape[index];
  }

  /** Elements between neighbours of each dimension. */
  stride(): number[] {
    const m = this.#meta();
    return Array.from(m.subarray(8 + m[3], 8 + 2 * m[3]));
  }

  get dtype(): DType {
    return dtypeOfCode(this.#meta()[0]);
  }

  get device(): Device {
    const m = this.#meta();
    return deviceName(m[1], m[2]);
  }

  /** How the elements are stored: `strided`, or one of the sparse layouts. */
  get layout(): Layout {
    return layoutOfCode(this.#meta()[7]);
  }

  get isSparse(): boolean {
    return this.layout === "sparse_coo";
  }

  /** The number of dimensions. */
  get ndim(): number {
    return this.#meta()[3];
  }

  dim(): number {
    return this.#meta()[3];
  }

  /** The number of elements. */
  get numel(): number {
    return this.#meta()[4];
  }

  /** Bytes of its elements. */
  get nbytes(): number {
    return this.#meta()[5];
  }

  get requiresGrad(): boolean {
    return (this.#meta()[6] & 1) !== 0;
  }

  set requiresGrad(on: boolean) {
    this.requiresGrad_(on);
  }

  requiresGrad_(on = true): this {
    check(shim.aamt_set_requires_grad(this.handle, on ? 1 : 0), "requiresGrad_");
    return this;
  }

  get isLeaf(): boolean {
    return (this.#meta()[6] & 2) !== 0;
  }

  get isContiguous(): boolean {
    return (this.#meta()[6] & 4) !== 0;
  }

  get isInference(): boolean {
    return (this.#meta()[6] & 32) !== 0;
  }

  /** The name of the graph's node that made it, e.g. `AddBackward0`; null for leaves. */
  get gradFn(): string | null {
    return readText((buffer, capacity) => shim.aamt_grad_fn(this.handle, buffer, capacity)) || null;
  }

  /**
   * The gradient that `backward` has accumulated, or null. A new handle each time,
   * owned by the innermost scope.
   */
  get grad(): Tensor | null {
    check(shim.aamt_grad(this.handle, out), "grad");
    return out[0] === 0 ? null : Tensor.fromHandle(out[0], 0);
  }

  set grad(gradient: Tensor | null) {
    if (gradient === this)
      throw new TorchError(
        "A tensor can't be its own gradient: it would never be freed. Assign a copy.",
        "value",
      );
    check(shim.aamt_set_grad(this.handle, gradient ? gradient.handle : 0), "grad");
  }

  /**
   * The value of a tensor with one element. Waits for the device.
   * @throws TorchError for an integer beyond 2^53, which no number holds exactly; `data()[0]` is a bigint.
   */
  item(): number {
    hostReads.count++;
    check(shim.aamt_item(this.handle, out), "item");
    if (out[1] === integerTag && !Number.isSafeInteger(out[0]))
      throw new TorchError(
        `item: the integer is about ${out[0]}, beyond what a number holds exactly; x.data()[0] gives it as a bigint`,
        "value",
      );
    return out[0];
  }

  /** The value of a bool tensor with one element. */
  itemBool(): boolean {
    return this.item() !== 0;
  }

  /**
   * A copy of the elements in row-major order: the typed array of the dtype (int64: BigInt64Array; bool:
   * bytes 0 and 1; bfloat16: its 16 bits in a Uint16Array; float8: its bits in a Uint8Array; complex: pairs
   * of real and imaginary parts). Waits for the device.
   */
  data(): TypedArray {
    const m = this.#meta();
    if (m[7] !== 0)
      throw new TorchError("data: only a dense tensor can be read; x.toDense() makes it one.", "value");
    const bytes = m[5];
    const values = arrayFor(dtypeOfCode(m[0]), m[4]);
    this.#copyTo(values, bytes);
    return values;
  }

  /**
   * A copy of the elements as numbers, whatever the dtype (bfloat16 and int64 converted;
   * int64 beyond 2^53 rounded).
   */
  toFloat64Array(): Float64Array {
    const { dtype } = this;
    if (isComplexDtype(dtype))
      throw new TorchError(
        "toFloat64Array: the tensor is complex; torch.viewAsReal(x) has its parts.",
        "type",
      );
    if (isFloat8Dtype(dtype)) {
      using wide = this.detach().to("float32");
      return wide.toFloat64Array();
    }
    const values = this.data();
    if (values instanceof BigInt64Array || values instanceof BigUint64Array)
      return Float64Array.from(values as BigInt64Array, Number);
    if (dtype === "bfloat16") return Float64Array.from(values as Uint16Array, bfloat16ToNumber);
    return values instanceof Float64Array ? values : Float64Array.from(values as Float32Array);
  }

  /** A copy of the elements as float32, converted from whatever the dtype is. */
  toFloat32Array(): Float32Array {
    const values = this.data();
    return values instanceof Float32Array ? values : Float32Array.from(this.toFloat64Array());
  }

  /**
   * The elements without a copy: a typed array over the tensor's own memory, valid also after the tensor is
   * disposed. Writing to it changes the tensor. CPU and contiguous tensors only.
   * @throws TorchError otherwise.
   */
  dataView(): TypedArray {
    const m = this.#meta();
    const length = m[4];
    const dtype = dtypeOfCode(m[0]);
    if (length === 0) return arrayFor(dtype, 0);
    check(shim.aamt_view(this.handle, out), "dataView");
    const [address, bytes, handle] = out;
    const memory = adoptMemory(address, bytes, handle);
    const ArrayType = arrayFor(dtype, 0).constructor as new (buffer: ArrayBuffer) => TypedArray;
    return new ArrayType(memory);
  }

  #copyTo(values: TypedArray, bytes: number): void {
    hostReads.count++;
    const view = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    check(shim.aamt_to_host(this.handle, view, bytes), "data");
  }

  /** Copies the elements into an array that is there already, of the tensor's own type and length. */
  copyTo(values: TypedArray): void {
    this.#copyTo(values, values.byteLength);
  }

  /** Overwrites a contiguous CPU tensor with the elements of an array of its type and length. */
  fillFrom(values: TypedArray): this {
    const view = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    check(shim.aamt_fill_from_host(this.handle, view, values.byteLength), "fillFrom");
    return this;
  }

  /** For `JSON.stringify`: the elements, as `toArray` gives them (JSON has null for NaN and infinities). */
  toJSON(): Nested {
    return this.toArray();
  }

  /**
   * The elements as nested arrays of numbers (booleans for bool, `{ re, im }` for complex), a plain value for
   * a tensor without dimensions. Sparse tensors are read as dense ones.
   */
  toArray(): Nested {
    if (this.layout !== "strided") {
      using dense = this.detach().toDense();
      return dense.toArray();
    }
    const { shape, dtype } = this;
    const isBool = dtype === "bool";
    const isComplex = isComplexDtype(dtype);
    const values = isComplex ? (this.data() as Float64Array) : this.toFloat64Array();
    let at = 0;
    const build = (level: number): Nested => {
      if (level === shape.length) {
        const value = values[at++];
        return isComplex ? { re: value, im: values[at++] } : isBool ? value !== 0 : value;
      }
      return Array.from({ length: shape[level] }, () => build(level + 1));
    };
    return build(0);
  }

  /** Computes gradients of this tensor with respect to the graph's leaves. See `torch.backward`. */
  declare backward: (options?: BackwardOptions) => void;
  /** Converts and moves: a dtype, a device, or both; returns itself when nothing changes. */
  declare to: (target: DType | Device | ToOptions, options?: Omit<ToOptions, "dtype" | "device">) => Tensor;
  /**
   * A view of the same elements in another shape (one size may be -1), or of the same bits as another dtype.
   */
  declare view: (to: readonly number[] | DType) => Tensor;
  /** Basic and advanced indexing; see `indexing.ts`. */
  declare at: (...indices: Index[]) => Tensor;
  /** Assigns to what `at` with the same indices would give. */
  declare setAt: (indices: readonly Index[], values: Tensor | Scalar) => this;
}

const standIn: typeof Tensor = refusingCopies(Tensor);

export interface BackwardOptions {
  /** d(something)/d(this tensor); needed unless the tensor has one element. */
  readonly gradient?: Tensor;
  readonly retainGraph?: boolean;
  readonly createGraph?: boolean;
  /** Accumulate into these tensors alone. */
  readonly inputs?: readonly Tensor[];
}

export interface ToOptions {
  readonly dtype?: DType;
  readonly device?: Device;
  readonly nonBlocking?: boolean;
  readonly copy?: boolean;
}

/** A slice of one dimension, as Python's `start:stop:step`. */
export interface SliceIndex {
  readonly start?: number | null;
  readonly stop?: number | null;
  readonly step?: number;
}

/**
 * One index: a number, a slice `{start, stop, step}` (`{}` is Python's `:`), `null` for a new dimension,
 * `"..."`, a bool or int64 tensor, or an array of integers.
 */
export type Index = number | SliceIndex | null | "..." | Tensor | readonly number[] | boolean;

const bits = new Uint32Array(1);
const bitsAsFloat = new Float32Array(bits.buffer);

/** The number that bfloat16 bits stand for: they are the upper half of a float32. */
export function bfloat16ToNumber(value: number | bigint): number {
  bits[0] = Number(value) << 16;
  return bitsAsFloat[0];
}
