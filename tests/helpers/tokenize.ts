import { tokenizeAll } from "../../src/data/sequences/tokenizer.ts";

/** The tokens of one sequence, START first, of its first `maxBp` bases. */
export function tokenize(sequence: string, maxBp?: number): Uint8Array {
  return tokenizeAll([sequence.slice(0, maxBp)]).values;
}
