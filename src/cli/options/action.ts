import { existsSync } from "node:fs";
import type { Command } from "commander";
import { type Action, program } from "../../formats/qiime2/action.ts";

/**
 * Options whose files a command reads; the others that take a file or folder name one to write, or
 * neither.
 */
const inputNames = new Set(
  (
    "against asvs config dataset distance-ids distances exclude-asvs exclude-samples ids merge metadata model " +
    "pretrained-encoder rep-seqs run samples table taxonomy train-samples tree val-samples"
  ).split(" "),
);

/** What other commands read under these names, `embed` writes. */
const writtenByEmbed = new Set(["asvs", "distances"]);

/** Options that are about this run of the program alone. */
const idle = new Set(["debug", "json", "quiet"]);

/** What a command was asked to do, for the provenance of its results. */
export function actionOf(command: Command): Action {
  const inputs: [string, string][] = [];
  const outputs: [string, string][] = [];
  const parameters: Record<string, unknown> = {};
  const sort = (name: string, value: unknown, takesPath: boolean, isInput: boolean) => {
    const key = name.replaceAll("-", "_");
    const paths = [value].flat().filter((one) => typeof one === "string");
    if (takesPath && isInput && paths.length > 0 && paths.every((path) => existsSync(path)))
      inputs.push(...paths.map((path): [string, string] => [key, path]));
    else if (takesPath && !isInput && paths.length > 0)
      outputs.push(...paths.map((path): [string, string] => [key, path]));
    else parameters[key] = value ?? null;
  };
  for (const option of command.options) {
    const name = option.name();
    const value = command.getOptionValue(option.attributeName());
    if (value === undefined || idle.has(name)) continue;
    const isInput = inputNames.has(name) && !(command.name() === "embed" && writtenByEmbed.has(name));
    sort(name, value, /<(file|folder|table|run|path|checkpoint)>/.test(option.flags), isInput);
  }
  command.registeredArguments.forEach((argument, i) => {
    if (command.processedArgs[i] !== undefined) sort(argument.name(), command.processedArgs[i], true, true);
  });
  const names: string[] = [];
  for (let at: Command | null = command; at?.parent; at = at.parent) names.unshift(at.name());
  return {
    name: names.join("-"),
    commandLine: `${program.name} ${process.argv.slice(2).join(" ")}`,
    inputs,
    outputs,
    parameters,
    start: new Date(),
  };
}
