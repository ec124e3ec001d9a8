/** Bytes that are looked at in parts: a file's, or those of a `Uint8Array`. */
export interface ByteSource {
  readonly length: number;
  /** The bytes `start..end`, which both lie within; they must not be written to. */
  subarray(start: number, end: number): Uint8Array;
}

/** So many bytes are looked at, or made, at a time. */
export const partBytes = 2 ** 20;

/** The bytes `start..end`, part by part. */
export function* partsOf(bytes: ByteSource, start = 0, end = bytes.length): Generator<Uint8Array> {
  for (let at = start; at < end; at += partBytes) yield bytes.subarray(at, Math.min(end, at + partBytes));
}
