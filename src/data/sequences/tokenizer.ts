import { padToken, startToken } from "../../common/tokens.ts";

/** A position of a sequence that is no definite base. */
export interface UnknownBases {
  /** Positions that became 0. */
  readonly positions: number;
  /** Sequences with at least one of them. */
  readonly sequences: number;
  /** How often each character was met, as it was written. */
  readonly characters: Readonly<Record<string, number>>;
  /** Index of the first such sequence, -1 if there is none. */
  readonly firstSequence: number;
}

/** Many sequences one after the other: sequence `i` is `values[offsets[i] .. offsets[i + 1]]`. */
export interface TokenizedSequences {
  readonly values: Uint8Array;
  readonly offsets: Int32Array;
  readonly unknown: UnknownBases;
}

const tokenOfByte = new Uint8Array(128);
for (const [text, token] of [
  ["Aa", 1],
  ["Cc", 2],
  ["Gg", 3],
  ["TtUu", 4],
] as const) {
  for (const character of text) tokenOfByte[character.charCodeAt(0)] = token;
}

/** How many tokens a sequence of `bases` bases has: START and one each. */
export function tokenCount(bases: number): number {
  return bases + 1;
}

/**
 * The tokens of many sequences (at most 2^31 - 1 tokens in all, else a `RangeError`), and
 * what in them was no base.
 */
export function tokenizeAll(sequences: readonly string[]): TokenizedSequences {
  const offsets = new Int32Array(sequences.length + 1);
  let total = 0;
  for (let i = 0; i < sequences.length; i++) {
    total += tokenCount(sequences[i].length);
    if (total > 2 ** 31 - 1) throw new RangeError("The sequences have more than 2^31 - 1 tokens.");
    offsets[i + 1] = total;
  }
  const values = new Uint8Array(total);
  const characters: Record<string, number> = {};
  let positions = 0;
  let affected = 0;
  let firstSequence = -1;
  for (let i = 0; i < sequences.length; i++) {
    const unknown = writeTokens(sequences[i], values, offsets[i], offsets[i + 1]);
    if (unknown === 0) continue;
    positions += unknown;
    affected += 1;
    if (firstSequence < 0) firstSequence = i;
    const sequence = sequences[i];
    for (let position = 0; position < sequence.length; position++) {
      if (tokenOfByte[sequence.charCodeAt(position)]) continue;
      const character = sequence[position];
      characters[character] = (characters[character] ?? 0) + 1;
    }
  }
  return { values, offsets, unknown: { positions, sequences: affected, characters, firstSequence } };
}

/** Writes START and bases to `values[start .. end]` and returns how many of them are unknown. */
function writeTokens(sequence: string, values: Uint8Array, start: number, end: number): number {
  values[start] = startToken;
  let unknown = 0;
  for (let position = start + 1; position < end; position++) {
    const token = tokenOfByte[sequence.charCodeAt(position - start - 1)] ?? padToken;
    values[position] = token;
    if (token === padToken) unknown += 1;
  }
  return unknown;
}
