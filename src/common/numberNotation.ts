import { parseNumber } from "./parseNumber.ts";

/** A number that is written in another way than this program reads. */
export interface NumberNotation {
  /** What is unusual about it, such as "a decimal comma or digit groups". */
  readonly what: string;
  /** How to write it instead, for the end of a sentence: "6.69 (a decimal point)". */
  readonly cure: string;
}

const minus = /^[\u2212\u2010-\u2015\uFE63\uFF0D]/;
const unit =
  /^(.*?\d)(\s*(?:kg|mg|[uµμ]g|ng|cm|mm|km|ml|[uµμ]l|ppm|[umµμ]M|IU|years?|yrs?|months?|mo|weeks?|wks?|days?|hours?|hrs?|min|°C|°F)|\s+[a-z])$/i;
const groups = /^[+-]?\d{1,3}([,.'’ \u00A0\u2009\u202F_])\d{3}(\1\d{3})*([.,]\d+)?$/;

/**
 * Tells a number in another notation (decimal comma, digit groups, Unicode minus, percent, a bound
 * such as `<5`, a unit, the digits of another script) from text. Undefined for what is no such
 * number and for plain numbers.
 */
export function numberNotation(text: string): NumberNotation | undefined {
  if (text === "" || parseNumber(text) !== undefined) return undefined;
  if (minus.test(text)) return rewritten(text.replace(minus, "-"), "a minus sign that is no hyphen");
  if (/[%‰]$/.test(text)) {
    const number = text.slice(0, -1).trim();
    return isNumber(number)
      ? { what: `a sign ${text.at(-1)}`, cure: `${number} without the sign` }
      : undefined;
  }
  const bound = /^[<>≤≥~≈]=?\s*/.exec(text)?.[0];
  if (bound !== undefined) {
    const number = text.slice(bound.length);
    return isNumber(number)
      ? { what: `the sign ${bound.trim()}`, cure: `${number} without the sign` }
      : undefined;
  }
  if (/^[+-]?\d*,\d+([eE][+-]?\d+)?$/.test(text)) {
    const point = text.replace(",", ".");
    const whole = text.replace(",", "");
    const isOpen = /^[+-]?[1-9]\d{0,2},\d{3}$/.test(text);
    return {
      what: "a decimal comma or digit groups",
      cure: isOpen ? `${point} or ${whole}, whichever is meant` : `${point} (a decimal point)`,
    };
  }
  const [, number, name] = unit.exec(text) ?? [];
  if (number !== undefined && isNumber(number))
    return { what: `the unit ${name.trim()}`, cure: `${number} without the unit` };
  const separator = groups.exec(text)?.[1];
  if (separator !== undefined) {
    const plain = text.replaceAll(separator, "").replace(",", ".");
    return rewritten(plain, "digit groups");
  }
  const folded = foldDigits(text);
  return folded === text ? undefined : rewritten(folded, "digits of another script or width");
}

/**
 * A value that is a number in another notation than is read here, where most values are numbers
 * of some notation: such a column is meant to be numeric, though it is text as it stands.
 * Undefined where there is none.
 */
export function oddNumber(
  values: readonly (string | null)[],
): (NumberNotation & { readonly row: number; readonly value: string }) | undefined {
  let numbers = 0;
  let known = 0;
  let first: (NumberNotation & { readonly row: number; readonly value: string }) | undefined;
  for (const [row, value] of values.entries()) {
    if (value === null) continue;
    known++;
    const notation = numberNotation(value);
    if (notation !== undefined || parseNumber(value) !== undefined) numbers++;
    if (notation !== undefined) first ??= { ...notation, row, value };
  }
  return 2 * numbers > known ? first : undefined;
}

/** How to correct a text that should be a number, for the middle of a sentence. */
export function howToWrite(text: string): string {
  const notation = numberNotation(text);
  return notation === undefined ? "correct it" : `write ${notation.cure}`;
}

const date =
  /^(\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}[- ]?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*([- ]?\d{2,4})?|(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[- ]\d{2,4})([T ]\d{1,2}:.*)?$|^\d{1,2}:\d{2}(:\d{2})?( ?[ap]m)?$/i;

/** Whether a text is a date or a time of day: `2020-03-01`, `3/1/2020`, `1-Mar`, `14:30`. */
export function isDate(text: string): boolean {
  return date.test(text);
}

function isNumber(text: string): boolean {
  return parseNumber(text) !== undefined || numberNotation(text) !== undefined;
}

function rewritten(plain: string, what: string): NumberNotation | undefined {
  const again = parseNumber(plain) === undefined ? numberNotation(plain) : undefined;
  if (again !== undefined) return { what: `${what} and ${again.what}`, cure: again.cure };
  return parseNumber(plain) === undefined ? undefined : { what, cure: plain };
}

/** Full-width and Arabic digits as ASCII ones. */
function foldDigits(text: string): string {
  return text
    .replace(/[\uFF10-\uFF19]/g, (digit) => String(digit.charCodeAt(0) - 0xff10))
    .replace(/[\u0660-\u0669]/g, (digit) => String(digit.charCodeAt(0) - 0x660))
    .replace(/[\u06F0-\u06F9]/g, (digit) => String(digit.charCodeAt(0) - 0x6f0));
}
