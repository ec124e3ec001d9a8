import { type ByteSource, partBytes, partsOf } from "../common/files/byteSource.ts";

/** Where a value stands in a JSON text: `start..end`, white space around it included. */
export interface JsonPlace {
  readonly start: number;
  readonly end: number;
}

const quoteByte = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const isOpening = (byte: number) => byte === 0x5b || byte === 0x7b;
const isClosing = (byte: number) => byte === 0x5d || byte === 0x7d;
const isBlank = (text: string) => /^[ \t\r\n]*$/.test(text);
// The text is known to be UTF-8, and a mark within it is no white space.
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * A JSON text of any size whose top is an object, read in parts: only brackets, commas and strings are looked
 * for here, so that what stands between can be given to `JSON.parse` some of it at a time. Together that
 * accepts what `JSON.parse` accepts of the whole, and also the NaN and Infinity which Python's json writes,
 * as null. Everything throws a SyntaxError where the text is no JSON.
 */
export class JsonParts {
  readonly #bytes: ByteSource;
  readonly #atOnce: number;

  /** `bytes` must be UTF-8. Lists are parsed about `atOnce` bytes at a time. */
  constructor(bytes: ByteSource, atOnce = partBytes) {
    this.#bytes = bytes;
    this.#atOnce = atOnce;
  }

  /** The places of the top's values by key; of several values of one key the last counts. */
  *members(): Generator<[key: string, place: JsonPlace]> {
    const hasMark = this.#bytes.length > 2 && this.#bytes.subarray(0, 3).join() === "239,187,191";
    const top = this.#open({ start: hasMark ? 3 : 0, end: this.#bytes.length }, "{");
    for (let at = top; ; ) {
      const behindKey = this.#seek(at, colon);
      const key = this.#text(at, behindKey);
      const isEmpty = at === top && isBlank(key) && this.#character(behindKey) === "}";
      const end = isEmpty ? behindKey : this.#seek(behindKey + 1, comma);
      if (!isEmpty) {
        const name = JSON.parse(key) as unknown;
        if (typeof name !== "string" || this.#character(behindKey) !== ":") throw this.#unexpected(behindKey);
        yield [name, { start: behindKey + 1, end }];
      }
      at = end + 1;
      if (this.#character(end) === ",") continue;
      this.#close(end, "}", this.#bytes.length);
      return;
    }
  }

  value({ start, end }: JsonPlace): unknown {
    return parseWithNan(this.#text(start, end));
  }

  /** Whether a value begins as a list does. */
  isList({ start, end }: JsonPlace): boolean {
    return this.#character(this.#firstInked(start, end)) === "[";
  }

  /** The elements of a list, as many at a time as stand in a part of it. */
  *elements({ start, end }: JsonPlace): Generator<unknown[]> {
    const first = this.#open({ start, end }, "[");
    for (let at = first; ; ) {
      const stop = this.#seek(at, comma, this.#atOnce);
      const isLast = this.#character(stop) !== ",";
      const values = parseWithNan(`[${this.#text(at, stop)}]`) as unknown[];
      if (values.length === 0 && !(at === first && isLast)) throw this.#unexpected(stop);
      yield values;
      at = stop + 1;
      if (!isLast) continue;
      this.#close(stop, "]", end);
      return;
    }
  }

  /** Behind the bracket that a value begins with. */
  #open({ start, end }: JsonPlace, bracket: string): number {
    const at = this.#firstInked(start, end);
    if (this.#character(at) === bracket) return at + 1;
    throw this.#unexpected(at);
  }

  /** Checks the bracket at the end of a value that has nothing behind it before `end`. */
  #close(at: number, bracket: string, end: number): void {
    if (this.#character(at) !== bracket) throw this.#unexpected(at);
    const behind = this.#firstInked(at + 1, end);
    if (behind < end) throw this.#unexpected(behind);
  }

  /** Where the first byte stands that is no white space; `end` if there is none. */
  #firstInked(start: number, end: number): number {
    let at = start;
    for (const part of partsOf(this.#bytes, start, end))
      for (const byte of part) {
        if (!(byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09)) return at;
        at++;
      }
    return at;
  }

  /**
   * Where the next byte `wanted` stands that is at least so far from `from`, or the bracket that ends what
   * `from` is in; neither strings nor what is in brackets of its own is looked into.
   */
  #seek(from: number, wanted: number, atLeast = 0): number {
    let [depth, inString, isEscaped] = [0, false, false];
    for (let start = from; start < this.#bytes.length; start += partBytes) {
      const part = this.#bytes.subarray(start, Math.min(this.#bytes.length, start + partBytes));
      for (let i = 0; i < part.length; i++) {
        const byte = part[i];
        if (inString) {
          if (isEscaped) isEscaped = false;
          else if (byte === backslash) isEscaped = true;
          else if (byte === quoteByte) inString = false;
        } else if (byte === quoteByte) inString = true;
        else if (isOpening(byte)) depth++;
        else if (isClosing(byte)) {
          if (depth-- === 0) return start + i;
        } else if (byte === wanted && depth === 0 && start + i - from >= atLeast) return start + i;
      }
    }
    throw new SyntaxError("it ends early");
  }

  #text(start: number, end: number): string {
    return utf8.decode(this.#bytes.subarray(start, end));
  }

  #character(at: number): string {
    return at < this.#bytes.length ? String.fromCharCode(this.#bytes.subarray(at, at + 1)[0]) : "";
  }

  #unexpected(at: number): SyntaxError {
    const found = this.#character(at);
    return new SyntaxError(found ? `unexpected ${JSON.stringify(found)} at offset ${at}` : "it ends early");
  }
}

function parseWithNan(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // It is nested too deep.
    if (cause instanceof RangeError) throw new SyntaxError(cause.message);
    const plain = text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (token) =>
      token.startsWith('"') ? token : "null",
    );
    if (plain === text) throw cause;
    return JSON.parse(plain);
  }
}
