import { readSync } from "node:fs";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { readUnreplaced, withOpenFile } from "../../common/files/inputFile.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { type DType, itemSize } from "../core/dtype.ts";
import type { Tensor } from "../core/tensor.ts";
import { tidy } from "../core/tidy.ts";
import { operator } from "../dispatch/operators.ts";
import { mapBytes } from "./mapFile.ts";
import { tensorBytes } from "./tensorBytes.ts";

/** The format's names of dtypes. */
const toName: Partial<Record<DType, string>> = {
  bool: "BOOL",
  uint8: "U8",
  int8: "I8",
  int16: "I16",
  int32: "I32",
  int64: "I64",
  float16: "F16",
  bfloat16: "BF16",
  float32: "F32",
  float64: "F64",
  complex64: "C64",
  float8_e5m2: "F8_E5M2",
  float8_e4m3fn: "F8_E4M3",
  uint16: "U16",
  uint32: "U32",
  uint64: "U64",
};
const fromName = new Map(Object.entries(toName).map(([dtype, name]) => [name, dtype as DType]));

/** A header beyond this is refused, as the format's own reader does. */
const largestHeader = 100 * 2 ** 20;

interface Entry {
  readonly dtype: string;
  readonly shape: number[];
  readonly data_offsets: [number, number];
}

function fail(path: string, what: string): never {
  throw new UserError(
    `${path} is not a usable safetensors file: ${what}. Write it again, or choose another file.`,
  );
}

function readHeader(path: string): { header: Record<string, unknown>; dataStart: number; size: number } {
  return withOpenFile(path, (descriptor, size) => {
    const prefix = Buffer.alloc(8);
    if (size < 8 || readSync(descriptor, prefix, 0, 8, 0) < 8)
      fail(path, `it has ${size} bytes, too few for a header`);
    const length = Number(prefix.readBigUInt64LE());
    if (length > largestHeader || length + 8 > size) {
      fail(path, `its header claims ${length} bytes, the file has ${size}`);
    }
    const text = Buffer.alloc(length);
    readSync(descriptor, text, 0, length, 8);
    let header: unknown;
    try {
      header = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text));
    } catch {
      fail(path, "its header is not JSON");
    }
    // A byte-order mark or spaces in front make it a file that the format's own reader refuses.
    if (typeof header !== "object" || header === null || Array.isArray(header) || text[0] !== 0x7b)
      fail(path, "its header is not a JSON object");
    return { header: header as Record<string, unknown>, dataStart: 8 + length, size };
  });
}

function checkEntry(
  path: string,
  name: string,
  raw: unknown,
  dataBytes: number,
): { dtype: DType; shape: number[]; start: number; end: number } {
  const entry = raw as Partial<Entry> | null;
  const dtype = fromName.get(entry?.dtype ?? "");
  if (!dtype) fail(path, `tensor ${quote(name)} has the unknown dtype ${quote(entry?.dtype)}`);
  const shape = entry?.shape;
  if (!Array.isArray(shape) || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    fail(path, `tensor ${quote(name)} has no valid shape`);
  }
  const [start, end] = Array.isArray(entry?.data_offsets) ? entry.data_offsets : [Number.NaN, Number.NaN];
  if (
    !(
      Number.isSafeInteger(start) &&
      Number.isSafeInteger(end) &&
      start >= 0 &&
      start <= end &&
      end <= dataBytes
    )
  ) {
    fail(path, `tensor ${quote(name)} lies outside the file (is it cut short?)`);
  }
  const bytes = shape.reduce((product, size) => product * size, 1) * itemSize(dtype);
  if (bytes !== end - start)
    fail(path, `tensor ${quote(name)} should have ${bytes} bytes, the header gives ${end - start}`);
  return { dtype, shape, start, end };
}

/** The metadata: texts by name, nothing else, as the format wants it. */
function readTexts(path: string, metadata: unknown): Record<string, string> {
  if (metadata === undefined) return {};
  const isObject = typeof metadata === "object" && metadata !== null && !Array.isArray(metadata);
  if (!isObject || !Object.values(metadata).every((value) => typeof value === "string"))
    fail(path, "its metadata are not texts by name");
  return metadata as Record<string, string>;
}

/** The tensors must fill the data without gaps and overlaps: anything else is a damaged or forged header. */
function checkCover(
  path: string,
  entries: readonly { name: string; start: number; end: number }[],
  dataBytes: number,
): void {
  let at = 0;
  for (const { name, start, end } of [...entries].sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (start !== at)
      fail(path, `tensor ${quote(name)} begins at byte ${start} of the data, where ${at} was expected`);
    at = end;
  }
  if (at !== dataBytes) fail(path, `its tensors fill ${at} bytes of the ${dataBytes} that follow the header`);
}

/** What a safetensors file holds. */
export interface Safetensors {
  readonly tensors: Map<string, Tensor>;
  readonly metadata: Record<string, string>;
}

/**
 * Reads a safetensors file of any size: the tensors are views of the memory-mapped file (changes stay
 * private), read from the disk when they are used.
 * @throws UserError for a file that is not one, or is damaged.
 */
export function loadSafetensors(path: string): Safetensors {
  // It is mapped by its path, where another may stand by then: a training replaces its checkpoints.
  return readUnreplaced(path, () => loadOnce(path));
}

function loadOnce(path: string): Safetensors {
  const { header, dataStart, size } = readHeader(path);
  const metadata = readTexts(path, header["__metadata__"]);
  const tensors = tidy(() => {
    const views = new Map<string, Tensor>();
    const mapped = size > dataStart ? mapBytes(path, size) : null;
    const entries = Object.entries(header)
      .filter(([name]) => name !== "__metadata__")
      .map(([name, raw]) => ({ name, ...checkEntry(path, name, raw, size - dataStart) }));
    checkCover(path, entries, size - dataStart);
    for (const { name, dtype, shape, start, end } of entries) {
      views.set(name, viewOf(mapped, dataStart + start, end - start, dtype, shape));
    }
    return views;
  });
  return { tensors, metadata };
}

function viewOf(mapped: Tensor | null, start: number, bytes: number, dtype: DType, shape: number[]): Tensor {
  if (mapped === null || bytes === 0) return emptyOf(dtype, shape);
  const part = mapped.narrow(0, start, bytes);
  // A file written elsewhere may not be aligned to its elements; then the bytes are copied.
  const aligned = start % itemSize(dtype) === 0 ? part : part.clone();
  return aligned.view(dtype).view(shape);
}

const emptyTensor = operator("aten::empty", ["memory_format"], "empty") as unknown as (
  shape: number[],
  options: { dtype: DType },
) => Tensor;
function emptyOf(dtype: DType, shape: number[]): Tensor {
  return emptyTensor(shape, { dtype });
}

/** Names that mean something else in the header. */
const reservedNames = ["__metadata__", "__proto__"];

/**
 * Writes tensors as a safetensors file, atomically; from any device, in the order of their names. Equal
 * tensors give equal bytes.
 * @throws TypeError for the names "__metadata__" and "__proto__" and for metadata that are no texts;
 * UserError if the file cannot be written.
 */
export function saveSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Record<string, string> = {},
): void {
  for (const name of reservedNames)
    if (tensors.has(name))
      throw new TypeError(`saveSafetensors: the name "${name}" is reserved; give the tensor another one`);
  for (const [name, value] of Object.entries(metadata))
    if (typeof value !== "string")
      throw new TypeError(
        `saveSafetensors: metadata are texts, ${quote(name)} is ${typeof value}; JSON.stringify makes one of anything`,
      );
  writeFileAtomic(path, serialize(tensors, metadata));
}

function* serialize(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Record<string, string>,
): Generator<Uint8Array> {
  // Wider elements first, so that every tensor starts at a multiple of its element's size.
  const entries = [...tensors].sort(
    ([a, x], [b, y]) => itemSize(y.dtype) - itemSize(x.dtype) || (a < b ? -1 : a > b ? 1 : 0),
  );
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  let offset = 0;
  for (const [name, tensor] of entries) {
    const end = offset + tensor.nbytes;
    const dtype = toName[tensor.dtype];
    if (dtype === undefined || tensor.layout !== "strided")
      throw new TypeError(
        `saveSafetensors: ${name} is ${tensor.layout === "strided" ? tensor.dtype : tensor.layout}, which the format does not know`,
      );
    header[name] = { dtype, shape: tensor.shape, data_offsets: [offset, end] };
    offset = end;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(text.length / 8) * 8;
  const start = Buffer.alloc(8 + padded, " ");
  start.writeBigUInt64LE(BigInt(padded));
  start.set(text, 8);
  yield start;
  for (const [, tensor] of entries) {
    yield* tensorBytes(tensor);
  }
}
