import { lookup3 } from "./checksum.ts";

/** A growing little-endian byte string. */
export class ByteWriter {
  #buffer = new Uint8Array(256);
  #view = new DataView(this.#buffer.buffer);
  length = 0;

  #grow(by: number): number {
    const at = this.length;
    this.length += by;
    if (this.length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(this.length, 2 * this.#buffer.length));
      larger.set(this.#buffer);
      this.#buffer = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
  u8(...values: number[]): this {
    for (const value of values) {
      const at = this.#grow(1);
      this.#view.setUint8(at, value);
    }
    return this;
  }
  u16(...values: number[]): this {
    for (const value of values) {
      const at = this.#grow(2);
      this.#view.setUint16(at, value, true);
    }
    return this;
  }
  u32(...values: number[]): this {
    for (const value of values) {
      const at = this.#grow(4);
      this.#view.setUint32(at, value, true);
    }
    return this;
  }
  u64(...values: (number | bigint)[]): this {
    for (const value of values) {
      const at = this.#grow(8);
      this.#view.setBigUint64(at, BigInt(value), true);
    }
    return this;
  }
  ascii(text: string): this {
    for (let i = 0; i < text.length; i++) this.u8(text.charCodeAt(i));
    return this;
  }
  bytes(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length);
    this.#buffer.set(bytes, at);
    return this;
  }
  padTo(length: number): this {
    if (length > this.length) this.#grow(length - this.length);
    return this;
  }
  done(): Uint8Array {
    return this.#buffer.slice(0, this.length);
  }
  /** All bytes and the checksum over them. */
  checksummed(): Uint8Array {
    return this.u32(lookup3(this.#buffer, 0, this.length)).done();
  }
}
