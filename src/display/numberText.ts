/** A loss for the console: four decimals, six below 0.0001. */
export function lossText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return value.toFixed(value !== 0 && Math.abs(value) < 1e-4 ? 6 : 4);
}

/**
 * A figure of quality for the console: four decimals, or the scientific form where these would show nothing
 * (errors of a target in mol/l) or too many digits.
 */
export function figureText(value: number): string {
  const size = Math.abs(value);
  return value !== 0 && (size < 5e-4 || size >= 1e9) ? value.toExponential(3) : value.toFixed(4);
}

/** A learning rate with a two-digit exponent: `1.00e-04`. */
export function learningRateText(value: number): string {
  if (!Number.isFinite(value)) return lossText(value);
  const [mantissa, exponent] = value.toExponential(2).split("e");
  return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

/** A share from 0 to 1 as percent with two decimals. */
export function percentText(value: number): string {
  return Number.isFinite(value) ? `${(100 * value).toFixed(2)}%` : lossText(value);
}

/** Seconds as `0:07`, `12:34` or `1:02:03`; longer than 100 hours in days. */
export function durationText(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const whole = Math.max(0, Math.round(seconds));
  if (whole >= 360_000) return `${(whole / 86_400).toFixed(1)} days`;
  const two = (value: number) => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/** A number for people: up to `digits` significant digits, thousands separated, no trailing zeros. */
export function readableNumber(value: number, digits = 4): string {
  if (Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const integer = Number.isInteger(value) && size < 1e15;
  if (!integer && (size < 1e-4 || size >= 1e9)) {
    return learningRateText(value).replace(/^-/, "−").replace("e", " × 10^").replace("10^+", "10^");
  }
  const decimals = integer ? 0 : Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return value
    .toLocaleString("en-US", { maximumFractionDigits: Math.min(20, decimals) })
    .replace(/,/g, "\u202f")
    .replace(/^-/, "−");
}
