import { check, readText, shim } from "../native/library.ts";
import { parseSchema, type Schema } from "./schema.ts";

/**
 * What an operator's typed call takes: one kind per argument (the letters of
 * native/typed.cpp), all passed as doubles.
 */
export interface TypedForm {
  /** Codes of the letters. */
  readonly kinds: readonly number[];
  /** NaN where an argument must be given. */
  readonly defaults: readonly number[];
  /** How many arguments must be given, and how many may be by position. */
  readonly least: number;
  readonly most: number;
  /**
   * What travels beside the numbers: a list of integers as the second argument, or of tensors as the first.
   */
  readonly list: "none" | "integers" | "tensors";
  readonly inPlace: boolean;
}

/** One overload of an operator, found in the loaded library. */
export interface Overload {
  readonly number: number;
  readonly schema: Schema;
  readonly typed: TypedForm | null;
}

const encoder = new TextEncoder();
const defaults = new Float64Array(new ArrayBuffer(1024));

/**
 * Finds an overload in the loaded LibTorch, e.g. `("aten::add", "Tensor")`.
 * @throws TorchError if it has none.
 */
export function findOverload(name: string, overload: string): Overload {
  const nameBytes = encoder.encode(name);
  const overloadBytes = encoder.encode(overload);
  const number = check(
    // Bun refuses the address of an empty array, so an empty overload is passed with a length of 0.
    shim.aamt_op_find(
      nameBytes,
      nameBytes.length,
      overloadBytes.length ? overloadBytes : nameBytes,
      overloadBytes.length,
    ),
    overload ? `${name}.${overload}` : name,
  );
  const schema = parseSchema(readText((buffer, capacity) => shim.aamt_op_schema(number, buffer, capacity)));
  return { number, schema, typed: typedForm(number, schema) };
}

function typedForm(number: number, schema: Schema): TypedForm | null {
  const pattern = readText((buffer, capacity) => shim.aamt_op_pattern(number, buffer, capacity, defaults));
  if (pattern === "") return null;
  const inPlace = pattern.endsWith("=");
  // What changes a tensor without returning itself is left to the general call.
  if (inPlace !== schema.inPlace) return null;
  const letters = inPlace ? pattern.slice(0, -1) : pattern;
  const values = Array.from(defaults.subarray(0, letters.length));
  const missing = values.map((value) => Number.isNaN(value));
  return {
    kinds: Array.from(letters, (letter) => letter.charCodeAt(0)),
    defaults: values,
    least: missing.lastIndexOf(true) + 1,
    most: schema.arguments.filter((formal) => !formal.byName).length,
    list: /[LYQ]/.test(letters) ? "integers" : letters[0] === "X" ? "tensors" : "none",
    inPlace,
  };
}
