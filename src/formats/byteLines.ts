import { type ByteSource, partBytes } from "../common/files/byteSource.ts";
import { parseNumber } from "../common/parseNumber.ts";

const newline = 0x0a;
const carriageReturn = 0x0d;
const tab = 0x09;
const space = 0x20;
const quotationMark = 0x22;

/** Where a cell's bytes start and end. */
export interface Cell {
  readonly start: number;
  readonly end: number;
}

/**
 * Walks through tab-separated UTF-8 text line by line and cell by cell without making a string of it. Of a
 * file (`FileBytes`) little more than the line is in memory, so tables of any size are read in one pass.
 * Lines end in LF, CR LF or CR.
 */
export class ByteLines {
  /** Number of the current line, from 1. */
  lineNumber = 0;
  readonly #source: ByteSource;
  /** Where in the source the bytes end that are at hand. */
  #read = 0;
  #bytes = Buffer.alloc(0);
  #start = 0;
  #end = -1;
  #at = 0;

  constructor(text: ByteSource) {
    this.#source = text;
    this.#load();
    const [first, second, third] = this.#bytes;
    if (first === 0xef && second === 0xbb && third === 0xbf) this.#end = 2;
  }

  /** Moves to the next line, whose cells are known until the one after it; false behind the last one. */
  next(): boolean {
    this.#start = this.#end + 1;
    let found = this.#bytes.indexOf(newline, this.#start);
    while (found < 0 && this.#read < this.#source.length) {
      this.#load();
      found = this.#bytes.indexOf(newline, this.#start);
    }
    if (this.#start >= this.#bytes.length) return false;
    this.#end = found < 0 ? this.#bytes.length : found;
    this.#at = this.#start;
    this.lineNumber++;
    return true;
  }

  /** Drops what lies before the line and reads on, twice as much as the line has so far. */
  #load(): void {
    const begun = this.#bytes.subarray(this.#start);
    let end = Math.min(this.#source.length, this.#read + Math.max(partBytes, begun.length));
    // Whether a carriage return ends a line shows behind it.
    while (end < this.#source.length && this.#source.subarray(end - 1, end)[0] === carriageReturn) end++;
    this.#bytes = Buffer.concat([begun, this.#source.subarray(this.#read, end)]);
    this.#read = end;
    this.#start = 0;
    for (let at = begun.length; (at = this.#bytes.indexOf(carriageReturn, at)) >= 0; at++)
      if (this.#bytes[at + 1] !== newline) this.#bytes[at] = newline;
  }

  get #contentEnd(): number {
    return this.#end > this.#start && this.#bytes[this.#end - 1] === carriageReturn
      ? this.#end - 1
      : this.#end;
  }

  isBlank(): boolean {
    for (let i = this.#start; i < this.#contentEnd; i++) {
      if (this.#bytes[i] !== space && this.#bytes[i] !== tab) return false;
    }
    return true;
  }

  /** Whether the line begins with a character, behind blanks and a quotation mark if there are any. */
  startsWith(character: string): boolean {
    let at = this.#start;
    while (this.#bytes[at] === space) at++;
    if (this.#bytes[at] === quotationMark) at++;
    return this.#bytes[at] === character.charCodeAt(0) && at < this.#contentEnd;
  }

  /** The next cell of the line, `undefined` behind the last one. */
  cell(): Cell | undefined {
    const bytes = this.#bytes;
    const end = this.#contentEnd;
    if (this.#at > end) return undefined;
    const start = this.#at;
    let i = start;
    while (i < end && bytes[i] !== tab) i++;
    this.#at = i + 1;
    return { start, end: i };
  }

  text(cell: Cell | undefined): string {
    return cell ? this.#bytes.toString("utf8", cell.start, cell.end) : "";
  }

  /** The whole line, without its end. */
  lineText(): string {
    return this.#bytes.toString("utf8", this.#start, this.#contentEnd);
  }

  /** All cells of the line; the position within the line stays. */
  allCells(): string[] {
    return this.lineText().split("\t");
  }

  /** The cell as a finite decimal number, NaN if it is none. */
  number(cell: Cell): number {
    const bytes = this.#bytes;
    let value = 0;
    let i = cell.start;
    // The usual case, up to 15 digits and ".0": exact without a string.
    for (; i < cell.end && i - cell.start < 15; i++) {
      const digit = bytes[i] - 0x30;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
    }
    if (i > cell.start) {
      if (i === cell.end) return value;
      if (i + 2 === cell.end && bytes[i] === 0x2e && bytes[i + 1] === 0x30) return value;
    }
    return parseNumber(this.text(cell).trim()) ?? Number.NaN;
  }
}
