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
