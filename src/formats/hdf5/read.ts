import type { ByteSource } from "../../common/files/byteSource.ts";
import { type Cursor, Hdf5Bytes } from "./byteReader.ts";
import { Hdf5Dataset } from "./dataset.ts";
import { GlobalHeap } from "./globalHeap.ts";
import { type Link, readLinks } from "./group.ts";
import { type Message, messageTypes, readObjectHeader } from "./objectHeader.ts";
import { readDataspace, readDatatype } from "./types.ts";
import { decodeNumbers, decodeTexts, type Numbers } from "./values.ts";

export type { Hdf5Dataset, Numbers };

/**
 * An HDF5 file opened for reading. Every method throws one `UserError` that names the file,
 * whatever its bytes are; none loops without end or reserves more memory than the file's size accounts for.
 */
export interface Hdf5File {
  /** Whether `path` (such as "sample/matrix") leads to a group or dataset. */
  has(path: string): boolean;
  /** @throws UserError if `path` leads to nothing or to a group. */
  dataset(path: string): Hdf5Dataset;
  /** An attribute's values, `undefined` if the object has none of that name. */
  attribute(path: string, name: string): Numbers | string[] | undefined;
}

/** Soft links one behind the other; the HDF5 library's own bound. */
const mostLinks = 16;
const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

/** Where the HDF5 signature stands: at 0, 512, 1024 and so on; -1 if nowhere. */
export function findHdf5Signature(bytes: ByteSource): number {
  for (let at = 0; at + 8 <= bytes.length; at = at === 0 ? 512 : 2 * at) {
    const found = bytes.subarray(at, at + 8);
    if (signature.every((byte, i) => found[i] === byte)) return at;
  }
  return -1;
}

/**
 * Opens an HDF5 file of superblock versions 0 to 3, in memory or (as `FileBytes`) on the disk, from which
 * only what is asked for is read. `source` names it in errors.
 */
export function openHdf5Bytes(bytes: ByteSource, source: string): Hdf5File {
  const start = findHdf5Signature(bytes);
  const file = new Hdf5Bytes(bytes, Math.max(0, start), source);
  if (start < 0) throw file.damaged("it lacks the HDF5 signature");
  const heap = new GlobalHeap(file);
  const objects = new Map<number, { messages: Message[]; links?: Map<string, Link> }>();
  const rootAddress = readSuperblock(file, start);

  const object = (address: number) => {
    let found = objects.get(address);
    if (!found) {
      const messages = readObjectHeader(file, address);
      found = { messages, links: readLinks(file, messages) };
      objects.set(address, found);
    }
    return found;
  };
  /** `from` is where a path starts that is not absolute; `followed` counts soft links. */
  const find = (
    path: string,
    from = object(rootAddress),
    followed = 0,
  ): ReturnType<typeof object> | undefined => {
    let current = path.startsWith("/") ? object(rootAddress) : from;
    for (const name of path.split("/").filter((part) => part !== "" && part !== ".")) {
      const link = current.links?.get(name);
      if (link === undefined) return undefined;
      if (typeof link === "string")
        throw file.unsupported(`${path} is reached through a link to another file ("${name}")`);
      if (typeof link === "object" && followed >= mostLinks)
        throw file.damaged(`${path} is reached through links that lead in a circle`);
      const found = typeof link === "object" ? find(link.path, current, followed + 1) : object(link);
      if (found === undefined) return undefined;
      current = found;
    }
    return current;
  };
  return {
    has: (path) => find(path) !== undefined,
    dataset(path) {
      const found = find(path);
      if (!found) throw file.damaged(`it has no dataset ${path}`);
      if (found.links) throw file.damaged(`${path} is a group instead of a dataset`);
      return new Hdf5Dataset(file, heap, path, found.messages);
    },
    attribute(path, name) {
      for (const message of find(path)?.messages ?? []) {
        if (message.type !== messageTypes.attribute) continue;
        const found = readAttribute(file, heap, message.body(), name);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}

/** Reads the superblock and returns the address of the root group's object header. */
function readSuperblock(file: Hdf5Bytes, userblock: number): number {
  const cursor = file.cursor(8);
  const version = cursor.u8();
  if (version > 3) throw file.unsupported(`it has a superblock of version ${version}`);
  const setSizes = (offsetSize: number, lengthSize: number) => {
    if (![4, 8].includes(offsetSize) || ![4, 8].includes(lengthSize)) {
      throw file.damaged(`addresses of ${offsetSize} and lengths of ${lengthSize} bytes`);
    }
    file.offsetSize = offsetSize;
    file.lengthSize = lengthSize;
  };
  if (version >= 2) {
    setSizes(cursor.u8(), cursor.u8());
    cursor.skip(1 + 2 * file.offsetSize);
    refuseTruncated(file, cursor.offset(), userblock);
    const root = cursor.offset();
    file.verifyChecksum(0, cursor.at, "superblock");
    return root;
  }
  cursor.skip(4);
  setSizes(cursor.u8(), cursor.u8());
  cursor.skip(version === 0 ? 9 : 13).skip(2 * file.offsetSize);
  refuseTruncated(file, cursor.offset(), userblock);
  return cursor.skip(2 * file.offsetSize).offset();
}

/** The end of file counts from the file's start, all other addresses from the superblock. */
function refuseTruncated(file: Hdf5Bytes, end: number, userblock: number): void {
  const length = userblock + file.length;
  if (end > length) {
    throw file.damaged(`it is cut off: ${length} of ${end} bytes are there`);
  }
}

/** The attribute's values if it has that name; texts and numbers only. */
function readAttribute(
  file: Hdf5Bytes,
  heap: GlobalHeap,
  body: Cursor,
  wanted: string,
): Numbers | string[] | undefined {
  const version = body.u8();
  if (version < 1 || version > 3) throw file.damaged(`attribute message version ${version}`);
  const flags = body.u8();
  const sizes = [body.u16(), body.u16(), body.u16()];
  if (version === 3) body.skip(1);
  const [name, typeBody, spaceBody] = sizes.map((size) => body.sub(version === 1 ? (size + 7) & ~7 : size));
  if (name.text() !== wanted) return undefined;
  const where = `the attribute ${wanted}`;
  if (version > 1 && flags !== 0) throw file.unsupported(`${where} has a shared type`);
  const type = readDatatype(typeBody);
  const length = readDataspace(file, spaceBody).reduce((product, n) => product * n, 1);
  const bytes = body.take(length * type.size).slice();
  const isText = type.kind === "fixedText" || type.kind === "variableText";
  return isText ? decodeTexts(file, heap, bytes, type, where) : decodeNumbers(file, bytes, type, where);
}
