import type { Cursor } from "./byteReader.ts";

/** Where one chunk of a dataset lies. */
export interface StoredChunk {
  readonly address: number;
  /** Bytes in the file, filtered. */
  readonly size: number;
  /** Filters that were left out. */
  readonly mask: number;
}

/** How an index stores its entries: bare addresses, or address, size and mask of filtered chunks. */
export interface EntryFormat {
  readonly size: number;
  read(cursor: Cursor): StoredChunk;
}
