/**
 * Numbers as Python's `format` writes them, to any number of digits: JavaScript's `toFixed` ends at 100
 * digits and at 1e21, and rounds halves up instead of to the even neighbour.
 */

const bytes = new DataView(new ArrayBuffer(8));

/** The integer nearest to |value| * 10^digits, halves to the even one. */
function scaled(value: number, digits: number): bigint {
  bytes.setFloat64(0, Math.abs(value));
  const bits = bytes.getBigUint64(0);
  const field = bits >> 52n;
  const fraction = bits & ((1n << 52n) - 1n);
  // |value| = top * 2^exponent
  let top = field === 0n ? fraction : fraction | (1n << 52n);
  let bottom = 1n;
  const exponent = (field === 0n ? 1n : field) - 1075n;
  if (exponent >= 0n) top <<= exponent;
  else bottom <<= -exponent;
  if (digits >= 0) top *= 10n ** BigInt(digits);
  else bottom *= 10n ** BigInt(-digits);
  const whole = top / bottom;
  const rest = 2n * (top % bottom);
  return rest > bottom || (rest === bottom && whole % 2n === 1n) ? whole + 1n : whole;
}

const signOf = (value: number): string => (value < 0 || Object.is(value, -0) ? "-" : "");

/** The digits with a point before the last `digits` of them. */
function pointed(text: string, digits: number): string {
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** Python's `format(value, f".{digits}f")` of a finite value. */
export function fixedText(value: number, digits: number): string {
  const text = scaled(value, digits)
    .toString()
    .padStart(digits + 1, "0");
  return signOf(value) + pointed(text, digits);
}

/** Python's `format(value, f".{digits}e")` of a finite value. */
export function scientificText(value: number, digits: number): string {
  let exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  let text = scaled(value, digits - exponent)
    .toString()
    .padStart(digits + 1, "0");
  // The logarithm may be off by one, and 9.99 may be rounded up to 10.0.
  while (text.length !== digits + 1 || (text[0] === "0" && value !== 0)) {
    exponent += text[0] === "0" ? -1 : text.length - digits - 1;
    text = scaled(value, digits - exponent)
      .toString()
      .padStart(digits + 1, "0");
  }
  const size = String(Math.abs(exponent)).padStart(2, "0");
  return `${signOf(value)}${pointed(text, digits)}e${exponent < 0 ? "-" : "+"}${size}`;
}
