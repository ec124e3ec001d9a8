/**
 * Unpacks LZ4 frames, as Arrow's compressed buffers are (https://github.com/lz4/lz4, lz4_Frame_format.md and
 * lz4_Block_format.md). Checksums are not looked at: Arrow's writers leave them out.
 */

const magic = 0x184d2204;
const smallestMatch = 4;
/** No input of this format unpacks to more times its size. */
const largestRatio = 255;

/** @throws RangeError for bytes that are no whole LZ4 frame. */
export function unpackLz4Frame(packed: Uint8Array): Uint8Array {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  if (view.getUint32(0, true) !== magic) throw new RangeError("no LZ4 frame");
  const flags = view.getUint8(4);
  if (flags >> 6 !== 1 || flags & 1)
    throw new RangeError("an LZ4 frame of another version, or with a dictionary");
  const hasBlockChecksums = (flags & 0x10) !== 0;
  const hasSize = (flags & 8) !== 0;
  const output = new Output(hasSize ? Number(view.getBigUint64(6, true)) : 4 * packed.length, packed.length);
  let at = hasSize ? 15 : 7;
  for (;;) {
    const header = view.getUint32(at, true);
    at += 4;
    if (header === 0) return output.bytes();
    const size = header & 0x7fffffff;
    const block = packed.subarray(at, at + size);
    if (block.length < size) throw new RangeError("an LZ4 block is cut off");
    if (header & 0x80000000) output.append(block);
    else unpackBlock(block, output);
    at += size + (hasBlockChecksums ? 4 : 0);
  }
}

function unpackBlock(block: Uint8Array, output: Output): void {
  let at = 0;
  const next = (): number => {
    if (at >= block.length) throw new RangeError("an LZ4 block is cut off");
    return block[at++];
  };
  const extended = (length: number): number => {
    let sum = length;
    if (length === 15) for (let byte = 255; byte === 255; sum += byte) byte = next();
    return sum;
  };
  while (at < block.length) {
    const token = next();
    const literals = extended(token >> 4);
    if (at + literals > block.length) throw new RangeError("an LZ4 block is cut off");
    output.append(block.subarray(at, at + literals));
    at += literals;
    // The last sequence has literals only.
    if (at === block.length) return;
    const distance = next() + 256 * next();
    output.repeat(distance, extended(token & 15) + smallestMatch);
  }
}

class Output {
  #data: Uint8Array;
  #length = 0;
  readonly #limit: number;

  constructor(expected: number, packed: number) {
    this.#limit = largestRatio * packed;
    this.#data = new Uint8Array(Math.min(expected, this.#limit));
  }

  append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#data.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Appends what stands `distance` bytes before the end; it may reach into what it appends. */
  repeat(distance: number, length: number): void {
    if (distance < 1 || distance > this.#length) throw new RangeError("an LZ4 block points before its start");
    this.#reserve(length);
    for (let i = 0; i < length; i++, this.#length++)
      this.#data[this.#length] = this.#data[this.#length - distance];
  }

  bytes(): Uint8Array {
    return this.#data.slice(0, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#data.length) return;
    if (needed > this.#limit) throw new RangeError("an LZ4 frame unpacks to more than it can");
    const larger = new Uint8Array(Math.min(this.#limit, Math.max(needed, 2 * this.#data.length)));
    larger.set(this.#data.subarray(0, this.#length));
    this.#data = larger;
  }
}
