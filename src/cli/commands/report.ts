import "../../reference/predictor.ts"; // the form of converted models
import { Command, Option } from "commander";
import { chooseDisplayMode, ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { reportRun } from "../../training/report/runReport.ts";
import { chooseDevice } from "../options/chooseDevice.ts";

interface Flags {
  readonly output?: string;
  readonly baselines: boolean;
  readonly reasons: boolean;
  readonly colour?: string;
  readonly metadata?: string;
  readonly taxonomy?: string;
  readonly device: "auto" | "cpu" | "cuda";
  readonly quiet: boolean;
}

export function makeCommand(): Command {
  return new Command("report")
    .description("Write a run's results as one HTML page, beside simple predictors on the same split")
    .argument("<run>", "folder of a run")
    .option(
      "-o, --output <file>",
      "where to write the page: .html, or .qzv for QIIME 2; by default report.html in the run's folder",
    )
    .option("--no-baselines", "leave out the random forest and the nearest neighbours")
    .option("--no-reasons", "do not rank the ASVs that carry a fine-tuned model's predictions")
    .option(
      "--colour <column>",
      "metadata column that first colours the map of samples; by default the target, or the first column",
    )
    .option("--metadata <file>", "metadata to colour the map by, beside those of the run's data set")
    .option("--taxonomy <file>", "name the ASVs that carry a fine-tuned model's predictions")
    .addOption(
      new Option("--device <name>", "where to compute").choices(["auto", "cpu", "cuda"]).default("auto"),
    )
    .option("--quiet", "print warnings only", false)
    .action(async (run: string, flags: Flags) => {
      const display = new ProgressDisplay(chooseDisplayMode(flags));
      const { output, baselines, reasons, colour, metadata, taxonomy } = flags;
      const device = await chooseDevice(flags.device);
      const what = { baselines, reasons, colour, metadata, taxonomy };
      const path = await reportRun({ run, output, device, ...what, display });
      display.message(`The report is ${path}`);
    });
}
