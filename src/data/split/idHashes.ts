const hashOf = (id: string) => Bun.hash.xxHash32(id);

/** Hashes of ids, as base64 text: they tell later whether an id was among them, and cannot be read. */
export function hashIds(ids: Iterable<string>): string {
  return new Uint8Array(Uint32Array.from([...ids], hashOf).buffer).toBase64();
}

/** Whether an id is among those that `hashIds` made a text of; wrongly so for one of a million. */
export function hashedIds(text: string): (id: string) => boolean {
  const hashes = new Set(new Uint32Array(Uint8Array.fromBase64(text).buffer));
  return (id) => hashes.has(hashOf(id));
}
