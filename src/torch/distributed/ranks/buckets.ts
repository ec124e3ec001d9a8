/** PyTorch's size of a bucket. */
const defaultMegabytes = 25;

export interface BucketOptions<T> {
  /** Only things of one kind go into a bucket. */
  readonly kindOf: (thing: T) => string;
  readonly bytesOf: (thing: T) => number;
  /** Of a bucket; a larger thing has one of its own. Default 25. */
  readonly megabytes?: number;
}

/** What travels together: things in their order, in buckets of one kind and not too large. */
export function inBuckets<T>(things: Iterable<T>, options: BucketOptions<T>): T[][] {
  const { kindOf, bytesOf, megabytes = defaultMegabytes } = options;
  const buckets: T[][] = [];
  const open = new Map<string, { bytes: number; bucket: T[] }>();
  for (const thing of things) {
    const [kind, bytes] = [kindOf(thing), bytesOf(thing)];
    let last = open.get(kind);
    if (!last || last.bytes + bytes > megabytes * 2 ** 20) {
      last = { bytes: 0, bucket: [] };
      open.set(kind, last);
      buckets.push(last.bucket);
    }
    last.bytes += bytes;
    last.bucket.push(thing);
  }
  return buckets;
}
