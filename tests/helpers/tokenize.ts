import { tokenizeAll } from "../../src/data/sequences/tokenizer.ts";

/** The tokens of one sequence, START first, of its first `maxBases` bases. */
export function tokenize(sequence: string, maxBases?: number): Uint8Array {
  return tokenizeAll([sequence.slice(0, maxBases)]).values;
}
