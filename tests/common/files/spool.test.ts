/** What is unpacked to be read in slices: with little memory, and without a trace on the disk. */
import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { gunzipped } from "../../../src/common/files/inflate.ts";
import { spool } from "../../../src/common/files/spool.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const before = process.env["TMPDIR"];
afterEach(() => {
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
});

const openFiles = () => readdirSync("/proc/self/fd").length;

async function* partsOf(text: string, size = 7) {
  for (let i = 0; i < text.length; i += size) yield Buffer.from(text.slice(i, i + size));
}

describe("spool", () => {
  const text = "what is unpacked\n".repeat(50);

  test.each([0, 100, 1000])(
    "keeps what it is given, from %d bytes on on the disk, without a name",
    async (inMemory) => {
      process.env["TMPDIR"] = scratch.path(".");
      const open = openFiles();
      const spooled = await spool(partsOf(text), "t.gz", 0, inMemory);
      const { bytes } = spooled;
      expect(bytes).toHaveLength(text.length);
      expect(Buffer.from(bytes.subarray(0, text.length)).toString()).toBe(text);
      expect(Buffer.from(bytes.subarray(17, 30)).toString()).toBe(text.slice(17, 30));
      expect(openFiles()).toBe(inMemory === 1000 ? open : open + 1);
      expect(readdirSync(scratch.path("."))).toEqual([]);
      spooled[Symbol.dispose]();
      expect(openFiles()).toBe(open);
    },
  );

  test("leaves nothing open where unpacking fails", async () => {
    const open = openFiles();
    async function* failing() {
      yield* partsOf(text);
      throw new Error("that was all");
    }
    await expect(spool(failing(), "t.gz", 0, 10)).rejects.toThrow("that was all");
    expect(openFiles()).toBe(open);
  });

  test("refuses what there is no room for, and says how to find some", async () => {
    await expect(spool(partsOf(text), "t.qza", 2 ** 60)).rejects.toThrow(
      /^t\.qza unpacks to 1,074,000,000 GiB, and \S+ has room for .* GiB; name a folder with more in .* TMPDIR\.$/,
    );
    process.env["TMPDIR"] = scratch.path("missing");
    await expect(spool(partsOf(text), "t.gz", 0, 10)).rejects.toThrow(
      /^Cannot write t\.gz, unpacked, to \S+missing: its folder does not exist/,
    );
  });
});

describe("gunzipped", () => {
  const unpack = async (bytes: Uint8Array) => Buffer.concat(await Array.fromAsync(gunzipped(bytes, "t.gz")));
  const content = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * i) % 251));
  const packed = gzipSync(content);

  test("gives the content of one member and of several", async () => {
    expect((await unpack(packed)).equals(content)).toBe(true);
    const twice = await unpack(Buffer.concat([packed, packed]));
    expect(twice.equals(Buffer.concat([content, content]))).toBe(true);
  });

  const damages: readonly [string, Uint8Array, RegExp][] = [
    ["cut data", packed.subarray(0, -9), /^t\.gz is damaged gzip data \(.*end of file\)/],
    ["what follows the data", Buffer.concat([packed, Buffer.from("more")]), /^t\.gz is damaged gzip data \(/],
    [
      "a bomb",
      gzipSync(Buffer.alloc(2 ** 26 + 1)),
      /unpacks to more than 67108864, which is refused as unsafe/,
    ],
  ];
  test.each(damages)("refuses %s", async (_name, bytes, message) => {
    await expect(unpack(bytes)).rejects.toThrow(message);
  });
});
