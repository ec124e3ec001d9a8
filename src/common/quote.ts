const maxLength = 60;
/** Characters that are not seen, or look like a blank but are none. */
export const invisible =
  /\u034F|[\uFE00-\uFE0F]|[\p{Cf}\u00A0\u115F\u1160\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000\u3164]/gu;

/**
 * Shows a value that came out of a file in an error message: on one line, and short however long it is.
 * Texts stand in quotation marks with control characters and invisible ones (zero-width and no-break
 * spaces, marks of direction) escaped, so that two different texts look different; lists of a few simple
 * values stand in brackets.
 */
export function quote(value: unknown): string {
  if (typeof value === "string") {
    const shown = value.length <= maxLength ? value : `${value.slice(0, maxLength - 3)}...`;
    return JSON.stringify(shown).replace(
      invisible,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
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
