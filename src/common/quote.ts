const maxLength = 60;

/**
 * Shows a value that came out of a file in an error message: on one line, and short however long it is. Texts stand in
 * quotation marks with control characters escaped, lists of a few simple values in brackets.
 */
export function quote(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length <= maxLength ? value : `${value.slice(0, maxLength - 3)}...`);
  }
  if (Array.isArray(value)) {
    const isSimple = value.length <= 4 && value.every((entry) => typeof entry !== "object" || entry === null);
    return isSimple ? `[${value.map(quote).join(", ")}]` : `a list of ${value.length}`;
  }
  if (value === undefined) return "absent";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

/** `quote` of the first few of many values, and how many they are not. */
export function quoteSome(values: readonly unknown[], limit = 5): string {
  const shown = values.slice(0, limit).map(quote);
  return shown.join(", ") + (values.length > limit ? ", ..." : "");
}
