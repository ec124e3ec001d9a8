import { readSync } from "node:fs";
import { quote } from "../../common/quote.ts";
import { contentStart, readDirectory, ZipDefect } from "./directory.ts";

/** Where the bytes of a member of a zip archive lie in the file. */
export interface ZipMember {
  readonly start: number;
  readonly size: number;
  /** torch.save stores its members as they are; packed ones are not read from the file as it is. */
  readonly packed: boolean;
}

/**
 * The members of a zip archive by name, for a file that is not read as a whole.
 * @throws ZipDefect
 */
export function readZipIndex(descriptor: number, fileSize: number): Map<string, ZipMember> {
  const read = (start: number, size: number) => {
    const bytes = new Uint8Array(size);
    for (let done = 0; done < size; ) {
      const count = readSync(descriptor, bytes, done, size - done, start + done);
      if (count === 0) throw new ZipDefect("it is cut short");
      done += count;
    }
    return new DataView(bytes.buffer);
  };
  const members = new Map<string, ZipMember>();
  for (const [name, entry] of readDirectory(read, fileSize)) {
    try {
      const start = contentStart(read, entry, fileSize);
      const packed = entry.method !== 0 || entry.encrypted || entry.size !== entry.packedSize;
      members.set(name, { start, size: entry.size, packed });
    } catch (cause) {
      if (!(cause instanceof ZipDefect)) throw cause;
      throw new ZipDefect(`its member ${quote(name)} is damaged (${cause.message})`);
    }
  }
  return members;
}
