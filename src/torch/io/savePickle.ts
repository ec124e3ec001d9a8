import { basename, extname } from "node:path";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { type ZipSource, zipBytes } from "../../formats/zip/write.ts";
import { Tensor } from "../core/tensor.ts";
import { storageTypes } from "./pickle.ts";
import { tensorBytes } from "./tensorBytes.ts";

/**
 * What `savePickle` writes: Maps and plain objects become dictionaries, arrays lists, whole numbers integers.
 */
export type PickleInput =
  | Tensor
  | number
  | bigint
  | boolean
  | string
  | null
  | readonly PickleInput[]
  | ReadonlyMap<string | number, PickleInput>
  | { readonly [key: string]: PickleInput };

/**
 * Writes a file that Python's `torch.load` reads (`weights_only=True` too), atomically. Tensors are written
 * with their values only, as those of a `state_dict()`; a tensor that occurs twice is one in Python too.
 * @throws TypeError for values that have no counterpart, UserError if the file cannot be written.
 */
export function savePickle(path: string, value: PickleInput): void {
  const pickler = new Pickler();
  const bytes = pickler.pickle(value);
  const prefix = basename(path, extname(path)) || "archive";
  const encoder = new TextEncoder();
  const text = (name: string, content: string) => member(`${prefix}/${name}`, encoder.encode(content));
  const sources: ZipSource[] = [
    member(`${prefix}/data.pkl`, bytes),
    text("byteorder", "little"),
    ...pickler.tensors.map((tensor, i) => ({
      name: `${prefix}/data/${i}`,
      size: tensor.nbytes,
      parts: () => tensorBytes(tensor),
    })),
    text("version", "3\n"),
  ];
  writeFileAtomic(path, zipBytes(sources));
}

function member(name: string, bytes: Uint8Array): ZipSource {
  return { name, size: bytes.length, parts: () => [bytes] };
}

const storageOfDtype = new Map(Object.entries(storageTypes).map(([name, dtype]) => [dtype, name]));
const deepest = 200;

/** Writes a pickle of protocol 2; tensors are collected and referred to by number. */
class Pickler {
  readonly tensors: Tensor[] = [];
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  #memoSize = 0;
  readonly #globals = new Map<string, number>();
  readonly #memo = new Map<Tensor, number>();
  readonly #encoder = new TextEncoder();

  pickle(value: PickleInput): Uint8Array {
    this.#put(0x80, 2);
    this.#value(value, "the value", 0);
    this.#put(0x2e);
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * (this.#length + count));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }

  #put(...bytes: number[]): void {
    this.#reserve(bytes.length);
    for (const byte of bytes) this.#bytes[this.#length++] = byte;
  }

  #put32(code: number, value: number): void {
    this.#put(code);
    this.#reserve(4);
    this.#view.setInt32(this.#length, value, true);
    this.#length += 4;
  }

  #text(value: string): void {
    const bytes = this.#encoder.encode(value);
    this.#put32(0x58, bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #integer(value: number | bigint): void {
    if (value >= 0 && value < 256) this.#put(0x4b, Number(value));
    else if (value >= -(2 ** 31) && value < 2 ** 31) this.#put32(0x4a, Number(value));
    else {
      const bytes: number[] = [];
      let rest = BigInt(value);
      for (;;) {
        const byte = Number(rest & 0xffn);
        bytes.push(byte);
        rest >>= 8n;
        if ((rest === 0n && byte < 128) || (rest === -1n && byte >= 128)) break;
      }
      if (bytes.length > 255) throw new TypeError("savePickle: an integer is too large");
      this.#put(0x8a, bytes.length, ...bytes);
    }
  }

  #double(value: number): void {
    this.#put(0x47);
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value, false);
    this.#length += 8;
  }

  #remember(): number {
    const index = this.#memoSize++;
    if (index < 256) this.#put(0x71, index);
    else this.#put32(0x72, index);
    return index;
  }

  #recall(index: number): void {
    if (index < 256) this.#put(0x68, index);
    else this.#put32(0x6a, index);
  }

  #global(name: string): void {
    const known = this.#globals.get(name);
    if (known !== undefined) {
      this.#recall(known);
      return;
    }
    const dot = name.lastIndexOf(".");
    const line = `${name.slice(0, dot)}\n${name.slice(dot + 1)}\n`;
    this.#put(0x63, ...this.#encoder.encode(line));
    this.#globals.set(name, this.#remember());
  }

  #value(value: PickleInput, place: string, depth: number): void {
    if (depth > deepest)
      throw new TypeError(`savePickle: ${place} is nested more than ${deepest} levels deep`);
    if (value === null) this.#put(0x4e);
    else if (typeof value === "boolean") this.#put(value ? 0x88 : 0x89);
    else if (typeof value === "string") this.#text(value);
    else if (typeof value === "bigint") this.#integer(value);
    else if (typeof value === "number") {
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) this.#integer(value);
      else this.#double(value);
    } else if (value instanceof Tensor) this.#tensor(value, place);
    else if (Array.isArray(value)) {
      this.#put(0x5d, 0x28);
      value.forEach((item, i) => {
        this.#value(item, `${place}[${i}]`, depth + 1);
      });
      this.#put(0x65);
    } else if (typeof value === "object") this.#dictionary(value as object, place, depth);
    else throw new TypeError(`savePickle: ${place} is ${typeof value}, which cannot be written`);
  }

  #dictionary(value: object, place: string, depth: number): void {
    const prototype = Object.getPrototypeOf(value);
    if (!(value instanceof Map) && prototype !== Object.prototype && prototype !== null)
      throw new TypeError(`savePickle: ${place} is a ${value.constructor.name}, which cannot be written`);
    const entries = value instanceof Map ? [...value] : Object.entries(value);
    this.#put(0x7d, 0x28);
    for (const [key, item] of entries) {
      if (typeof key === "number" && Number.isSafeInteger(key)) this.#integer(key);
      else if (typeof key === "string") this.#text(key);
      else throw new TypeError(`savePickle: ${place} has a key that is neither a text nor an integer`);
      this.#value(item as PickleInput, `${place}.${key}`, depth + 1);
    }
    this.#put(0x75);
  }

  /** `torch._utils._rebuild_tensor_v2(storage, 0, shape, stride, False, OrderedDict())`. */
  #tensor(tensor: Tensor, place: string): void {
    const known = this.#memo.get(tensor);
    if (known !== undefined) {
      this.#recall(known);
      return;
    }
    if (tensor.isDisposed) throw new TypeError(`savePickle: ${place} is a tensor that was disposed`);
    const { shape, numel } = tensor;
    this.#global("torch._utils._rebuild_tensor_v2");
    this.#put(0x28, 0x28);
    this.#text("storage");
    const storage = storageOfDtype.get(tensor.dtype);
    if (!storage)
      throw new TypeError(
        `save: a ${tensor.dtype} tensor has no place in a .pt file here; use saveSafetensors, or convert it`,
      );
    this.#global(storage);
    this.#text(String(this.tensors.length));
    this.#text("cpu");
    this.#integer(numel);
    this.#put(0x74, 0x51);
    this.tensors.push(tensor);
    this.#integer(0);
    this.#tuple(shape);
    this.#tuple(contiguousStride(shape));
    this.#put(0x89);
    this.#global("collections.OrderedDict");
    this.#put(0x29, 0x52, 0x74, 0x52);
    this.#memo.set(tensor, this.#remember());
  }

  #tuple(values: readonly number[]): void {
    this.#put(0x28);
    for (const value of values) this.#integer(value);
    this.#put(0x74);
  }
}

function contiguousStride(shape: readonly number[]): number[] {
  const stride = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    stride[i] = step;
    step *= Math.max(shape[i], 1);
  }
  return stride;
}
