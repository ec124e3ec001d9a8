const units = ["bytes", "KiB", "MiB", "GiB"];

/** A size for people: `812 bytes`, `3.4 MiB`. */
export function bytesText(bytes: number): string {
  const unit = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** unit;
  return `${value.toLocaleString("en-US", { maximumSignificantDigits: value < 1000 ? 3 : 4 })} ${units[unit]}`;
}
