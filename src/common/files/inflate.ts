import { pipeline, Readable, type Transform } from "node:stream";
import { createGunzip } from "node:zlib";
import { type ByteSource, partBytes, partsOf } from "./byteSource.ts";
import { gunzipError, plausibleSize } from "./inputFile.ts";

/** What `inflate` makes of the parts, which are asked for as they are needed. */
export async function* inflated(
  packed: Iterable<Uint8Array>,
  inflate: Transform,
): AsyncGenerator<Uint8Array> {
  // Whatever fails is thrown to the one who iterates.
  yield* pipeline(Readable.from(packed, { objectMode: false }), inflate, () => {});
}

/** Unpacks gzip data part by part. @throws UserError as `gunzipIfNeeded` does, but for no size as such. */
export async function* gunzipped(bytes: ByteSource, source: string): AsyncGenerator<Uint8Array> {
  const most = plausibleSize(bytes.length);
  let size = 0;
  try {
    for await (const part of inflated(partsOf(bytes), createGunzip({ chunkSize: partBytes }))) {
      size += part.length;
      if (size > most) throw Object.assign(new Error(), { code: "ERR_BUFFER_TOO_LARGE" });
      yield part;
    }
  } catch (cause) {
    throw gunzipError(cause, source, bytes.length, most);
  }
}
