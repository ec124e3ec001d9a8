import { randomUUID } from "node:crypto";
import { closeSync, openSync, statfsSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesText } from "../bytesText.ts";
import { UserError } from "../userError.ts";
import { describeWriteError, isSystemError } from "./atomicFile.ts";
import type { ByteSource } from "./byteSource.ts";
import { FileBytes } from "./fileBytes.ts";

/**
 * Keeps bytes that come in parts: up to `inMemory` in memory, more in a temporary file of the folder that
 * TMPDIR names. The file loses its name as soon as it is open, so nothing of it is left however the process
 * ends; `Symbol.dispose` frees it earlier. `source` is what is unpacked, for errors, and `expected` to how
 * many bytes, if that is known.
 * @throws UserError where the disk has no room for it.
 */
export async function spool(
  parts: AsyncIterable<Uint8Array>,
  source: string,
  expected = 0,
  inMemory = 2 ** 26,
): Promise<{ readonly bytes: ByteSource } & Disposable> {
  const early: Uint8Array[] = [];
  let size = 0;
  let descriptor: number | undefined;
  try {
    if (expected > inMemory) refuseWithoutRoom(expected, source);
    for await (const part of parts) {
      size += part.length;
      if (size > inMemory) {
        descriptor ??= openNameless();
        for (const held of [...early.splice(0), part])
          for (let at = 0; at < held.length; ) at += writeSync(descriptor, held, at);
      } else early.push(part);
    }
  } catch (cause) {
    if (descriptor !== undefined) closeSync(descriptor);
    throw isSystemError(cause) ? describeWriteError(`${source}, unpacked, to ${tmpdir()}`, cause) : cause;
  }
  if (descriptor === undefined)
    return { bytes: new Uint8Array(Buffer.concat(early)), [Symbol.dispose]: () => {} };
  const file = new FileBytes(`${source}, unpacked in ${tmpdir()}`, descriptor);
  return { bytes: file, [Symbol.dispose]: () => file[Symbol.dispose]() };
}

function openNameless(): number {
  const path = join(tmpdir(), `aam-${randomUUID()}.tmp`);
  const descriptor = openSync(path, "wx+", 0o600);
  unlinkSync(path);
  return descriptor;
}

function refuseWithoutRoom(size: number, source: string): void {
  const { bavail, bsize } = statfsSync(tmpdir());
  if (size <= bavail * bsize) return;
  throw new UserError(
    `${source} unpacks to ${bytesText(size)}, and ${tmpdir()} has room for ${bytesText(bavail * bsize)}; ` +
      "name a folder with more in the environment variable TMPDIR.",
  );
}
