import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { decodeNpy, encodeNpy, readNpy, writeNpy } from "../../src/formats/npy/npy.ts";
import arrays from "../fixtures/npy/arrays.json";
import refused from "../fixtures/npy/refused.json";
import { useScratch } from "../helpers/scratch.ts";

const decode = (base64: string) => decodeNpy(new Uint8Array(Buffer.from(base64, "base64")), "x.npy");
const plain = new Uint8Array(Buffer.from(arrays["<f8"].npy, "base64"));

const scratch = useScratch();

describe("decodeNpy", () => {
  test.each(Object.entries(arrays))("reads %s", (_, { npy, dtype, shape, values }) => {
    const array = decode(npy);
    expect(array.dtype).toBe(dtype);
    expect(array.shape).toEqual(shape);
    const read = Array.from(array.values as ArrayLike<number | bigint | string>);
    expect(read.map((value) => (typeof value === "bigint" ? String(value) : value))).toEqual(values);
  });

  test.each(Object.entries(refused))("refuses %s", (_, npy) => {
    expect(() => decode(npy)).toThrow(/^x\.npy (holds|is a structured).*; save /);
  });

  test("refuses damage", () => {
    const cases: [bytes: Uint8Array, words: string][] = [
      [new Uint8Array(0), "not a .npy file"],
      [new TextEncoder().encode("a\tb\n"), "not a .npy file"],
      [plain.slice(0, 8), "truncated"],
      [plain.slice(0, 60), "truncated"],
      [
        plain.slice(0, -1),
        "holds 47 bytes of data where its shape (2, 3) of float64 needs 48: it is truncated",
      ],
      [new Uint8Array([...plain, 0]), "surplus"],
      [plain.map((byte, i) => (i === 6 ? 9 : byte)), "version 9"],
      [plain.map((byte, i) => (i > 9 && byte === 39 ? 32 : byte)), "does not state descr"],
    ];
    for (const [bytes, words] of cases) {
      expect(() => decodeNpy(bytes, "x.npy")).toThrow(words);
      expect(() => decodeNpy(bytes, "x.npy")).toThrow("x.npy");
    }
  });

  test("leaves the caller's bytes as they are and reads them at any offset", () => {
    const shifted = new Uint8Array([7, ...new Uint8Array(Buffer.from(arrays[">f4"].npy, "base64"))]).subarray(
      1,
    );
    const before = shifted.slice();
    expect(Array.from(decodeNpy(shifted, "x.npy").values as Float32Array)).toEqual(
      arrays[">f4"].values as number[],
    );
    expect(shifted).toEqual(before);
  });
});

describe("encodeNpy", () => {
  test("writes the very bytes that NumPy writes", () => {
    for (const name of [
      "|i1",
      "<u2",
      "<i4",
      "<i8",
      "<f2",
      "<f4",
      "<f8",
      "vector",
      "scalar",
      "empty",
    ] as const) {
      const fixture = arrays[(name === "|i1" ? "<i1" : name) as keyof typeof arrays];
      const array = decode(fixture.npy);
      const written = Buffer.concat(encodeNpy(array.values as Float64Array, array.shape));
      expect(written.toString("base64")).toBe(fixture.npy);
    }
  });

  test("refuses a shape that does not fit", () => {
    expect(() => encodeNpy(new Float32Array(5), [2, 3])).toThrow(RangeError);
  });
});

test("files are written and read back, damaged ones refused", () => {
  const path = scratch.path("a.npy");
  writeNpy(path, new BigInt64Array([1n, -2n]), [2, 1]);
  const array = readNpy(path);
  expect(array.shape).toEqual([2, 1]);
  expect(array.values).toEqual(new BigInt64Array([1n, -2n]));
  expect(() => readNpy(scratch.path("none.npy"))).toThrow("no such file");
  writeFileSync(path, readFileSync(path).subarray(0, -3));
  expect(() => readNpy(path)).toThrow(`${path} holds 13 bytes`);
});
