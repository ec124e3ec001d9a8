import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import { z } from "zod";
import { quoteSome } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { parseYamlText } from "../../formats/yaml.ts";
import { withPresentNames } from "../../training/config/formerNames.ts";
import { mergeSettings, type Settings } from "../../training/config/mergeSettings.ts";

/** An option of the command line that sets one place of a configuration. */
export interface SchemaOption {
  /** `--lr <x>`, `--freeze-base`, `--no-target-layer-norm`. */
  readonly flags: string;
  /** The place: `training.lr`. */
  readonly path: string;
  /** Its heading in the help. */
  readonly group: string;
  /** Instead of the schema's description. */
  readonly text?: string;
  /** An older name, which still works and says what to write instead: `--layers`. */
  readonly formerly?: string;
  /** For values that the schema alone does not tell how to read. */
  readonly parse?: (text: string, before?: unknown) => unknown;
}

interface Node {
  readonly type?: string;
  readonly enum?: unknown[];
  readonly anyOf?: Node[];
  readonly items?: Node;
  readonly properties?: Record<string, Node>;
  readonly default?: unknown;
  readonly description?: string;
}

/** What `none` is until the configuration is made: commander takes null for a value that is missing. */
const nothing = Symbol("none");

/**
 * Adds options to a command; types, choices, descriptions and defaults come from the schema,
 * defaults of `start` first. `other` names a case that has other defaults, which are told besides.
 */
export function addSchemaOptions(
  command: Command,
  schema: z.ZodType,
  options: readonly SchemaOption[],
  start: Record<string, unknown> = {},
  other?: { readonly when: string; readonly start: Record<string, unknown> },
): void {
  const root = z.toJSONSchema(schema, { io: "input", reused: "inline", unrepresentable: "any" }) as Node;
  const defaults = schema.safeParse(start);
  const others = other && schema.safeParse(other.start);
  for (const option of options) {
    const node = nodeAt(root, option.path);
    const value = defaults.success ? valueAt(defaults.data, option.path) : undefined;
    const choices = choicesOf(node);
    const otherValue = others?.success ? valueAt(others.data, option.path) : value;
    const [usual, besides] = [value, otherValue].map(shownValue);
    const shown = [
      ...(choices ? [choices.join(", ")] : []),
      ...(usual === null ? [] : [`default ${usual}`]),
      ...(other === undefined || besides === null || besides === usual ? [] : [`${besides} ${other.when}`]),
    ];
    const about = option.text ?? node.description ?? "";
    const text = shown.length > 0 ? `${about} (${shown.join("; ")})` : about;
    const made = new Option(option.flags, text).helpGroup(option.group);
    if (made.required || made.optional) made.argParser(option.parse ?? ((text) => readValue(text, node)));
    command.addOption(made);
    if (option.formerly !== undefined) addFormerName(command, made, option.formerly);
  }
  // `--no-x` alone would be true by default; only what is given counts (see `configOf`).
}

/** How the text of an option's value is read, and whether it is a whole number. */
export function optionReader(
  schema: z.ZodType,
  option: SchemaOption,
): { read: (text: string) => unknown; isWhole: boolean } {
  const root = z.toJSONSchema(schema, { io: "input", reused: "inline", unrepresentable: "any" }) as Node;
  const node = nodeAt(root, option.path);
  const isFlag = meaning(node).type === "boolean";
  const plain = (text: string) => {
    const value = readValue(text, node);
    return value === nothing ? null : value;
  };
  const read = isFlag ? readFlag : (option.parse ?? plain);
  return { read: (text) => read(text), isWhole: meaning(node).type === "integer" };
}

function readFlag(text: string): boolean {
  if (text === "true" || text === "false") return text === "true";
  throw new InvalidArgumentError("It must be true or false.");
}

/** Lets an option be given by an older name as well, which says on standard error what to write instead. */
export function addFormerName(command: Command, option: Option, former: string): void {
  const old = new Option(`${former} <value>`, option.description).hideHelp();
  if (option.parseArg) old.argParser(option.parseArg);
  command.addOption(old).on(`option:${old.name()}`, () => {
    process.stderr.write(`${former} is now called ${option.long}; the old name still works.\n`);
  });
}

/**
 * The configuration: the schema's defaults, then `start` (a preset), then `--config`, then what was
 * given on the command line.
 * @throws UserError that names the option or the place in the file that is wrong.
 */
export function configOf<T>(
  command: Command,
  schema: z.ZodType<T>,
  options: readonly SchemaOption[],
  file?: string,
  start: Record<string, unknown> = {},
): T {
  const given = new Map<string, string>();
  for (const { path, name } of givenOptions(command, options)) {
    const before = given.get(path);
    if (before !== undefined) throw new UserError(`${before} and ${name} are the same; give one of them.`);
    given.set(path, name);
  }
  const config = mergeSettings(structuredClone(start), givenSettings(command, options, file));
  const parsed = schema.safeParse(config);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue.path.join(".");
  const place = given.get(path) ?? (file === undefined ? path : `${file}: ${path || "the top"}`);
  // Names of settings that are none come from the file, with whatever is in them.
  const message =
    issue.code === "unrecognized_keys"
      ? `no such setting: ${quoteSome(issue.keys)}`
      : (outOfRange(issue, valueAt(config, path)) ?? lowered(issue.message));
  throw new UserError(`${place}: ${message}.`);
}

/** What `--config` and the command line say, by section. */
export function givenSettings(command: Command, options: readonly SchemaOption[], file?: string): Settings {
  const settings = file === undefined ? {} : readConfigFile(file);
  for (const { path, value } of givenOptions(command, options))
    setAt(settings, path, value === nothing ? null : value);
  return settings;
}

/** The options that were given on the command line, by their place. */
export function givenPaths(command: Command, options: readonly SchemaOption[]): Map<string, string> {
  return new Map(givenOptions(command, options).map(({ path, name }) => [path, name]));
}

function givenOptions(
  command: Command,
  options: readonly SchemaOption[],
): { path: string; name: string; value: unknown }[] {
  return options.flatMap(({ flags, formerly, path }) =>
    [flags, ...(formerly === undefined ? [] : [`${formerly} <value>`])].flatMap((one) => {
      const made = new Option(one);
      const value = command.getOptionValue(made.attributeName()) as unknown;
      if (command.getOptionValueSource(made.attributeName()) !== "cli") return [];
      // `--x` and `--no-x` share a name; the value tells which was given.
      if (typeof value === "boolean" && made.negate !== (value === false)) return [];
      return [{ path, name: made.long ?? one, value }];
    }),
  );
}

export function valueAt(value: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], value);
}

/** `-3 is too small, expected at least 2`; undefined for other issues. */
function outOfRange(issue: z.core.$ZodIssue, value: unknown): string | undefined {
  if (typeof value !== "number") return undefined;
  if (issue.code === "too_small")
    return `${value} is too small, expected ${issue.inclusive ? "at least" : "more than"} ${issue.minimum}`;
  if (issue.code === "too_big")
    return `${value} is too large, expected ${issue.inclusive ? "at most" : "less than"} ${issue.maximum}`;
  return undefined;
}

function lowered(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function setAt(target: Record<string, unknown>, path: string, value: unknown): void {
  const keys = path.split(".");
  const last = keys.pop()!;
  let at = target;
  for (const key of keys) {
    if (typeof at[key] !== "object" || at[key] === null) at[key] = {};
    at = at[key] as Record<string, unknown>;
  }
  at[last] = value;
}

/** What was said of former names: a file is read more than once. */
const told = new Set<string>();

/**
 * The settings in a YAML or JSON file, by their present names; of former ones standard error says what they
 * are called now.
 * @throws UserError for what is none.
 */
export function readConfigFile(path: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new UserError(`Cannot read --config ${path}: ${cause instanceof Error ? cause.message : cause}.`);
  }
  let content: unknown;
  try {
    content = parseYamlText(text);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(`${path} is neither YAML nor JSON: ${message}`);
  }
  if (typeof content !== "object" || content === null || Array.isArray(content))
    throw new UserError(`${path} holds no settings; write them as \`name: value\`.`);
  const renamed: string[] = [];
  const settings = withPresentNames(content, "", (former, present) =>
    renamed.push(`${former} is now called ${present}`),
  );
  const note = `${path}: ${renamed.join(", ")}; the old name${renamed.length > 1 ? "s still work" : " still works"}.\n`;
  if (renamed.length > 0 && !told.has(note)) process.stderr.write(note);
  told.add(note);
  return settings as Record<string, unknown>;
}

function nodeAt(root: Node, path: string): Node {
  const node = path.split(".").reduce<Node | undefined>((at, key) => at?.properties?.[key], root);
  if (!node) throw new Error(`internal: the configuration has no ${path}`);
  return node;
}

/** The node without the possibility of null. */
function meaning(node: Node): Node {
  const others = node.anyOf?.filter(({ type }) => type !== "null");
  return others?.length === 1 ? others[0] : node;
}

function choicesOf(node: Node): string[] | null {
  const { enum: choices = meaning(node).items?.enum } = meaning(node);
  return choices ? choices.map(String) : null;
}

/** A default as the help has it; null for what goes without saying. */
function shownValue(value: unknown): string | null {
  if (value === null || value === undefined || typeof value === "boolean") return null;
  if (Array.isArray(value)) return value.length === 0 ? null : value.join(",");
  return String(value);
}

function readValue(text: string, node: Node): unknown {
  const nullable = node.anyOf?.some(({ type }) => type === "null") ?? false;
  if (nullable && text === "none") return nothing;
  const { type, enum: choices, items, anyOf } = meaning(node);
  if (choices) {
    if (choices.includes(text)) return text;
    throw new InvalidArgumentError(`Choose from ${choices.join(", ")}.`);
  }
  if (type === "number" || type === "integer") return readNumber(text, type === "integer");
  if (type === "array") {
    const parts = text.split(",").map((part) => part.trim());
    if (parts.some((part) => part === "")) throw new InvalidArgumentError("It has an empty item.");
    return parts.map((part) => readValue(part, items ?? {}));
  }
  if (anyOf) {
    const word = anyOf.find((one) => one.enum?.includes(text));
    if (word) return text;
    return readNumber(
      text,
      anyOf.some((one) => one.type === "integer"),
    );
  }
  return text;
}

function readNumber(text: string, whole: boolean): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || (whole && !Number.isSafeInteger(value)))
    throw new InvalidArgumentError(`It must be a ${whole ? "whole " : ""}number.`);
  return value;
}
