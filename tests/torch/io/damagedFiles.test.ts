import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as torch from "../../../src/torch/index.ts";
import { findPython } from "../../../src/torch/setup/findPython.ts";

function inFolder(run: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "aam-files-"));
  try {
    using _s = torch.scope();
    run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function safetensors(path: string, header: string | Uint8Array, data: number): void {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = Buffer.alloc(8 + text.length + data);
  bytes.writeBigUInt64LE(BigInt(text.length));
  bytes.set(text, 8);
  writeFileSync(path, bytes);
}

const tensor = (start: number, end: number, shape = [(end - start) / 4]) =>
  JSON.stringify({ dtype: "F32", shape, data_offsets: [start, end] });

test("safetensors: reserved names and metadata that are no texts are refused, and nothing is written", () => {
  inFolder((folder) => {
    const path = join(folder, "x.safetensors");
    const t = torch.ones([2]);
    for (const name of ["__metadata__", "__proto__"])
      expect(() => torch.saveSafetensors(path, new Map([[name, t]]))).toThrow(
        `the name "${name}" is reserved`,
      );
    expect(() => torch.saveSafetensors(path, new Map([["a", t]]), { n: 3 } as never)).toThrow(
      "metadata are texts",
    );
    expect(() => torch.loadSafetensors(path)).toThrow("x.safetensors");
    const odd = ["", "constructor", "toString", "a b", "ü", "hasOwnProperty"];
    torch.saveSafetensors(path, new Map(odd.map((name) => [name, t])), { note: "kept" });
    const read = torch.loadSafetensors(path);
    expect([...read.tensors.keys()].sort()).toEqual([...odd].sort());
    expect(read.metadata).toEqual({ note: "kept" });
  });
});

test("safetensors: damaged headers are refused with what is wrong", () => {
  const cases: [what: string, header: string | Uint8Array, data: number, says: string][] = [
    [
      "a gap between tensors",
      `{"a":${tensor(0, 4)},"b":${tensor(8, 12)}}`,
      12,
      '"b" begins at byte 8 of the data, where 4',
    ],
    ["a gap at the start", `{"a":${tensor(4, 8)}}`, 8, "begins at byte 4"],
    [
      "overlapping tensors",
      `{"a":${tensor(0, 8)},"b":${tensor(4, 12)}}`,
      12,
      "begins at byte 4 of the data, where 8",
    ],
    [
      "the same place twice",
      `{"a":${tensor(0, 8)},"b":${tensor(0, 8)}}`,
      8,
      "begins at byte 0 of the data, where 8",
    ],
    ["bytes after the last", `{"a":${tensor(0, 4)}}`, 8, "fill 4 bytes of the 8"],
    ["no tensors and data", "{}", 8, "fill 0 bytes of the 8"],
    ["too few bytes", `{"a":${tensor(0, 8)}}`, 4, "lies outside the file"],
    ["a size that is not the shape's", `{"a":${tensor(0, 8, [3])}}`, 8, "should have 12 bytes"],
    ["a size beyond all numbers", `{"a":${tensor(0, 8, [2 ** 40, 2 ** 40])}}`, 8, "should have"],
    ["a negative size", `{"a":${tensor(0, 8, [-2])}}`, 8, "no valid shape"],
    ["an unknown dtype", '{"a":{"dtype":"F3","shape":[1],"data_offsets":[0,4]}}', 4, "unknown dtype"],
    ["a number as an entry", '{"a":3}', 0, "unknown dtype"],
    ["an array", "[]", 0, "not a JSON object"],
    ["spaces in front", " {}", 0, "not a JSON object"],
    ["no JSON", "{", 0, "not JSON"],
    ["no UTF-8", Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x30, 0x7d), 0, "not JSON"],
    ["metadata that are numbers", '{"__metadata__":{"a":1}}', 0, "not texts by name"],
    ["metadata that are a list", '{"__metadata__":[]}', 0, "not texts by name"],
  ];
  inFolder((folder) => {
    const path = join(folder, "x.safetensors");
    for (const [what, header, data, says] of cases) {
      safetensors(path, header, data);
      let message = "read in silence";
      try {
        torch.loadSafetensors(path);
      } catch (cause) {
        message = (cause as Error).message;
      }
      expect([what, message]).toEqual([what, expect.stringContaining(says)]);
    }
    safetensors(path, `{"b":${tensor(4, 4, [0, 3])},"a":${tensor(0, 4)}}`, 4);
    expect(torch.loadSafetensors(path).tensors.get("b")!.shape).toEqual([0, 3]);
  });
  console.log(`${cases.length} damaged headers`);
});

const python = findPython(["torch"]);

test.skipIf(!python)(".pt: what Python negates lazily has its sign", () => {
  inFolder((folder) => {
    const path = join(folder, "lazy.pt");
    const program = `
import torch, sys
z = torch.tensor([1 + 2j, 3 - 4j])
lazy = z.conj().imag
assert lazy.is_neg()
torch.save({"lazy": lazy, "plain": lazy.resolve_neg(), "base": z.real, "column": z.conj().reshape(2, 1).expand(2, 2).imag[:, 1]}, sys.argv[1])`;
    const run = Bun.spawnSync([python!, "-c", program, path]);
    expect(run.stderr.toString()).toBe("");
    const read = torch.load(path) as Map<string, torch.Tensor>;
    const values = Object.fromEntries([...read].map(([name, value]) => [name, value.toArray()]));
    expect(values).toEqual({ lazy: [-2, 4], plain: [-2, 4], base: [1, 3], column: [-2, 4] });
    expect(read.get("lazy")!.isDisposed).toBe(false);
  });
});
