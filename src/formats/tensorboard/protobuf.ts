/** The wire types of protocol buffers that occur in event files. */
const varintType = 0;
const fixed64Type = 1;
const bytesType = 2;
const fixed32Type = 5;

/** Builds one protocol buffer message, field after field. Every method returns the writer. */
export class ProtoWriter {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** A whole number from 0 to 2^53 - 1 (fields of type int32, int64, uint64, bool and enum). */
  varint(field: number, value: number): this {
    this.#tag(field, varintType);
    this.#varint(value);
    return this;
  }

  float(field: number, value: number): this {
    this.#tag(field, fixed32Type);
    this.#reserve(4);
    this.#view.setFloat32(this.#length, value, true);
    this.#length += 4;
    return this;
  }

  double(field: number, value: number): this {
    this.#tag(field, fixed64Type);
    this.#double(value);
    return this;
  }

  packedDoubles(field: number, values: ArrayLike<number>): this {
    this.#tag(field, bytesType);
    this.#varint(values.length * 8);
    for (let i = 0; i < values.length; i++) this.#double(values[i]);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#tag(field, bytesType);
    this.#varint(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  message(field: number, value: ProtoWriter): this {
    return this.bytes(field, value.finish());
  }

  /** The message so far; valid until the next field is added. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #tag(field: number, type: number): void {
    this.#varint(field * 8 + type);
  }

  #varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`A varint must be a whole number from 0 to 2^53 - 1, got ${value}.`);
    }
    this.#reserve(8);
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#length++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
  }

  #double(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

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
