import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { fletcher32, lookup3 } from "../../src/formats/hdf5/checksum.ts";
import { openHdf5Bytes } from "../../src/formats/hdf5/read.ts";
import { encodeHdf5 } from "../../src/formats/hdf5/write.ts";
import { openHdf5 } from "../helpers/openHdf5.ts";

const fixtures = join(import.meta.dir, "..", "fixtures", "tables");
const fixture = (name: string) => new Uint8Array(gunzipSync(readFileSync(join(fixtures, `${name}.biom.gz`))));
const joined = (pieces: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(pieces));
const ascii = (text: string) => new TextEncoder().encode(text);
const range = (n: number) => Array.from({ length: n }, (_, i) => i);

describe("checksums", () => {
  test("lookup3 equals Jenkins's published values", () => {
    expect(lookup3(ascii(""), 0, 0)).toBe(0xdeadbeef);
    expect(lookup3(ascii("Four score and seven years ago"), 0, 30)).toBe(0x17770551);
  });

  test("fletcher32 of words that are summed by hand", () => {
    // Words 0x0102 and 0x0304: sums 0x0406 and 0x0102 + 0x0406.
    expect(fletcher32(Uint8Array.of(1, 2, 3, 4), 0, 4)).toBe(0x05080406);
    // An odd last byte is the high half of a word.
    expect(fletcher32(Uint8Array.of(1, 2, 3), 0, 3)).toBe(((0x0102 + 0x0402) << 16) | 0x0402);
  });
});

describe("openHdf5 reads what libhdf5 wrote:", () => {
  const file = openHdf5(join(fixtures, "matrices.h5"));

  test("datasets of two and three dimensions whose chunks overhang, a plain one and a scalar", () => {
    expect(file.dataset("chunked").shape).toEqual([5, 7]);
    expect([...file.dataset("chunked").numbers()]).toEqual(range(35));
    expect([...file.dataset("cube").numbers()]).toEqual(range(60));
    expect([...file.dataset("plain").numbers()]).toEqual(range(35));
    expect(file.dataset("scalar").shape).toEqual([]);
    expect([...file.dataset("scalar").numbers()]).toEqual([2.5]);
  });

  test("attributes, and that others are absent", () => {
    expect(file.attribute("", "texts")).toEqual(["a", "bc"]);
    expect(file.attribute("/", "fixed")).toEqual(["fixed"]);
    expect(file.attribute("", "none")).toBeUndefined();
    expect(file.has("none")).toBe(false);
    expect(file.has("plain/none")).toBe(false);
  });
});

describe("openHdf5 refuses with a located sentence", () => {
  const bytes = fixture("single-chunk-gzip");
  const old = fixture("gzip");

  test("a cut file, with both sizes", () => {
    expect(() => openHdf5Bytes(old.subarray(0, 1000), "t.h5")).toThrow(
      /^t\.h5 is a damaged.*1000 of \d+ bytes/,
    );
  });

  test("a flipped byte in checked metadata", () => {
    const damaged = bytes.slice();
    damaged[damaged.indexOf(0x4f, 48) + 20] ^= 1;
    expect(() => openHdf5Bytes(damaged, "t.h5").dataset("sample/matrix/data").numbers()).toThrow(
      /checksum of the/,
    );
  });

  test("a flipped byte in a chunk's gzip data, or in one with a fletcher32 checksum", () => {
    const flip = (name: string, start: number[]) => {
      const valid = fixture(name);
      const numbers = (bytes: Uint8Array) => {
        const file = openHdf5Bytes(bytes, "t.h5");
        return ["observation", "sample"].map((axis) => [...file.dataset(`${axis}/matrix/data`).numbers()]);
      };
      const at = valid.findIndex((_, i) => start.every((byte, k) => valid[i + k] === byte));
      let refused = 0;
      for (let i = at; i < at + 12; i++) {
        const damaged = valid.slice();
        damaged[i] ^= 0x10;
        try {
          // Deflate can say the same in several ways.
          expect(numbers(damaged)).toEqual(numbers(valid));
        } catch (cause) {
          expect((cause as Error).message).toMatch(
            /^t\.h5 is a damaged HDF5 file \(.* chunk 1 of 1 of the dataset \w+\/matrix\/data/,
          );
          refused++;
        }
      }
      expect(refused).toBeGreaterThan(10);
    };
    flip("gzip", [0x78, 0x5e, 0x63, 0x60, 0x00, 0x81]);
    flip("fletcher", [0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
  });

  test("what is no group, no dataset, no text and no number", () => {
    const file = openHdf5Bytes(old, "t.h5");
    expect(() => file.dataset("sample/none")).toThrow(
      "t.h5 is a damaged HDF5 file (it has no dataset sample/none)",
    );
    expect(() => file.dataset("sample/matrix")).toThrow("is a group instead of a dataset");
    expect(() => file.dataset("sample/ids").numbers()).toThrow("sample/ids holds text instead of numbers");
    expect(() => file.dataset("sample/matrix/data").texts()).toThrow("holds numbers instead of text");
  });

  test("an unknown filter by name and number, and dense groups", () => {
    const read = (name: string) =>
      openHdf5Bytes(fixture(name), "t.h5").dataset("sample/matrix/data").numbers();
    expect(() => read("refused-scaleoffset")).toThrow(/filter scaleoffset \(number 6\).*h5repack -f GZIP=4/);
    expect(() => read("refused-dense-links")).toThrow("dense storage");
  });

  test("64-bit integers that no double holds", () => {
    const values = BigInt64Array.of(3n, -(2n ** 53n), 2n ** 60n);
    const exact = joined(encodeHdf5({ datasets: { x: { values: values.slice(0, 1) } } }));
    expect([...openHdf5Bytes(exact, "t.h5").dataset("x").numbers()]).toEqual([3]);
    const file = joined(encodeHdf5({ datasets: { x: { values } } }));
    expect(() => openHdf5Bytes(file, "t.h5").dataset("x").numbers()).toThrow(/beyond 2\^53 \(value 2\)/);
  });

  test("text with a NUL inside, text that is not UTF-8 and text of no size", () => {
    const written = joined(encodeHdf5({ datasets: { x: { values: ["ab", "c-d"] } } }));
    const at = Buffer.from(written).indexOf("c-d") + 1;
    for (const [byte, what] of [
      [0, "text 2 of x contains a NUL"],
      [0xff, "text 2 of x is not UTF-8"],
    ] as const) {
      const damaged = written.slice();
      damaged[at] = byte;
      expect(() => openHdf5Bytes(damaged, "t.h5").dataset("x").texts()).toThrow(what);
    }
    const fixed = fixture("fixed-ids");
    // The datatype message: version 1, text, padded with NULs, then the size.
    fixed[Buffer.from(fixed).indexOf(Uint8Array.of(0x13, 1, 0, 0, 10)) + 4] = 0;
    expect(() => openHdf5Bytes(fixed, "t.h5").dataset("observation/ids").texts()).toThrow(
      "a type of 0 bytes",
    );
  });

  test("a dataset that claims more than the file can hold, without reserving memory for it", () => {
    const file = joined(encodeHdf5({ datasets: { x: { values: Int32Array.of(1, 2, 3, 4, 5) } } }));
    // The dataspace message: version 2, rank 1, no flags, simple, then the size.
    const at = file.findIndex((_, i) => [2, 1, 0, 1, 5].every((byte, k) => file[i + k] === byte));
    file.set([255, 255, 255, 255, 255, 255, 0, 0], at + 4);
    new DataView(file.buffer).setUint32(
      headerEnd(file, at),
      lookup3(file, headerStart(file, at), headerEnd(file, at)),
      true,
    );
    expect(() => openHdf5Bytes(file, "t.h5").dataset("x").numbers()).toThrow(
      /dataset x claims 281474976710655 elements/,
    );
  });
});

function headerStart(file: Uint8Array, at: number): number {
  return Buffer.from(file).lastIndexOf("OHDR", at);
}

function headerEnd(file: Uint8Array, at: number): number {
  const start = headerStart(file, at);
  return start + 10 + new DataView(file.buffer).getUint32(start + 6, true);
}

describe("encodeHdf5 writes what", () => {
  const long = Int32Array.from(range(200_000), (i) => (i * 7919) % 1000);
  const content = {
    attributes: { text: "Ünïcode", numbers: [1, -2, 3], number: 2 ** 40 },
    groups: { empty: {}, inner: { datasets: { long: { values: long, gzip: 4 } } } },
    datasets: {
      doubles: { values: Float64Array.of(0.1, -1e300, 3) },
      floats: { values: Float32Array.from(range(6)), shape: [2, 3] },
      texts: { values: ["", "a", "日本", "x".repeat(100_000), ...range(5000).map(String)] },
      none: { values: new Float64Array(0), gzip: 4 },
    },
  };
  const bytes = joined(encodeHdf5(content));

  test("openHdf5 reads", () => {
    const file = openHdf5Bytes(bytes, "t.h5");
    expect(file.attribute("", "text")).toEqual(["Ünïcode"]);
    expect(file.attribute("", "numbers")).toEqual(Float64Array.of(1, -2, 3));
    expect(file.attribute("", "number")).toEqual(Float64Array.of(2 ** 40));
    expect(file.has("empty")).toBe(true);
    expect(file.dataset("inner/long").numbers()).toEqual(long);
    expect(file.dataset("doubles").numbers()).toEqual(content.datasets.doubles.values);
    expect(file.dataset("floats").shape).toEqual([2, 3]);
    expect(file.dataset("floats").numbers()).toEqual(content.datasets.floats.values);
    expect(file.dataset("texts").texts()).toEqual(content.datasets.texts.values);
    expect(file.dataset("none").numbers().length).toBe(0);
  });

  test("libhdf5 reads", async () => {
    const h5wasm = await import("h5wasm");
    const { FS } = await h5wasm.ready;
    FS.writeFile("/written.h5", bytes);
    const file = new h5wasm.File("/written.h5", "r");
    const value = (path: string) => (file.get(path) as InstanceType<typeof h5wasm.Dataset>).value;
    expect(file.attrs["text"].value).toBe("Ünïcode");
    expect(file.attrs["numbers"].value).toEqual(BigInt64Array.of(1n, -2n, 3n));
    expect(value("inner/long")).toEqual(long);
    expect(value("doubles")).toEqual(content.datasets.doubles.values);
    expect(value("floats")).toEqual(content.datasets.floats.values);
    expect(value("texts")).toEqual(content.datasets.texts.values);
    file.close();
  });

  test("a shape that does not fit is a mistake of the caller's", () => {
    expect(() => encodeHdf5({ datasets: { x: { values: Int32Array.of(1), shape: [2] } } })).toThrow(
      RangeError,
    );
  });
});
