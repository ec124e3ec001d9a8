import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { isFile } from "../../common/files/inputFile.ts";
import type { Source } from "../../data/dataset/manifest.ts";
import { describeSource } from "../../data/prepare/provenance.ts";
import { type Action, program } from "../../formats/qiime2/action.ts";
import { fileRole } from "./filesOfCommand.ts";

/** Options that are about this run of the program alone. */
const idle = new Set(["debug", "json", "quiet"]);

type Path = readonly [name: string, path: string];

/** What is kept in the folder of a run or of a data set about the files that it is made from. */
const recordNames = ["run.json", "manifest.json"];

/** Files that a run or data set is made from, of those that are still there as they were. */
function sourcesOf(name: string, folder: string): Path[] {
  const record = recordNames.map((one) => join(folder, one)).find((one) => existsSync(one));
  if (record === undefined) return [];
  const { dataset, sources = dataset?.sources ?? [] } = JSON.parse(readFileSync(record, "utf8")) as {
    readonly sources?: readonly Source[];
    readonly dataset?: { readonly sources: readonly Source[] };
  };
  return sources
    .filter(({ role, path, sha256 }) => isFile(path) && describeSource(role, path).sha256 === sha256)
    .map(({ role, path }): Path => [`${name}_${role.replaceAll("-", "_")}`, path]);
}

/** What a command was asked to do, for the provenance of its results. */
export function actionOf(command: Command): Action {
  const inputs: Path[] = [];
  const outputs: Path[] = [];
  const parameters: Record<string, unknown> = {};
  const sort = (name: string, value: unknown, role: ReturnType<typeof fileRole>) => {
    const key = name.replaceAll("-", "_");
    const paths = [value].flat().filter((one) => typeof one === "string");
    if (role === "input" && paths.length > 0 && paths.every((path) => existsSync(path)))
      inputs.push(...paths.map((path): Path => [key, path]));
    else if (role === "output" && paths.length > 0) outputs.push(...paths.map((path): Path => [key, path]));
    else parameters[key] = value ?? null;
  };
  for (const option of command.options) {
    // `--no-baselines` is the parameter `baselines`, which is then false.
    const name = option.negate ? option.name().replace(/^no-/, "") : option.name();
    const value = command.getOptionValue(option.attributeName());
    if (value === undefined || idle.has(name)) continue;
    sort(name, value, fileRole(command, option));
  }
  command.registeredArguments.forEach((argument, i) => {
    if (command.processedArgs[i] !== undefined) sort(argument.name(), command.processedArgs[i], "input");
  });
  const names: string[] = [];
  for (let at: Command | null = command; at?.parent; at = at.parent) names.unshift(at.name());
  return {
    name: names.join("-"),
    commandLine: `${program.name} ${process.argv.slice(2).join(" ")}`,
    // Asked for when an artifact is written: telling whether sources are unchanged takes reading them.
    inputs: () => inputs.flatMap(([name, path]): Path[] => [[name, path], ...sourcesOf(name, path)]),
    outputs,
    parameters,
    start: new Date(),
  };
}
