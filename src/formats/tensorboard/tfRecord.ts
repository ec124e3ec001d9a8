import { maskedCrc32c } from "./crc32c.ts";

const headerBytes = 12;
const footerBytes = 4;

/** One TFRecord: length (u64), masked CRC-32C of the length, the bytes, masked CRC-32C of the bytes. */
export function encodeRecord(payload: Uint8Array): Uint8Array {
  const record = new Uint8Array(headerBytes + payload.length + footerBytes);
  const view = new DataView(record.buffer);
  view.setUint32(0, payload.length, true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(payload, headerBytes);
  view.setUint32(headerBytes + payload.length, maskedCrc32c(payload), true);
  return record;
}
