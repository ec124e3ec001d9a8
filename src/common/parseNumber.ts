const decimal = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const powersOfTen = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/**
 * The finite decimal number a text is, else undefined: no hexadecimal, no digit groups,
 * no decimal comma, no nan.
 */
export function parseNumber(text: string): number | undefined {
  const value = decimal.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : undefined;
}

/** The finite decimal number at `start..end` of a text, NaN if there is none; quick for short ones. */
export function parseNumberAt(text: string, start: number, end: number): number {
  // Up to 15 digits over a power of ten up to 22 are exact in one division (Clinger 1990): the common case.
  let mantissa = 0;
  let fractionDigits = -1;
  if (end - start <= 16 && end > start) {
    let i = start;
    for (; i < end; i++) {
      const digit = text.charCodeAt(i) - 48;
      if (digit >= 0 && digit <= 9) mantissa = mantissa * 10 + digit;
      else if (digit === -2 && fractionDigits < 0) fractionDigits = end - i - 1;
      else break;
    }
    if (i === end && (fractionDigits >= 0 ? end - start > 1 : end - start <= 15)) {
      return fractionDigits > 0 ? mantissa / powersOfTen[fractionDigits] : mantissa;
    }
  }
  return parseNumber(text.slice(start, end)) ?? Number.NaN;
}
