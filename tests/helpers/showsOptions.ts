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
  for (const command of [commands].flat())
    for (const option of options.split(" ")) say("test", command, option);
}

/**
 * Says the same of a table whose rows are run with an option and without: each row begins with the option, or
 * with the place of the configuration that it sets, e.g. `training.epochs`.
 */
export function showsRows(command: string, rows: Iterable<readonly [name: string, ...unknown[]]>): void {
  for (const [name] of rows) say("row", command, name);
}

function say(how: "test" | "row", command: string, name: string): void {
  if (list !== undefined) appendFileSync(list, `${how} ${command} ${name}\n`);
}
