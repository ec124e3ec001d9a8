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
 * Walks through tab-separated UTF-8 text line by line and cell by cell without making a string of it, so that
 * tables of hundreds of megabytes are read in one pass. Lines end in LF, CR LF or CR.
 */
export class ByteLines {
  /** Number of the current line, from 1. */
  lineNumber = 0;
  #start = 0;
  #end = -1;
  #at = 0;
  readonly #bytes: Uint8Array;
  readonly #buffer: Buffer;

  constructor(text: Uint8Array) {
    const bytes = withNewlines(text);
    this.#bytes = bytes;
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
    if (hasMark) this.#end = 2;
  }

  /** Moves to the next line; false behind the last one. */
  next(): boolean {
    this.#start = this.#end + 1;
    if (this.#start >= this.#bytes.length) return false;
    const found = this.#bytes.indexOf(newline, this.#start);
    this.#end = found < 0 ? this.#bytes.length : found;
    this.#at = this.#start;
    this.lineNumber++;
    return true;
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
    return cell ? this.#buffer.toString("utf8", cell.start, cell.end) : "";
  }

  /** The whole line, without its end. */
  lineText(): string {
    return this.#buffer.toString("utf8", this.#start, this.#contentEnd);
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

/** The same bytes, or a copy whose lone carriage returns, the line ends of old Macs, are newlines. */
function withNewlines(bytes: Uint8Array): Uint8Array {
  const isLone = (at: number) => bytes[at + 1] !== newline;
  let at = bytes.indexOf(carriageReturn);
  while (at >= 0 && !isLone(at)) at = bytes.indexOf(carriageReturn, at + 1);
  if (at < 0) return bytes;
  const copy = bytes.slice();
  for (; at >= 0; at = copy.indexOf(carriageReturn, at + 1)) if (isLone(at)) copy[at] = newline;
  return copy;
}
