import { dirname, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { UserError } from "../../common/userError.ts";
import { openDataset } from "../../data/dataset/dataset.ts";
import { cacheBeside, prepareCached } from "../../data/prepare/cached.ts";
import { figureText } from "../../display/numberText.ts";
import { chooseDisplayMode, ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { stageReporter } from "../../display/terminal/stageReporter.ts";
import { type BaselineSummary, baselinesOfRun, summaryOf } from "../../training/baselines/baselinesOfRun.ts";
import { runBaselines } from "../../training/baselines/runBaselines.ts";
import { splitSchema, targetSchema } from "../../training/config/config.ts";
import { RunFolder } from "../../training/run/folder.ts";
import { writePredictions } from "../../training/targets/predictionTable.ts";
import { labelledSamples, Targets } from "../../training/targets/targets.ts";
import { splitSamples } from "../../training/tasks/splitSamples.ts";
import { plotPredictions } from "../../training/tasks/targetPlots.ts";
import { positiveWholeNumber, wholeNumber } from "../options/optionValues.ts";

interface Flags {
  readonly run?: string;
  readonly table?: string;
  readonly repSeqs?: string;
  readonly metadata?: string;
  readonly metadataColumn?: string;
  readonly trainSamples?: string;
  readonly valSamples?: string;
  readonly output?: string;
  readonly nEstimators: number;
  readonly maxFeatures: number | "sqrt" | "all";
  readonly randomSeed?: number;
  readonly quiet: boolean;
  readonly json: boolean;
}

export function makeCommand(): Command {
  return new Command("rf-baseline")
    .description("Judge a random forest and other simple predictors on the samples that a run held out")
    .optionsGroup("On a run's data and split:")
    .option("--run <folder>", "a run of `train`; the predictions are kept in it")
    .optionsGroup("On files, instead of a run:")
    .option("--table <file>", "BIOM, TSV or QIIME 2 table")
    .option("--rep-seqs <file>", "FASTA or QIIME 2 sequences, for tables whose ids are hashes")
    .option("--metadata <file>", "TSV, CSV or QIIME 2 metadata")
    .option("--metadata-column <name>", "what to predict")
    .option("--train-samples <file>", "ids of the training samples, one on each line")
    .option("--val-samples <file>", "ids of the samples to predict, one on each line")
    .option("-o, --output <file>", "TSV of the forest's predictions; a plot is written beside it")
    .addOption(new Option("--random-seed <n>", "decides the forest; by default 42").argParser(wholeNumber))
    .optionsGroup("Forest:")
    .option("--n-estimators <n>", "number of trees", positiveWholeNumber, 500)
    .option(
      "--max-features <n>",
      "ASVs looked at for a split: a number, a share, sqrt or all",
      maxFeatures,
      "sqrt",
    )
    .optionsGroup("Running:")
    .option("--quiet", "print warnings and the figures only", false)
    .option("--json", "print the figures as JSON, one object per line", false)
    .action(run);
}

function maxFeatures(text: string): number | "sqrt" | "all" {
  if (text === "sqrt" || text === "all") return text;
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && (value < 1 || Number.isInteger(value))) return value;
  throw new InvalidArgumentError("It must be sqrt, all, a whole number, or a share between 0 and 1.");
}

async function run(flags: Flags): Promise<void> {
  const forest = { trees: flags.nEstimators, maxFeatures: flags.maxFeatures };
  const display = new ProgressDisplay(chooseDisplayMode(flags));
  // Programs get the figures alone.
  const tell = (text: string) => {
    if (!flags.json) display.message(text);
  };
  const onProgress = progressFor(display, flags.json);
  const files = ["table", "metadata", "metadataColumn", "trainSamples", "valSamples", "output"] as const;
  const given = files.filter((name) => flags[name] !== undefined);
  if (flags.run !== undefined) {
    if (given.length > 0 || flags.repSeqs !== undefined || flags.randomSeed !== undefined)
      throw new UserError(
        "--run has its own table, metadata, column, split and seed; leave the options for files out.",
      );
    const folder = new RunFolder(flags.run);
    tell("Computing a random forest and nearest neighbours");
    show(baselinesOfRun(folder, forest, onProgress), flags.json);
    tell(`The predictions are in ${folder.baselines}`);
    return;
  }
  const missing = files.find((name) => flags[name] === undefined);
  if (missing !== undefined) {
    const option = missing.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new UserError(`--${option} is missing; or give the --run whose samples are to be predicted.`);
  }
  tell("Computing a random forest");
  show(await fromFiles({ randomSeed: 42, ...flags } as Required<Flags>, forest, display), flags.json);
  tell(`The predictions are in ${flags.output}, and a plot is beside them`);
}

async function fromFiles(
  flags: Required<Flags>,
  forest: { trees: number; maxFeatures: number | "sqrt" | "all" },
  display: ProgressDisplay,
): Promise<BaselineSummary[]> {
  const { table, repSeqs, metadata, metadataColumn, output } = flags;
  const cache = cacheBeside(output);
  const { folder } = await prepareCached({ table, repSeqs, metadata, rarefyDepth: "none" }, cache);
  using dataset = openDataset(folder);
  const target = targetSchema.parse({ metadataColumn: [metadataColumn], transform: "none" });
  const parts = splitSchema.parse({ trainSamples: flags.trainSamples, valSamples: flags.valSamples });
  const split = splitSamples(dataset, parts, 0, labelledSamples(dataset, target.metadataColumn));
  for (const warning of split.warnings) display.warn(warning);
  const targets = Targets.fit(dataset, split.train, target);
  const { train, validation } = split;
  const seed = flags.randomSeed;
  const baselines = runBaselines(dataset, {
    targets,
    train,
    validation,
    seed,
    forest,
    onProgress: progressFor(display, flags.json),
    metric: null,
    splitBy: null,
  });
  const [{ predictions, qualities }] = baselines;
  const input = { dataset, samples: validation, predictions, targets };
  writePredictions(output, { ...input, withActual: true });
  await plotPredictions(dirname(resolve(output)), { ...input, qualities });
  return baselines.map(summaryOf);
}

/** Programs get the figures alone. */
const progressFor = (display: ProgressDisplay, json: boolean) => (json ? undefined : stageReporter(display));

function show(summaries: readonly BaselineSummary[], json: boolean): void {
  for (const summary of summaries) {
    if (json) {
      console.log(JSON.stringify({ event: "baseline", ...summary }));
      continue;
    }
    const shown = ["mae", "rmse", "r2", "pearson", "accuracy", "f1", "macro_f1", "auc"]
      .filter((name) => name in summary.figures)
      .map((name) => `${name} ${figureText(summary.figures[name])}`);
    console.log(`${summary.name} (${summary.note}): ${shown.join(", ")}`);
  }
}
