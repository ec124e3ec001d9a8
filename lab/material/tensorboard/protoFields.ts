/** Reads messages of protocol buffers, as event files have them. */

const varintType = 0;
const fixed64Type = 1;
const bytesType = 2;
const fixed32Type = 5;

/**
 * One field of a message: a number for varints and fixed-width fields, bytes for everything with a length.
 */
export interface ProtoField {
  readonly field: number;
  readonly wireType: number;
  /** The bytes of the value; for varints none (see `number`). */
  readonly bytes: Uint8Array;
  /**
   * The value of a varint, float (fixed32) or double (fixed64); NaN for bytes.
   * Varints above 2^53 are rounded.
   */
  readonly number: number;
}

/**
 * Splits one message into its fields. A length that reaches beyond the message, a varint of more than ten
 * bytes or an unknown wire type is a `RangeError`.
 */
export function readFields(bytes: Uint8Array): ProtoField[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields: ProtoField[] = [];
  let position = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 10; shift++) {
      if (position >= bytes.length) throw new RangeError("a varint runs over the end of its message");
      const byte = bytes[position++];
      value += (byte & 0x7f) * 2 ** (7 * shift);
      if (byte < 0x80) return value;
    }
    throw new RangeError("a varint has more than ten bytes");
  };
  const take = (count: number): Uint8Array => {
    if (count > bytes.length - position) throw new RangeError("a field runs over the end of its message");
    position += count;
    return bytes.subarray(position - count, position);
  };
  while (position < bytes.length) {
    const key = varint();
    const field = Math.floor(key / 8);
    const wireType = key % 8;
    if (wireType === varintType) {
      fields.push({ field, wireType, bytes: bytes.subarray(0, 0), number: varint() });
    } else if (wireType === fixed64Type) {
      const value = take(8);
      fields.push({ field, wireType, bytes: value, number: view.getFloat64(position - 8, true) });
    } else if (wireType === bytesType) {
      fields.push({ field, wireType, bytes: take(varint()), number: Number.NaN });
    } else if (wireType === fixed32Type) {
      const value = take(4);
      fields.push({ field, wireType, bytes: value, number: view.getFloat32(position - 4, true) });
    } else {
      throw new RangeError(`field ${field} has the unknown wire type ${wireType}`);
    }
  }
  return fields;
}

/** The numbers of a repeated double field, packed or not. */
export function readDoubles(fields: readonly ProtoField[], field: number): number[] {
  const values: number[] = [];
  for (const one of fields) {
    if (one.field !== field) continue;
    if (one.wireType === fixed64Type) values.push(one.number);
    else if (one.wireType === bytesType) {
      if (one.bytes.length % 8 !== 0)
        throw new RangeError("a list of doubles has a length that is no multiple of 8");
      const view = new DataView(one.bytes.buffer, one.bytes.byteOffset, one.bytes.byteLength);
      for (let at = 0; at < one.bytes.length; at += 8) values.push(view.getFloat64(at, true));
    }
  }
  return values;
}
