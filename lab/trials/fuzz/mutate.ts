import type { Random } from "../../../src/common/random/random.ts";

/** Numbers at the edges of what a field of a binary format can hold. */
const edges = [0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
/** Text that readers of tables, trees and sequences stumble over. */
const fragments = [
  ..."\t\n\r,;:()[]{}'\"#>@ \0",
  ..."-1|1e999|nan|NaN|inf|Infinity|0x10|1e-400|.|-0|true|null|\ufeff|\u00e9|\ud83e\uddec|\r\n".split("|"),
  "\t".repeat(40),
  "(".repeat(40),
  "9".repeat(400),
].map((text) => new TextEncoder().encode(text));

/** One to four random changes of `original`, which stays as it is. */
export function mutate(original: Uint8Array, random: Random): Uint8Array {
  let bytes = original.slice();
  for (let left = 1 + random.integer(4); left > 0 && bytes.length > 0; left--)
    bytes = mutateOnce(bytes, random);
  return bytes;
}

function mutateOnce(bytes: Uint8Array<ArrayBuffer>, random: Random): Uint8Array<ArrayBuffer> {
  const at = random.integer(bytes.length);
  const length = Math.min(bytes.length - at, 1 + random.integer(random.integer(8) === 0 ? bytes.length : 16));
  switch (random.integer(9)) {
    case 0:
      bytes[at] ^= 1 << random.integer(8);
      return bytes;
    case 1:
      bytes[at] = random.integer(256);
      return bytes;
    case 2: {
      const value = edges[random.integer(edges.length)];
      const size = [1, 2, 4, 8][random.integer(4)];
      for (let i = 0; i < size && at + i < bytes.length; i++)
        bytes[at + i] = i < 4 ? (value >>> (8 * i)) & 255 : 0;
      return bytes;
    }
    case 3:
      bytes.fill([0, 255, 0x20, 0x30][random.integer(4)], at, at + length);
      return bytes;
    case 4:
      return bytes.slice(0, at);
    case 5:
      return spliced(bytes, at, length, new Uint8Array(0));
    case 6:
      return spliced(bytes, at, 0, bytes.slice(at, at + length));
    case 7: {
      bytes.copyWithin(random.integer(bytes.length), at, at + length);
      return bytes;
    }
    default:
      return spliced(bytes, at, random.integer(2), fragments[random.integer(fragments.length)]);
  }
}

function spliced(bytes: Uint8Array, at: number, remove: number, insert: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(bytes.length - remove + insert.length);
  out.set(bytes.subarray(0, at));
  out.set(insert, at);
  out.set(bytes.subarray(at + remove), at + insert.length);
  return out;
}
