import { existsSync, realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Command, Option } from "commander";
import { UserError } from "../../common/userError.ts";

/**
 * Options whose files a command reads; the others that take a file or folder name one to write, or
 * neither.
 */
const inputNames = new Set(
  (
    "against asvs config dataset distance-ids distances encoder exclude-asvs exclude-samples ids input merge metadata model " +
    "pretrained-encoder rep-seqs run samples table taxonomy train-samples tree val-samples"
  ).split(" "),
);

/** What other commands read under these names, `embed` writes. */
const writtenByEmbed = new Set(["asvs", "distances"]);

/** Whether an option names what is read or what is written; undefined where it names no file or folder. */
export function fileRole(command: Command, option: Option): "input" | "output" | undefined {
  if (!/<(file|folder|table|run|path|checkpoint)>/.test(option.flags)) return undefined;
  const name = option.name();
  const isInput = inputNames.has(name) && !(command.name() === "embed" && writtenByEmbed.has(name));
  return isInput ? "input" : "output";
}

/**
 * Makes a command, and those below it, refuse what would go wrong without a word before it does anything: a
 * second file for an input that it takes one of (the last would count, while other commands put several
 * together), and an output that is an input or another output, by whatever path.
 */
export function guardFiles(command: Command): Command {
  for (const one of command.commands) guardFiles(one);
  const given = new Map<Option, string[]>();
  for (const option of command.options)
    if (fileRole(command, option) === "input")
      command.on(`option:${option.name()}`, (path: string) =>
        given.set(option, [...(given.get(option) ?? []), path]),
      );
  return command.hook("preAction", (_command, called) => {
    for (const [option, paths] of given) {
      const other = paths.find((path) => path !== paths[0]);
      if (other !== undefined && !Array.isArray(called.getOptionValue(option.attributeName())))
        throw new UserError(
          `${option.long} is given twice, as ${paths[0]} and as ${other}, and takes one file here; leave one out.`,
        );
    }
    refuseOverwriting(called);
  });
}

/** @throws UserError for an output that is one of the command's inputs or another output; it names both. */
function refuseOverwriting(command: Command): void {
  const files = (role: "input" | "output") =>
    command.options
      .filter((option) => fileRole(command, option) === role)
      .flatMap((option) => {
        const paths = [command.getOptionValue(option.attributeName())].flat();
        return pathsOf(paths).map((path) => ({ path, what: option.long ?? option.flags }));
      });
  const read = pathsOf(command.processedArgs.flat()).map((path) => ({ path, what: "which is read" }));
  const taken = new Map([...read, ...files("input")].map((file) => [fileBehind(file.path), file]));
  taken.delete(undefined);
  for (const { path, what } of files("output")) {
    // Two outputs may be new, and a device takes all that comes.
    const file = fileBehind(path) ?? (existsSync(path) ? undefined : resolve(path));
    const other = file === undefined ? undefined : taken.get(file);
    if (other !== undefined)
      throw new UserError(`${what} would write over ${other.path} (${other.what}); give it another name.`);
    if (file !== undefined) taken.set(file, { path, what });
  }
}

const pathsOf = (values: readonly unknown[]) => values.filter((value) => typeof value === "string");

/** The file that a path leads to in the end, undefined where there is none, or something else. */
function fileBehind(path: string): string | undefined {
  try {
    const real = realpathSync(path);
    return statSync(real).isFile() ? real : undefined;
  } catch {
    return undefined;
  }
}
