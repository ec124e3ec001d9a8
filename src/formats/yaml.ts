import { parse, stringify } from "yaml";

/** Settings and descriptions have a few kilobytes and levels; the parser takes seconds for deep ones. */
const maxLength = 1 << 20;
const maxDepth = 100;

/**
 * The value of a small YAML or JSON text from a file. Only plain values come out of it: tags make
 * nothing, keys are texts.
 * @throws Error with a message of one line, also for texts that are far too long or too
 * deep to be what they should
 */
export function parseYamlText(text: string): unknown {
  if (text.length > maxLength) throw new Error(`it has ${text.length} characters, more than ${maxLength}`);
  if (isTooDeep(text)) throw new Error(`it is nested more than ${maxDepth} deep`);
  try {
    return parse(text, { logLevel: "error", stringKeys: true });
  } catch (cause) {
    throw new Error(cause instanceof Error ? cause.message.split("\n", 1)[0] : String(cause));
  }
}

/** Counts brackets, also those in texts and comments, and lists or keys that begin on one line. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  for (const bracket of text.match(/[[\]{}]/g) ?? []) {
    depth += bracket === "[" || bracket === "{" ? 1 : -1;
    if (depth > maxDepth) return true;
  }
  return new RegExp(`^[ \\t]*(?:[-?:][ \\t]+){${maxDepth}}`, "m").test(text);
}

/** A value as YAML text that `parseYamlText` reads. */
export function yamlText(value: unknown): string {
  return stringify(value);
}
