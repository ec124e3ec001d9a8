const rotate = (value: number, bits: number) => (value << bits) | (value >>> (32 - bits));

/**
 * Bob Jenkins's lookup3 hash (`hashlittle`, initial value 0) of `bytes[start..end)`: the checksum of HDF5's
 * newer metadata structures.
 */
export function lookup3(bytes: Uint8Array, start: number, end: number): number {
  let length = end - start;
  let a = (0xdeadbeef + length) | 0;
  let b = a;
  let c = a;
  const at = (i: number) => (i < end ? bytes[i] : 0);
  const word = (i: number) => at(i) | (at(i + 1) << 8) | (at(i + 2) << 16) | (at(i + 3) << 24);
  let i = start;
  for (; length > 12; length -= 12, i += 12) {
    a = (a + word(i)) | 0;
    b = (b + word(i + 4)) | 0;
    c = (c + word(i + 8)) | 0;
    a = ((a - c) ^ rotate(c, 4)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rotate(a, 6)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rotate(b, 8)) | 0;
    b = (b + a) | 0;
    a = ((a - c) ^ rotate(c, 16)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rotate(a, 19)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rotate(b, 4)) | 0;
    b = (b + a) | 0;
  }
  if (length === 0) return c >>> 0;
  a = (a + word(i)) | 0;
  b = (b + word(i + 4)) | 0;
  c = (c + word(i + 8)) | 0;
  c = ((c ^ b) - rotate(b, 14)) | 0;
  a = ((a ^ c) - rotate(c, 11)) | 0;
  b = ((b ^ a) - rotate(a, 25)) | 0;
  c = ((c ^ b) - rotate(b, 16)) | 0;
  a = ((a ^ c) - rotate(c, 4)) | 0;
  b = ((b ^ a) - rotate(a, 14)) | 0;
  c = ((c ^ b) - rotate(b, 24)) | 0;
  return c >>> 0;
}

/** Fletcher's checksum over big-endian 16-bit words, as HDF5's fletcher32 filter computes it. */
export function fletcher32(bytes: Uint8Array, start: number, end: number): number {
  let sum1 = 0;
  let sum2 = 0;
  const words = (end - start) >>> 1;
  let i = start;
  for (let left = words; left > 0; ) {
    const block = Math.min(left, 360);
    left -= block;
    for (let k = 0; k < block; k++, i += 2) {
      sum1 += (bytes[i] << 8) | bytes[i + 1];
      sum2 += sum1;
    }
    sum1 = (sum1 & 0xffff) + (sum1 >>> 16);
    sum2 = (sum2 & 0xffff) + Math.floor(sum2 / 65536);
  }
  if ((end - start) % 2 === 1) {
    sum1 += bytes[i] << 8;
    sum2 += sum1;
    sum1 = (sum1 & 0xffff) + (sum1 >>> 16);
    sum2 = (sum2 & 0xffff) + Math.floor(sum2 / 65536);
  }
  sum1 = (sum1 & 0xffff) + (sum1 >>> 16);
  sum2 = (sum2 & 0xffff) + (sum2 >>> 16);
  return ((sum2 << 16) | sum1) >>> 0;
}
