import { closeSync, openSync, readSync } from "node:fs";
import { resolve } from "node:path";
import { describeReadError } from "../../common/files/inputFile.ts";
import type { Dropped, Source } from "../dataset/manifest.ts";

const chunkBytes = 4 * 2 ** 20;

/** What a manifest says about a file that was read. Any size; a file that cannot be read is a `UserError`. */
export function describeSource(role: string, path: string): Source {
  const hasher = new Bun.CryptoHasher("sha256");
  let bytes = 0;
  try {
    const descriptor = openSync(path, "r");
    try {
      const chunk = new Uint8Array(chunkBytes);
      for (let read = 0; (read = readSync(descriptor, chunk)) > 0; bytes += read)
        hasher.update(chunk.subarray(0, read));
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw describeReadError(path, cause);
  }
  return { role, path: resolve(path), bytes, sha256: hasher.digest("hex") };
}

/** One line of a drop report, with the first ids as examples; nothing if there are none. */
export function dropped(what: Dropped["what"], reason: string, ids: readonly string[]): Dropped[] {
  return ids.length === 0
    ? []
    : [{ what, reason, count: ids.length, examples: ids.slice(0, 5).map(shortenId) }];
}

/** An id as a message shows it: ids that are sequences are long. */
export function shortenId(id: string): string {
  return id.length <= 40 ? id : `${id.slice(0, 37)}...`;
}
