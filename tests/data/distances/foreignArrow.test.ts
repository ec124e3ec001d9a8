import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describeInput } from "../../../src/data/describe/describe.ts";
import { readDistances } from "../../../src/data/distances/read.ts";
import { unpackLz4Frame } from "../../../src/formats/arrow/lz4.ts";
import { openHdf5 } from "../../helpers/openHdf5.ts";
import { userErrorOf, useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
/** Made by `make.py` there, with pyarrow, pandas, polars and h5py. */
const fixture = (name: string) => join(import.meta.dir, "../../fixtures/arrow", name);

describe("distances in Arrow files of other programs", () => {
  test.each([
    ...["fixed-lz4", "fixed-zstd", "large-lists", "lists-lz4", "views-zstd", "dictionary"].map(
      (name) => `${name}.arrow`,
    ),
    ...["pandas-lists.feather", "pandas-square.feather", "pandas-index.feather"],
    ...["polars-lists.arrow", "polars-arrays.arrow", "polars-square.arrow"],
  ])("%s", async (name) => {
    const { ids, values } = readDistances(fixture(name));
    expect(ids).toEqual(["S1", "S2", "S3"]);
    expect([...values]).toEqual([0.25, 0.5, 0.75]);
    expect(await describeInput(fixture(name))).toMatchObject({ kind: "distances", samples: 3 });
  });

  test("in several LZ4 blocks", () => {
    const { ids, values } = readDistances(fixture("many-lz4.arrow"));
    expect(ids.length).toBe(160);
    let place = 0;
    for (let i = 0; i < 160; i++)
      for (let j = i + 1; j < 160; j++)
        expect(Math.abs(values[place++] - (j - i) / 160)).toBeLessThan(0.0051);
  });

  test("damaged anywhere, they are read, or refused in one sentence", () => {
    for (const name of ["fixed-lz4.arrow", "fixed-zstd.arrow", "views-zstd.arrow", "pandas-square.feather"]) {
      const bytes = readFileSync(fixture(name));
      for (let at = 8; at < bytes.length; at += 7) {
        const broken = Uint8Array.from(bytes);
        broken[at] ^= 0xff;
        try {
          readDistances(scratch.write("broken.arrow", broken));
        } catch (cause) {
          expect((cause as Error).name).toBe("UserError");
        }
      }
    }
  });
});

describe("LZ4 frames", () => {
  const frame = (...bytes: number[]) => Uint8Array.of(4, 0x22, 0x4d, 0x18, 0x40, 0x40, 0, ...bytes);
  test("of literals and of matches that reach into themselves", () => {
    // 3 literals, then 9 bytes from 3 before; then one literal.
    expect([...unpackLz4Frame(frame(8, 0, 0, 0, 0x35, 1, 2, 3, 3, 0, 0x10, 9, 0, 0, 0, 0))]).toEqual([
      1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 9,
    ]);
  });
  test("that are damaged are refused", () => {
    for (const bytes of [
      frame(8, 0, 0, 0, 0x35, 1),
      frame(4, 0, 0, 0, 0x10, 1, 9, 0, 0, 0, 0, 0),
      frame(),
      gzipSync("x"),
    ])
      expect(() => unpackLz4Frame(bytes)).toThrow(RangeError);
  });
});

describe("links in HDF5", () => {
  test.each(["earliest", "latest"])("are followed in files of the %s format", (version) => {
    const path = fixture(`links-${version}.h5`);
    const { ids, values } = readDistances(path);
    expect(ids).toEqual(["S1", "S2", "S3"]);
    expect([...values]).toEqual([0.25, 0.5, 0.75]);
    const file = openHdf5(path);
    expect(file.dataset("data/alias").texts()).toEqual(["S1", "S2", "S3"]);
    expect(file.has("nowhere")).toBe(false);
    expect(userErrorOf(() => file.has("circle"))).toMatch(/circle/);
    expect(userErrorOf(() => file.has("outside"))).toMatch(/another file/);
  });
});
