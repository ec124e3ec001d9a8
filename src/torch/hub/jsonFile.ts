import { readFileBytes } from "../../common/files/inputFile.ts";
import { UserError } from "../../common/userError.ts";

/** A file's JSON object. @throws UserError that names the file. */
export function readJsonObject(path: string): Record<string, unknown> {
  const text = new TextDecoder().decode(readFileBytes(path));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new UserError(
      `${path} is no JSON: ${cause instanceof Error ? cause.message : cause}. Download it again.`,
    );
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new UserError(`${path} holds no JSON object. Download it again.`);
  return value as Record<string, unknown>;
}
