import { UserError } from "../../../src/common/userError.ts";
import { maskedCrc32c } from "../../../src/formats/tensorboard/crc32c.ts";

const headerBytes = 12;
const footerBytes = 4;

export interface RecordFile {
  readonly payloads: Uint8Array[];
  /** Bytes up to and with the last whole record. */
  readonly wholeBytes: number;
  /** True if a started record follows, as a writer that was killed leaves it. */
  readonly truncated: boolean;
}

/**
 * Splits the bytes of a TFRecord file. A last record that is cut off, or was never filled by the disk (all
 * zeros), is left out and reported by `truncated`; a wrong checksum anywhere is a `UserError` with
 * `source` and the offset.
 */
export function readRecords(bytes: Uint8Array, source: string): RecordFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const payloads: Uint8Array[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const rest = bytes.length - offset;
    const truncated = { payloads, wholeBytes: offset, truncated: true };
    if (rest < headerBytes) return truncated;
    const lengthIsWhole =
      view.getUint32(offset + 8, true) === maskedCrc32c(bytes.subarray(offset, offset + 8));
    if (!lengthIsWhole) {
      if (bytes.subarray(offset).every((byte) => byte === 0)) return truncated;
      throw damaged(source, offset, "the checksum of a record's length is wrong");
    }
    const length = view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 2 ** 32;
    if (rest < headerBytes + length + footerBytes) return truncated;
    const payload = bytes.subarray(offset + headerBytes, offset + headerBytes + length);
    const stored = view.getUint32(offset + headerBytes + length, true);
    if (stored !== maskedCrc32c(payload))
      throw damaged(source, offset, "the checksum of a record's bytes is wrong");
    payloads.push(payload);
    offset += headerBytes + length + footerBytes;
  }
  return { payloads, wholeBytes: offset, truncated: false };
}

function damaged(source: string, offset: number, what: string): UserError {
  return new UserError(
    `${source} is damaged at byte ${offset}: ${what}; expected a TensorBoard event file, restore it from a copy.`,
  );
}
