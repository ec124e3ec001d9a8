import { Command } from "commander";
import { UserError } from "../../common/userError.ts";
import { describeInput } from "../../data/describe/describe.ts";
import { describeText } from "../text/describeText.ts";

export function makeCommand(): Command {
  return new Command("info")
    .description(
      "Describe a data set, or a file with a table, tree, distances, sequences or metadata, and check all of it",
    )
    .argument("<path>", "data set folder or file")
    .option("--json", "print one JSON object; on an error, one with the key `error`", false)
    .option("--taxonomy <file>", "taxonomy of the ASVs of a table or data set, to list its largest taxa")
    .action(async (path: string, { json, taxonomy }: { json: boolean; taxonomy?: string }) => {
      try {
        const description = await describeInput(path, { taxonomy });
        process.stdout.write(json ? `${JSON.stringify(description)}\n` : describeText(path, description));
      } catch (error) {
        if (!json || !(error instanceof UserError)) throw error;
        process.stdout.write(`${JSON.stringify({ error: error.message })}\n`);
        process.exitCode = 1;
      }
    });
}
