import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import "../../reference/predictor.ts"; // the form of converted models
import { Command, InvalidArgumentError, Option } from "commander";
import { refuseOtherFiles } from "../../common/files/folderLock.ts";
import { UserError } from "../../common/userError.ts";
import { chooseDisplayMode, ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { dataSchema, type FineTuneConfig } from "../../training/config/config.ts";
import { crossValidate, foldsMarker } from "../../training/folds/crossValidate.ts";
import { summaryText } from "../../training/folds/foldReport.ts";
import { newEncoder } from "../../training/folds/newEncoder.ts";
import { planSchema, usualSteps } from "../../training/folds/plan.ts";
import { type PredictorName, predictorNames } from "../../training/predictors/index.ts";
import { builtinName } from "../../training/run/open.ts";
import { checkMetadataColumns, openConfiguredData } from "../../training/tasks/openData.ts";
import { fineTuneSettings, parseFineTune } from "../options/fineTuneSettings.ts";
import {
  atLeastTwo,
  nameList,
  positiveWholeNumber,
  shareOption,
  wholeNumber,
} from "../options/optionValues.ts";

interface Flags {
  readonly dataset?: string;
  readonly table?: string;
  readonly tree?: string;
  readonly repSeqs?: string;
  readonly metadata?: string;
  readonly rarefyDepth?: string;
  readonly metadataColumn?: string;
  readonly classifier?: boolean;
  readonly predictor: PredictorName[];
  readonly encoder?: string;
  readonly encoderSteps?: number;
  readonly config?: string;
  readonly folds: number;
  readonly repeats: number;
  readonly splitBy?: string;
  readonly stratify?: string;
  readonly leaveOut?: string;
  readonly innerFolds: number;
  readonly nEstimators: number;
  readonly coverage: number;
  readonly learningCurve: number[];
  readonly reasons: boolean;
  readonly taxonomy?: string;
  readonly seed: number;
  readonly workers: number;
  readonly output?: string;
  readonly resume: boolean;
  readonly quiet: boolean;
  readonly json: boolean;
}

export function makeCommand(): Command {
  return new Command("cross-validate")
    .description(
      "Cross-validate predictors of a metadata column: errors on samples they have not seen, with intervals, and the ASVs that carry the predictions",
    )
    .optionsGroup("Data:")
    .option("--dataset <folder>", "a data set that `prep` wrote")
    .option("--table <file>", "BIOM, TSV or QIIME 2 table")
    .option("--tree <file>", "Newick or QIIME 2 tree, for UniFrac")
    .option("--rep-seqs <file>", "FASTA or QIIME 2 sequences, for tables whose ids are hashes")
    .option("--metadata <file>", "TSV, CSV or QIIME 2 metadata")
    .option("--rarefy-depth <n>", "counts to draw from each sample: a number, auto or none")
    .optionsGroup("Target:")
    .option("--metadata-column <name>", "what to predict")
    .option("--classifier", "predict classes, also of numbers")
    .option("--no-classifier", "predict numbers; a column of text is refused")
    .optionsGroup("Predictors:")
    .option(
      "--predictor <names>",
      `${predictorNames.join(", ")}: several with commas; the first is compared with the others`,
      predictorList,
      ["auto"],
    )
    .option(
      "--encoder <run>",
      "encoder for the predictors encoder, finetuned, stack and auto, which has seen no target values: folder of a pretraining run, `builtin`, or `new`: each fold pretrains one on the UniFrac distances of its training samples",
    )
    .option(
      "--encoder-steps <n>",
      `with --encoder new: train each encoder for at most this many steps; by default ${usualSteps}`,
      positiveWholeNumber,
    )
    .option(
      "--config <file>",
      "settings of `train` for the predictor finetuned, in YAML or JSON, such as best.yaml of `search`",
    )
    .option(
      "--inner-folds <n>",
      "folds within each training part, by which settings are chosen",
      atLeastTwo,
      5,
    )
    .option("--n-estimators <n>", "trees of the forest", positiveWholeNumber, 500)
    .optionsGroup("Folds:")
    .option("--folds <n>", "parts, each of which is held out once", atLeastTwo, 5)
    .option("--repeats <n>", "how often the samples are divided again, at random", positiveWholeNumber, 1)
    .option("--split-by <column>", "hold out whole groups, such as hosts")
    .option("--stratify <column>", "keep the proportions of this column's values in each part")
    .option("--leave-out <column>", "hold out one group after the other, such as studies")
    .option("--seed <n>", "decides the folds and the forest", wholeNumber, 0)
    .optionsGroup("Results:")
    .option(
      "--coverage <share>",
      "share of true values that the intervals should contain",
      coverageShare,
      0.9,
    )
    .option(
      "--learning-curve <shares>",
      "also train on these shares of the training samples, with commas",
      shares,
      [],
    )
    .option("--no-reasons", "do not rank the ASVs that carry the predictions")
    .option("--taxonomy <file>", "names of the ASVs in the table of reasons")
    .option("-o, --output <folder>", "folder for the report, the predictions and each fold")
    .optionsGroup("Running:")
    .addOption(
      new Option(
        "--workers <n>",
        "folds to run side by side, each in its own process; results do not depend on it",
      )
        .argParser(positiveWholeNumber)
        .default(availableParallelism(), "one for each core"),
    )
    .option("--resume", "continue with the folds that are not done yet", false)
    .option("--quiet", "print warnings and the figures only", false)
    .option("--json", "print the figures as JSON", false)
    .action(run);
}

/** Encoders that are no folders. */
const names: readonly string[] = [builtinName, newEncoder];

function predictorList(text: string): PredictorName[] {
  const names = nameList(text);
  const unknown = names.find((name) => !(predictorNames as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`"${unknown}" is none of ${predictorNames.join(", ")}.`);
  return [...new Set(names)] as PredictorName[];
}

function coverageShare(text: string): number {
  const value = shareOption(text);
  if (value === 1) throw new InvalidArgumentError("It must be below 1.");
  return value;
}

function shares(text: string): number[] {
  return nameList(text)
    .map(coverageShare)
    .sort((a, b) => a - b);
}

/** Settings of `finetuned`; undefined where it is not wanted. */
function fineTuneOf({ config, predictor }: Flags): FineTuneConfig | undefined {
  if (predictor.includes("finetuned")) return parseFineTune(fineTuneSettings({ config }), config);
  if (config === undefined) return undefined;
  throw new UserError(
    `--config has settings for the predictor finetuned, which is not wanted; leave it out, or add finetuned to --predictor.`,
  );
}

async function run(flags: Flags): Promise<void> {
  const { output, metadataColumn: column } = flags;
  if (column === undefined) throw new UserError("Nothing to predict is named; give --metadata-column.");
  if (output === undefined) throw new UserError("Give --output, a folder for the results.");
  const { encoder, encoderSteps } = flags;
  if (encoderSteps !== undefined && encoder !== newEncoder)
    throw new UserError(
      "--encoder-steps is for an encoder that each fold pretrains; add --encoder new, or leave it out.",
    );
  const fineTune = fineTuneOf(flags);
  refuseOtherFiles(output, foldsMarker);
  const display = new ProgressDisplay(chooseDisplayMode(flags));
  const { dataset: folder, table, tree, repSeqs, metadata, rarefyDepth } = flags;
  const data = dataSchema.safeParse({
    ...{ dataset: folder, table, tree, repSeqs, metadata },
    rarefyDepth: rarefyDepth !== undefined && /^\d+$/.test(rarefyDepth) ? Number(rarefyDepth) : rarefyDepth,
  });
  if (!data.success)
    throw new UserError(`--rarefy-depth must be a whole number, auto or none, not "${rarefyDepth}".`);
  const { splitBy, stratify, leaveOut } = flags;
  const columns = [column, splitBy, stratify, leaveOut].filter((name) => name !== undefined);
  checkMetadataColumns(data.data, columns);
  if (encoder === newEncoder && table !== undefined && tree === undefined)
    throw new UserError(
      "--encoder new is pretrained on UniFrac distances, which need a tree; give --tree, or --encoder builtin or a pretraining run.",
    );
  using dataset = await openConfiguredData({
    data: data.data,
    metric: tree === undefined ? null : "unweighted",
    seed: flags.seed,
    output,
    display,
  });
  const config = planSchema.parse({
    column,
    classifier: flags.classifier ?? null,
    predictors: flags.predictor,
    fineTune,
    encoder: encoder === undefined || names.includes(encoder) ? encoder : resolve(encoder),
    encoderSteps,
    folds: flags.folds,
    repeats: flags.repeats,
    splitBy: splitBy ?? null,
    stratify: stratify ?? null,
    leaveOut: leaveOut ?? null,
    innerFolds: flags.innerFolds,
    trees: flags.nEstimators,
    coverage: flags.coverage,
    curve: flags.learningCurve,
    reasons: flags.reasons,
    seed: flags.seed,
  });
  const command = `aam ${process.argv.slice(2).join(" ")}`;
  const { workers, resume, taxonomy } = flags;
  const { summary, report } = await crossValidate({
    dataset,
    script: join(import.meta.dir, "../foldWorker.ts"),
    config,
    output: resolve(output),
    workers,
    resume,
    taxonomy,
    command,
    display,
  });
  if (flags.json) console.log(JSON.stringify({ event: "cross-validation", ...summary }));
  else console.log(summaryText(summary));
  display.message(`The report is ${report}`);
}
