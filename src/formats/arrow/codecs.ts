import { zstdDecompressSync } from "node:zlib";
import { CompressionType, compressionRegistry } from "apache-arrow";
import { unpackedLimit } from "../../common/files/inputFile.ts";
import { unpackLz4Frame } from "./lz4.ts";

/**
 * Lets the Arrow library read buffers that are packed with LZ4 (what pyarrow and pandas
 * write by default) or zstd.
 */
export function registerCodecs(): void {
  compressionRegistry.set(CompressionType.LZ4_FRAME, { decode: unpackLz4Frame });
  compressionRegistry.set(CompressionType.ZSTD, {
    decode: (packed) =>
      new Uint8Array(zstdDecompressSync(packed, { maxOutputLength: unpackedLimit(packed.length) })),
  });
}
