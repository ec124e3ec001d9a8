import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { shim, shimFunctions } from "../../../src/torch/native/library.ts";

const header = readFileSync(join(import.meta.dir, "../../../native/aam_torch.h"), "utf8");

/** Name -> [type of the result, types of the arguments], as bun:ffi calls them. */
function declarations(): Map<string, [string, string[]]> {
  const found = new Map<string, [string, string[]]>();
  const type = (text: string): string => {
    if (text.includes("*")) return "ptr";
    if (text.startsWith("int32_t")) return "i32";
    if (text.startsWith("double")) return "f64";
    return text.startsWith("void") ? "void" : text;
  };
  for (const [, result, name, list] of header.matchAll(
    /AAMT_EXPORT\s+([\w ]+\*?)\s*\b(aamt_\w+)\(([^)]*)\);/g,
  )) {
    const args = list.split(",").map((item) => type(item.trim().replace(/^const /, "")));
    found.set(name, [type(result.trim()), args.length === 1 && args[0] === "void" ? [] : args]);
  }
  return found;
}

test("every declared function is bound with the types that the header states, and nothing else is", () => {
  const declared = declarations();
  expect(declared.size).toBeGreaterThan(50);
  declared.delete("aamt_collect"); // the collector calls it, not JavaScript
  const bound = Object.fromEntries(
    Object.entries(shimFunctions).map(([name, { args, returns }]) => [name, [returns, [...args]]]),
  );
  expect(Object.fromEntries(declared) as unknown).toEqual(bound);
});

test("every bound function is in the library", () => {
  for (const name of Object.keys(shimFunctions))
    expect(typeof shim[name as keyof typeof shim]).toBe("function");
});

test("numbers that name nothing are errors, not crashes", () => {
  const out = new Float64Array(128);
  for (const handle of [0, -1, 1, 5, 2 ** 24, 2 ** 30 + 1, 2 ** 52, Number.NaN, Infinity, 0.5]) {
    expect(shim.aamt_meta(handle, out, 128)).toBeLessThan(0);
    expect(shim.aamt_item(handle, out)).toBeLessThan(0);
    expect(shim.aamt_free(handle)).toBeLessThan(0);
    expect(shim.aamt_owned_bytes(handle)).toBeLessThan(0);
    expect(shim.aamt_call(0, handle, handle, handle, handle, handle)).toBeLessThan(0);
  }
  for (const op of [-1, 99_999_999, 16_383]) {
    expect(shim.aamt_call(op, 0, 0, 0, 0, 0)).toBeLessThan(0);
    expect(shim.aamt_op_call(op, out, 0, new Uint8Array(1), 0, out, 128, 0)).toBeLessThan(0);
  }
});

test("a malformed packing is an error", () => {
  const out = new Float64Array(128);
  const name = new TextEncoder().encode("aten::cat");
  const cat = shim.aamt_op_find(name, name.length, name, 0);
  expect(cat).toBeGreaterThanOrEqual(0);
  const packings = [
    [99],
    [6],
    [6, 1e9],
    [6, -1],
    [6, 0.5],
    [1, 0],
    [Number.NaN],
    [9, 0, 50],
    [5, 3, 1],
    [13],
    [1],
    [2, 1, 2, 1, 2, 1],
  ];
  for (const packing of packings) {
    const values = new Float64Array(128);
    values.set(packing);
    expect(shim.aamt_op_call(cat, values, packing.length, new Uint8Array(1), 0, out, 128, 0)).toBeLessThan(0);
  }
});
