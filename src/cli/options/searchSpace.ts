import { Option } from "commander";
import type { z } from "zod";
import { UserError } from "../../common/userError.ts";
import type { Settings } from "../../training/config/mergeSettings.ts";
import { type Dimension, withValues } from "../../training/search/space.ts";
import { optionReader, type SchemaOption } from "./schemaOptions.ts";

/**
 * What `--space` says: `lr=1e-4..1e-2:log` is a range, `loss-type=huber,mae` a choice. Names are those of
 * options; the schema tells their types and ranges.
 * @throws UserError for names that are none, and values that the schema refuses.
 * @example
 * readSpace(["lr=1e-4..1e-2:log", "batch-size=8,16"], fineTuneSchema, trainOptions, {});
 */
export function readSpace(
  lines: readonly string[],
  schema: z.ZodType,
  options: readonly SchemaOption[],
  base: Settings,
): Dimension[] {
  const space = lines.map((line): Dimension => {
    const cut = line.indexOf("=");
    const name = line.slice(0, Math.max(0, cut)).trim().replace(/^--/, "");
    const text = line.slice(cut + 1).trim();
    const refuse = (message: string): never => {
      throw new UserError(`--space ${line}: ${message}.`);
    };
    if (cut < 1 || text === "")
      return refuse("expected an option and its values, as lr=1e-4..1e-2:log or batch-size=8,16,32");
    const option = options.find(({ flags }) => new Option(flags).long === `--${name}`);
    if (!option) return refuse(`train has no option --${name}`);
    if (!/^(?:training|model|target|categorical|bestMetric|freezeBase|nucShare)\b/.test(option.path))
      return refuse(`--${name} says what the data or the question are, which is no matter of searching`);
    const { read, isWhole } = optionReader(schema, option);
    const value = (part: string): unknown => {
      try {
        return read(part.trim());
      } catch (error) {
        return refuse(
          `"${part}" does not do. ${error instanceof Error ? error.message.replace(/\.$/, "") : error}`,
        );
      }
    };
    const range = /^(.+?)\.\.(.+?)(:log)?$/.exec(text);
    const values = range
      ? {
          kind: "range" as const,
          low: value(range[1]) as number,
          high: value(range[2]) as number,
          log: range[3] !== undefined,
          whole: isWhole,
        }
      : { kind: "choice" as const, of: text.split(",").map(value) };
    if (values.kind === "range") {
      const { low, high, log } = values;
      if (typeof low !== "number" || typeof high !== "number")
        return refuse("a range goes from number to number");
      if (low >= high) return refuse(`${low} is not below ${high}`);
      if (log && low <= 0) return refuse("a logarithmic range begins above 0");
    }
    const dimension = { name, path: option.path, values };
    for (const one of values.kind === "range" ? [values.low, values.high] : values.of) {
      const parsed = schema.safeParse(withValues(base, [dimension], [one]));
      if (!parsed.success)
        return refuse(`${one} does not do: ${parsed.error.issues[0].message.toLowerCase()}`);
    }
    return dimension;
  });
  const twice = space.find(({ path }, i) => space.findIndex((other) => other.path === path) < i);
  if (twice) throw new UserError(`--space ${twice.name} is given twice; give one of them.`);
  return space;
}
