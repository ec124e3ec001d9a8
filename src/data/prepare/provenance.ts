import { statSync } from "node:fs";
import { resolve } from "node:path";
import { hashFile } from "../../common/files/inputFile.ts";
import { UserError } from "../../common/userError.ts";
import type { Dropped, Source } from "../dataset/manifest.ts";

/** What a manifest says about a file that was read. Any size; a file that cannot be read is a `UserError`. */
export function describeSource(role: string, path: string): Source {
  // What is prepared is read once for its checksum and once for its content.
  if (isPipe(path))
    throw new UserError(`${path} is a pipe, which can be read only once; write it into a file first.`);
  const { bytes, hash } = hashFile(path, "sha256");
  return { role, path: resolve(path), bytes, sha256: hash };
}

function isPipe(path: string): boolean {
  try {
    return statSync(path).isFIFO();
  } catch {
    // Reading it tells what is wrong.
    return false;
  }
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
