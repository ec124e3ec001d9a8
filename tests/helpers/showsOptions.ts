import { appendFileSync } from "node:fs";

/**
 * The file that tests/cli/options.test.ts has these calls listed in, while it loads the
 * tests without running them.
 */
const list = process.env["AAM_OPTION_LIST"];

/**
 * Says, beside a test, which options it would fail without: `showsOptions("prep", "--tree --metric")`.
 * Several commands may share options, and "*" stands for all. tests/cli/options.test.ts fails for an
 * option that no test shows.
 */
export function showsOptions(commands: string | readonly string[], options: string): void {
  if (list === undefined) return;
  for (const command of [commands].flat())
    for (const option of options.split(" ")) appendFileSync(list, `${command} ${option}\n`);
}

/**
 * The same for options that set places of a configuration, e.g. `training.epochs`: those that
 * a table of effects names.
 */
export function showsPlaces(
  command: string,
  effects: readonly (readonly [path: string, ...unknown[]])[],
): void {
  if (list === undefined) return;
  for (const [path] of effects) appendFileSync(list, `${command} ${path}\n`);
}
