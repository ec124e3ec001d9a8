import { quote } from "../common/quote.ts";
import { UserError } from "../common/userError.ts";

/**
 * Refuses ids that are empty or stand twice. `where` names the file and the place,
 * `kind` what the ids are of.
 * @throws UserError with the first such id and its position.
 */
export function checkIds(ids: readonly string[], kind: "sample" | "ASV", where: string): void {
  const seen = new Set<string>();
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i];
    if (id === "")
      throw new UserError(`${where}: ${kind} ${i + 1} has an empty id; give every ${kind} an id.`);
    seen.add(id);
    if (seen.size === i + 1) continue;
    throw new UserError(
      `${where}: the ${kind} id ${quote(id)} stands at positions ${ids.indexOf(id) + 1} and ${i + 1}; ` +
        `make the ids unique.`,
    );
  }
}

/**
 * Refuses ids that would tear a table of text apart. @throws UserError with the first that contains a
 * tab or a line break
 */
export function refuseTornIds(path: string, ids: readonly string[]): void {
  const bad = ids.find((id) => /[\t\r\n]/.test(id));
  if (bad === undefined) return;
  throw new UserError(`Cannot write ${path}: the id ${JSON.stringify(bad)} contains a tab or line break.`);
}
