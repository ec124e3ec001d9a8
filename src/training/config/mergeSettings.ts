/** A configuration in part, by section. */
export type Settings = Record<string, unknown>;

/** Two settings in one, section by section; those of `second` win. */
export function mergeSettings(first: Settings, second: Settings): Settings {
  const isSection = (value: unknown): value is Settings =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  const result = { ...first };
  for (const [name, value] of Object.entries(second)) {
    const before = first[name];
    result[name] = isSection(before) && isSection(value) ? mergeSettings(before, value) : value;
  }
  return result;
}
