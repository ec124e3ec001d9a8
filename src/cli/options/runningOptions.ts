import { type Command, Option } from "commander";
import { positiveWholeNumber } from "./optionValues.ts";

/** Where a command computes. */
export function addDeviceOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--device <name>", "where to compute; auto: on a GPU if there is one")
        .choices(["auto", "cpu", "cuda"])
        .default("auto"),
    )
    .option(
      "--threads <n>",
      "CPU threads that one operation may use; all cores if not given",
      positiveWholeNumber,
    );
}

/** What a command prints: `quiet` is what still is with --quiet, `json` what JSON tells. */
export function addPrintOptions(command: Command, quiet = "warnings", json = "what was done"): Command {
  return command
    .option("--quiet", `print ${quiet} only`, false)
    .option("--json", `print ${json} as JSON, one object per line`, false);
}
