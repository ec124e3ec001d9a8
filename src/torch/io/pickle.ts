import { readSync } from "node:fs";
import { readUnreplaced, withOpenFile } from "../../common/files/inputFile.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { PickleDamage, PickleGlobal, Unreadable, unpickle } from "../../formats/pickle/unpickle.ts";
import { ZipDefect } from "../../formats/zip/directory.ts";
import { readZipIndex, type ZipMember } from "../../formats/zip/index.ts";
import { type DType, dtypes, itemSize } from "../core/dtype.ts";
import { scope } from "../core/scope.ts";
import { Tensor } from "../core/tensor.ts";
import { ops } from "../dispatch/operators.ts";
import { TorchError } from "../native/errors.ts";
import { mapBytes } from "./mapFile.ts";

/** What a file of `torch.save` holds, as it is read: tuples are arrays, dictionaries Maps in their order. */
export type PickleValue =
  | Tensor
  | number
  | bigint
  | boolean
  | string
  | null
  | PickleValue[]
  | Map<string | number | boolean, PickleValue>;

export interface LoadPickleOptions {
  /**
   * Leave the values in the file, mapped into memory and read when they are used: fast for large files.
   * Nobody may overwrite the file while the tensors are in use. (Without it they are copied.)
   */
  readonly mmap?: boolean;
}

export const storageTypes: Readonly<Record<string, DType>> = {
  "torch.FloatStorage": "float32",
  "torch.DoubleStorage": "float64",
  "torch.HalfStorage": "float16",
  "torch.BFloat16Storage": "bfloat16",
  "torch.LongStorage": "int64",
  "torch.IntStorage": "int32",
  "torch.ShortStorage": "int16",
  "torch.CharStorage": "int8",
  "torch.ByteStorage": "uint8",
  "torch.BoolStorage": "bool",
  "torch.ComplexFloatStorage": "complex64",
  "torch.ComplexDoubleStorage": "complex128",
};

const untypedStorage = "torch.storage.UntypedStorage";

const dtypeConstants: Readonly<Record<string, DType>> = Object.fromEntries(
  dtypes.map((dtype) => [`torch.${dtype}`, dtype]),
);

/**
 * Reads a file that Python's `torch.save` wrote (`.pt`, `.pth`): state dicts, checkpoints, any nesting of
 * tensors, numbers, texts, lists, tuples and dictionaries. No code of the file is run. Tensors come to the
 * CPU; views that shared a storage share it again. Devices and dtypes become their names.
 * @throws UserError for other contents (by name and place), the format that PyTorch wrote
 * before 1.6, and damaged files.
 */
export function loadPickle(path: string, options: LoadPickleOptions = {}): PickleValue {
  return readUnreplaced(path, () => loadOnce(path, options));
}

function loadOnce(path: string, options: LoadPickleOptions): PickleValue {
  const { members, size } = readMembers(path);
  const pickleName = [...members.keys()].find((name) => name.endsWith("/data.pkl"));
  if (pickleName === undefined) fail(path, 'it has no member "data.pkl"');
  const prefix = pickleName.slice(0, -"data.pkl".length);
  if (members.has(`${prefix}constants.pkl`))
    fail(
      path,
      "it is a TorchScript program (torch.jit.save), not data; save its state_dict() with torch.save",
    );
  checkByteOrder(path, members.get(`${prefix}byteorder`));
  const bytes = readMember(path, members.get(pickleName)!);
  const own = scope();
  try {
    const storages = new Storages(path, size, members, prefix, options.mmap ?? false);
    const { value, unknownCall } = unpickle(bytes, storages);
    const found = findUnreadable(value);
    if (found) {
      fail(
        path,
        `it holds ${found.description} at ${found.place}; only tensors, numbers, texts, lists, tuples and dictionaries are read`,
      );
    }
    // A call whose result is thrown away serves nothing but to run something.
    if (unknownCall !== null)
      fail(
        path,
        `it calls ${quote(unknownCall)}, which is never done; only tensors and plain values are read`,
      );
    for (const tensor of storages.tensors) if (tensor.scope === own) tensor.keep();
    return value as PickleValue;
  } catch (cause) {
    if (cause instanceof PickleDamage || cause instanceof TorchError) fail(path, cause.message);
    throw cause;
  } finally {
    own[Symbol.dispose]();
  }
}

function fail(path: string, what: string): never {
  throw new UserError(`${path} cannot be read: ${what}.`);
}

function readMembers(path: string): { members: Map<string, ZipMember>; size: number } {
  return withOpenFile(path, (descriptor, size) => {
    const start = new Uint8Array(16);
    readSync(descriptor, start, 0, 16, 0);
    checkMagic(path, start, size);
    try {
      return { members: readZipIndex(descriptor, size), size };
    } catch (cause) {
      if (cause instanceof ZipDefect) fail(path, `${cause.message}. Save it again with torch.save`);
      throw cause;
    }
  });
}

function checkMagic(path: string, start: Uint8Array, size: number): void {
  if (size === 0) fail(path, "it is empty");
  if (start[0] === 0x50 && start[1] === 0x4b) return;
  const again = "load it in Python with torch.load and save it again with torch.save";
  if (start[0] === 0x80) fail(path, `it is a plain pickle or in the format of PyTorch before 1.6; ${again}`);
  if (start[8] === 0x7b) fail(path, "it looks like a safetensors file; read it with loadSafetensors");
  if (start[0] === 0x89 && start[1] === 0x48) fail(path, "it is an HDF5 file");
  fail(path, `it is not what torch.save writes (a zip archive); ${again}`);
}

function readMember(path: string, member: ZipMember): Uint8Array {
  if (member.packed) fail(path, "it is a compressed archive; save its content with torch.save");
  return withOpenFile(path, (descriptor) => {
    const bytes = new Uint8Array(member.size);
    let done = 0;
    while (done < member.size) {
      const count = readSync(descriptor, bytes, done, member.size - done, member.start + done);
      if (count === 0) fail(path, "it is cut short");
      done += count;
    }
    return bytes;
  });
}

function checkByteOrder(path: string, member: ZipMember | undefined): void {
  if (!member) return;
  const order = new TextDecoder().decode(readMember(path, member));
  if (order !== "little") fail(path, `its byte order is ${quote(order)}; only "little" is read`);
}

/** Real files have a handful of levels; whoever walks through values calls itself for each. */
const deepestNesting = 200;

/** A key as a part of a place: as it is where it is a name, else quoted, since files may hold any text. */
function placeOf(key: unknown): string {
  return typeof key === "string" && !/^[\w./ -]{1,80}$/.test(key) ? quote(key) : String(key);
}

/** The first thing in a value that has no counterpart here, with its place. */
function findUnreadable(top: unknown): { description: string; place: string } | null {
  const seen = new Set<unknown>();
  const queue: { value: unknown; place: string; depth: number }[] = [{ value: top, place: "", depth: 0 }];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const { value } = next;
    const place = next.place || "the top";
    if (value instanceof Unreadable) return { description: value.description, place };
    if (value instanceof StorageReference) return { description: "a storage without a tensor", place };
    if (typeof value !== "object" || value === null || value instanceof Tensor || seen.has(value)) continue;
    seen.add(value);
    if (next.depth > deepestNesting)
      throw new PickleDamage(`its contents are nested more than ${deepestNesting} deep`);
    const depth = next.depth + 1;
    if (Array.isArray(value)) {
      value.forEach((item, i) => {
        queue.push({ value: item, place: `${next.place}[${i}]`, depth });
      });
    } else {
      for (const [key, item] of value as Map<unknown, unknown>) {
        if (!["string", "number", "boolean"].includes(typeof key))
          return { description: "a dictionary with keys that are neither texts nor integers", place };
        queue.push({
          value: item,
          place: next.place ? `${next.place}.${placeOf(key)}` : placeOf(key),
          depth,
        });
      }
    }
  }
  return null;
}

/** A storage as the pickle names it: its member of the archive, element type (null: raw bytes) and length. */
class StorageReference {
  constructor(
    readonly key: string,
    readonly dtype: DType | null,
    readonly count: number,
  ) {}
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isSizes = (value: unknown): value is number[] => Array.isArray(value) && value.every(isSize);

/** Makes the tensors of a file: one storage per member, and views of it. */
class Storages {
  readonly tensors: Tensor[] = [];
  readonly #path: string;
  readonly #size: number;
  readonly #members: ReadonlyMap<string, ZipMember>;
  readonly #prefix: string;
  readonly #mmap: boolean;
  readonly #bytes = new Map<string, Tensor>();
  readonly #starts = new Map<string, number>();
  #mapped: Tensor | null = null;

  constructor(
    path: string,
    size: number,
    members: ReadonlyMap<string, ZipMember>,
    prefix: string,
    mmap: boolean,
  ) {
    this.#path = path;
    this.#size = size;
    this.#members = members;
    this.#prefix = prefix;
    this.#mmap = mmap;
  }

  constant(name: string): unknown {
    return dtypeConstants[name];
  }

  persistent(id: unknown): unknown {
    const [kind, type, key, , count] = Array.isArray(id) ? id : [];
    if (kind !== "storage" || typeof key !== "string" || !isSize(count))
      throw new PickleDamage("its pickle refers to an unknown kind of object");
    if (!(type instanceof PickleGlobal)) throw new PickleDamage("its pickle names no type for a storage");
    if (type.name === untypedStorage) return new StorageReference(key, null, count);
    const dtype = storageTypes[type.name];
    return dtype ? new StorageReference(key, dtype, count) : new Unreadable(`a tensor in a ${type.name}`);
  }

  call(name: string, args: readonly unknown[]): unknown {
    switch (name) {
      case "collections.OrderedDict":
        return args.length === 0 ? new Map() : undefined;
      case "torch.Size":
        return isSizes(args[0]) ? [...args[0]] : undefined;
      case "torch.device":
        return args.every((arg) => typeof arg === "string" || isSize(arg)) ? args.join(":") : undefined;
      case "torch._utils._rebuild_tensor":
      case "torch._utils._rebuild_tensor_v2":
        return this.#withLazyBits(
          this.#tensor(args[0], null, args[1], args[2], args[3], args[4] === true),
          args[6],
        );
      case "torch._utils._rebuild_tensor_v3":
        if (args[6] instanceof Unreadable)
          return new Unreadable(`a tensor of ${(args[6] as PickleGlobal).name}`);
        return this.#withLazyBits(
          this.#tensor(args[0], args[6] as DType, args[1], args[2], args[3], args[4] === true),
          args[7],
        );
      case "torch._utils._rebuild_parameter":
      case "torch._utils._rebuild_parameter_with_state":
        return args[0] instanceof Tensor ? args[0].requiresGrad_(args[1] === true) : args[0];
      case "torch._tensor._rebuild_from_type_v2":
        // A tensor with attributes of its own: [function, class, arguments, attributes].
        return args[0] instanceof PickleGlobal && Array.isArray(args[2])
          ? this.call(args[0].name, args[2])
          : undefined;
      default:
        return undefined;
    }
  }

  #tensor(
    storage: unknown,
    type: DType | null,
    offset: unknown,
    shape: unknown,
    stride: unknown,
    requiresGrad: boolean,
  ): unknown {
    if (storage instanceof Unreadable) return storage;
    const wellFormed =
      storage instanceof StorageReference &&
      isSize(offset) &&
      isSizes(shape) &&
      isSizes(stride) &&
      shape.length === stride.length;
    if (!wellFormed) throw new PickleDamage("its pickle describes a tensor in an unknown way");
    const dtype = type ?? storage.dtype;
    if (!dtype) throw new PickleDamage("its pickle names no type for a tensor");
    const bytes = this.#storageBytes(storage);
    const count = bytes.numel / itemSize(dtype);
    const last = shape.reduce((sum, size, i) => sum + (size - 1) * stride[i], offset);
    if (!shape.includes(0) && last >= count)
      throw new PickleDamage(
        `a tensor of shape [${shape.join(", ")}] goes beyond its storage of ${count} values`,
      );
    const values = bytes.view(dtype);
    // asStrided counts from the start of the memory, which in a mapped file is the file's.
    const start = this.#starts.get(storage.key)! / itemSize(dtype) + offset;
    const tensor = values.asStrided(shape, stride, shape.includes(0) ? 0 : start);
    if (requiresGrad) tensor.requiresGrad_();
    this.tensors.push(tensor);
    return tensor;
  }

  /**
   * PyTorch negates and conjugates lazily: the file has the values as they lie in memory, and says beside
   * them what is still to be done.
   */
  #withLazyBits(tensor: unknown, metadata: unknown): unknown {
    if (!(tensor instanceof Tensor) || !(metadata instanceof Map) || metadata.size === 0) return tensor;
    let plain = tensor.detach();
    for (const [name, on] of metadata) {
      if (on !== true) continue;
      if (name === "neg") plain = plain.neg();
      else if (name === "conj") plain = ops.aten.conj_physical(plain) as Tensor;
      else return new Unreadable(`a tensor with the property ${quote(String(name))}`);
    }
    if (tensor.requiresGrad) plain.requiresGrad_();
    this.tensors.push(plain);
    return plain;
  }

  /** The bytes of a storage, read once; whole elements only. */
  #storageBytes(storage: StorageReference): Tensor {
    const known = this.#bytes.get(storage.key);
    if (known) return known;
    const member = this.#members.get(`${this.#prefix}data/${storage.key}`);
    const wanted = storage.count * (storage.dtype ? itemSize(storage.dtype) : 1);
    if (!member || member.packed || member.size < wanted)
      throw new PickleDamage(`its member ${quote(`data/${storage.key}`)} is missing or cut short`);
    this.#mapped ??= mapBytes(this.#path, this.#size);
    const part = this.#mapped.narrow(0, member.start, wanted);
    // A member that is not aligned to its elements must be copied in any case.
    const inPlace = this.#mmap && member.start % 8 === 0;
    const bytes = inPlace ? part : part.clone();
    this.#starts.set(storage.key, inPlace ? member.start : 0);
    this.#bytes.set(storage.key, bytes);
    return bytes;
  }
}
