import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import "../../reference/predictor.ts"; // the form of converted models
import { Command, Option } from "commander";
import { refuseOtherFiles } from "../../common/files/folderLock.ts";
import { UserError } from "../../common/userError.ts";
import { chooseDisplayMode, ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { dataSchema, fineTuneSchema } from "../../training/config/config.ts";
import { search, searchMarker } from "../../training/search/search.ts";
import { searchText } from "../../training/search/searchReport.ts";
import { defaultSpace } from "../../training/search/space.ts";
import { isClassifier } from "../../training/targets/targets.ts";
import { frozenText } from "../../training/tasks/frozenText.ts";
import { checkMetadataColumns, openConfiguredData } from "../../training/tasks/openData.ts";
import { fineTuneSettings, parseFineTune } from "../options/fineTuneSettings.ts";
import { atLeastTwo, positiveNumber, positiveWholeNumber, wholeNumber } from "../options/optionValues.ts";
import { refuseIdleOptions } from "../options/refuseIdleOptions.ts";
import { readSpace } from "../options/searchSpace.ts";
import { encoderUse, trainOptions } from "./train.ts";

interface Flags {
  readonly dataset?: string;
  readonly table?: string;
  readonly tree?: string;
  readonly repSeqs?: string;
  readonly metadata?: string;
  readonly metadataColumn?: string;
  readonly pretrainedEncoder?: string;
  readonly freezeBase?: boolean;
  readonly splitBy?: string;
  readonly config?: string;
  readonly space: string[];
  readonly method: "halving" | "random";
  readonly trials: number;
  readonly maxMinutes?: number;
  readonly folds: number;
  readonly seed: number;
  readonly workers: number;
  readonly output?: string;
  readonly quiet: boolean;
  readonly json: boolean;
}

export function makeCommand(): Command {
  const more = (text: string, before: string[]) => [...before, text];
  return new Command("search")
    .description(
      "Search for good settings of `train` on inner folds, and judge the best ones once on held-out samples",
    )
    .optionsGroup("Data:")
    .option("--dataset <folder>", "a data set that `prep` wrote")
    .option("--table <file>", "BIOM, TSV or QIIME 2 table")
    .option("--tree <file>", "Newick or QIIME 2 tree")
    .option("--rep-seqs <file>", "FASTA or QIIME 2 sequences, for tables whose ids are hashes")
    .option("--metadata <file>", "TSV, CSV or QIIME 2 metadata")
    .optionsGroup("Training:")
    .option("--metadata-column <name>", "what to predict")
    .option("--pretrained-encoder <run>", "a pretraining run to start from, or builtin")
    .option("--freeze-base", "leave the pretrained encoder as it is, as with `train`: best for few samples")
    .option("--split-by <column>", "hold out whole groups, such as hosts")
    .option("--config <file>", "settings of `train` in YAML or JSON that all trials start from")
    .optionsGroup("Search:")
    .option(
      "--space <setting=values>",
      "an option of `train` and its range or choices: lr=1e-4..1e-2:log, batch-size=8,16,32; may be given several times",
      more,
      [],
    )
    .addOption(
      new Option(
        "--method <name>",
        "halving: judge only trials that do well on few folds on more; random: judge all on all folds",
      )
        .choices(["halving", "random"])
        .default("halving"),
    )
    .option("--trials <n>", "how many settings to draw, besides the starting ones", positiveWholeNumber, 27)
    .option("--max-minutes <n>", "begin no trial after this many minutes", positiveNumber)
    .option("--folds <n>", "inner folds", atLeastTwo, 3)
    .option("--seed <n>", "decides the settings drawn, the folds and the held-out samples", wholeNumber, 0)
    .optionsGroup("Running:")
    .addOption(
      new Option(
        "--workers <n>",
        "training runs side by side, each with one thread; results do not depend on it",
      )
        .argParser(positiveWholeNumber)
        .default(availableParallelism(), "one for each core"),
    )
    .option(
      "-o, --output <folder>",
      "folder for the table, report and best settings; the same command continues a search",
    )
    .option("--quiet", "print warnings and the result only", false)
    .option("--json", "print the result as JSON", false)
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  const { output, metadataColumn: column } = flags;
  if (output === undefined) throw new UserError("Give --output, a folder for the results.");
  const base = fineTuneSettings(flags);
  const config = parseFineTune(base, flags.config);
  const { target, split, training } = config;
  if (target.metadataColumn.length !== 1)
    throw new UserError(
      `A search is for one column, and ${target.metadataColumn.length === 0 && column === undefined ? "none is named; give --metadata-column" : `these are given: ${target.metadataColumn.join(", ")}; leave the others out`}.`,
    );
  if (config.freezeBase && config.pretrainedEncoder === null)
    throw new UserError(
      "--freeze-base would keep the encoder's random weights; give the --pretrained-encoder to keep.",
    );
  const lines = flags.space.length > 0 ? flags.space : defaultSpace(base);
  const space = readSpace(lines, fineTuneSchema, trainOptions, base);
  refuseIdleOptions(new Map(space.map(({ path, name }) => [path, `--${name}`])), encoderUse(config));
  const { dataset: folder, table, tree, repSeqs, metadata } = flags;
  const data = dataSchema.parse({ dataset: folder, table, tree, repSeqs, metadata });
  checkMetadataColumns(data, [...target.metadataColumn, ...(split.by === null ? [] : [split.by])]);
  refuseOtherFiles(output, searchMarker);
  const display = new ProgressDisplay(chooseDisplayMode(flags));
  using dataset = await openConfiguredData({
    data,
    metric: tree === undefined ? null : config.unifracMetric,
    seed: training.seed,
    output,
    display,
  });
  if (config.freezeBase)
    display.message(
      frozenText({ ...config, model: encoderUse(config).model }, isClassifier(dataset, target)),
    );
  const { method, trials, folds, seed, workers, maxMinutes } = flags;
  const { summary, report } = await search({
    dataset,
    config: { base, space, method, trials, folds, seed },
    output: resolve(output),
    workers,
    script: join(import.meta.dir, "../searchWorker.ts"),
    maxMinutes: maxMinutes ?? null,
    command: `aam ${process.argv.slice(2).join(" ")}`,
    display,
  });
  if (flags.json) console.log(JSON.stringify({ event: "search", ...summary }));
  else console.log(searchText(summary));
  display.message(`The best settings are in ${resolve(output, "best.yaml")}, the report is ${report}`);
}
