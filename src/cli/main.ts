/**
 * The command line: `bun scripts/aam.ts NAME ...`, also reached as `bun run NAME`.
 *
 * To add a command: write `src/cli/commands/<name>.ts` with
 *
 *     export function makeCommand(): Command {
 *       return new Command("name").option("--table <file>", "...").action(async (options) => { ... });
 *     }
 *
 * add its line to `commands` below, and its script to package.json (of `pretrain`: the file pretrain.ts).
 * Only the file of the command that is called is imported. An action throws `UserError` for a user's mistake:
 * it is printed alone and the exit code is 1. What commander itself rejects (an unknown option, a missing
 * value) ends with 2. To end with another code without a message, as `parity` does when a case is beyond its
 * tolerance, set `process.exitCode`.
 */

import { Command, CommanderError } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { watchInterrupts } from "../common/interrupt.ts";
import { setAction } from "../formats/qiime2/action.ts";
import { actionOf } from "./options/action.ts";
import { guardFiles } from "./options/filesOfCommand.ts";
import { styleHelp } from "./options/helpStyle.ts";
import { reportError } from "./text/reportError.ts";

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Its heading in the list of commands. */
  readonly group: string;
  /** Command lines for the end of its help. */
  readonly examples?: readonly string[];
  readonly load: () => Promise<{ readonly makeCommand: () => Command }>;
}

/** Headings in the list of commands. */
export const groups = {
  data: "Data:",
  statistics: "Statistics:",
  training: "Training:",
  use: "Using a trained model:",
  program: "This program:",
} as const;

export const commands: CommandEntry[] = [
  {
    name: "info",
    group: groups.data,
    summary: "describe a data set or a file, and check it",
    examples: ["aam info table.biom"],
    load: () => import("./commands/info.ts"),
  },
  {
    name: "prep",
    group: groups.data,
    summary: "make a data set from a study's files",
    examples: ["aam prep --table table.biom --tree tree.nwk --metadata metadata.tsv --output set"],
    load: () => import("./commands/prep.ts"),
  },
  {
    name: "unifrac",
    group: groups.data,
    summary: "compute UniFrac distances or Faith's PD",
    examples: ["aam unifrac --table table.biom --tree tree.nwk --output distances.npy"],
    load: () => import("./commands/unifrac.ts"),
  },
  {
    name: "table",
    group: groups.data,
    summary: "filter, merge, collapse or subsample tables",
    examples: [
      "aam table filter --table table.qza --metadata metadata.tsv --where body-site=gut --min-samples 2 --output gut.qza",
      "aam table collapse --table table.biom --taxonomy taxonomy.qza --level 6 --output genera.biom",
    ],
    load: () => import("./commands/table.ts"),
  },
  {
    name: "simulate",
    group: groups.data,
    summary: "simulate a study to try things on",
    examples: ["aam simulate --output study"],
    load: () => import("./commands/simulate.ts"),
  },
  {
    name: "beta",
    group: groups.statistics,
    summary: "compute Bray-Curtis, Jaccard or Aitchison distances, which need no tree",
    examples: ["aam beta --table table.biom --metric jaccard --output distances.tsv"],
    load: () => import("./commands/beta.ts"),
  },
  {
    name: "pcoa",
    group: groups.statistics,
    summary: "find the principal coordinates of distances, and draw them",
    examples: [
      "aam pcoa --distances unifrac.qza --output pcoa.txt",
      "aam pcoa --table table.biom --tree tree.nwk --output pcoa.tsv --plot pcoa.svg --metadata metadata.tsv --color-by site",
    ],
    load: () => import("./commands/pcoa.ts"),
  },
  {
    name: "permanova",
    group: groups.statistics,
    summary: "test whether groups of samples have different centres",
    examples: ["aam permanova --distances unifrac.tsv --metadata metadata.tsv --column site --strata plot"],
    load: async () => ({ makeCommand: (await import("./commands/groupTests.ts")).makePermanova }),
  },
  {
    name: "anosim",
    group: groups.statistics,
    summary: "test whether samples are more alike within groups than between them",
    examples: ["aam anosim --distances unifrac.tsv --metadata metadata.tsv --column site"],
    load: async () => ({ makeCommand: (await import("./commands/groupTests.ts")).makeAnosim }),
  },
  {
    name: "mantel",
    group: groups.statistics,
    summary: "test whether two matrices of distances are correlated",
    examples: ["aam mantel predicted.tsv unifrac.tsv --method spearman"],
    load: () => import("./commands/mantel.ts"),
  },
  {
    name: "procrustes",
    group: groups.statistics,
    summary: "compare two maps of the same samples",
    examples: ["aam procrustes predicted.tsv unifrac.tsv --dimensions 3"],
    load: () => import("./commands/procrustes.ts"),
  },
  {
    name: "alpha",
    group: groups.statistics,
    summary: "compute the diversity of each sample",
    examples: ["aam alpha --table table.biom --tree tree.nwk --rarefy-depth 1000 --output alpha.tsv"],
    load: () => import("./commands/alpha.ts"),
  },
  {
    name: "rarefaction",
    group: groups.statistics,
    summary: "compute and draw rarefaction curves",
    examples: [
      "aam rarefaction --table table.biom --output curves.tsv --plot curves.svg --metadata metadata.tsv --group-by site",
    ],
    load: () => import("./commands/rarefaction.ts"),
  },
  {
    name: "pretrain",
    group: groups.training,
    summary: "train an encoder whose distances between samples match UniFrac",
    examples: [
      "aam pretrain --table table.biom --tree tree.nwk --output encoder",
      "aam pretrain --output encoder --resume",
    ],
    load: () => import("./commands/pretrain.ts"),
  },
  {
    name: "train",
    group: groups.training,
    summary: "train a model that predicts metadata, on a pretrained encoder or from scratch",
    examples: [
      "aam train --table table.biom --tree tree.nwk --metadata metadata.tsv --metadata-column age --output run",
      "aam train --dataset set --metadata-column ph,age --pretrained-encoder encoder --freeze-base --output run",
    ],
    load: () => import("./commands/train.ts"),
  },
  {
    name: "lr-finder",
    group: groups.training,
    summary: "find a learning rate for pretraining",
    examples: ["aam lr-finder --dataset set --output rates.svg"],
    load: () => import("./commands/lrFinder.ts"),
  },
  {
    name: "cross-validate",
    group: groups.training,
    summary: "compare predictors by cross-validation, with intervals",
    examples: [
      "aam cross-validate --dataset set --metadata-column age --split-by host --repeats 10 --output cv",
      "aam cross-validate --dataset set --metadata-column age --leave-out study --output studies",
    ],
    load: () => import("./commands/crossValidate.ts"),
  },
  {
    name: "search",
    group: groups.training,
    summary: "search for good settings of train on inner folds",
    examples: [
      "aam search --dataset set --metadata-column age --split-by host --max-minutes 60 --output search",
      "aam search --dataset set --metadata-column age --space lr=1e-4..1e-2:log --space batch-size=8,16,32 --output search",
    ],
    load: () => import("./commands/search.ts"),
  },
  {
    name: "rf-baseline",
    group: groups.training,
    summary: "predict with a random forest and nearest neighbours",
    examples: ["aam rf-baseline --run run"],
    load: () => import("./commands/rfBaseline.ts"),
  },
  {
    name: "report",
    group: groups.training,
    summary: "write a run's report as one HTML page",
    examples: ["aam report run"],
    load: () => import("./commands/report.ts"),
  },
  {
    name: "predict",
    group: groups.use,
    summary: "predict metadata of samples",
    examples: ["aam predict --model run --table new.biom --output predictions.tsv"],
    load: () => import("./commands/predict.ts"),
  },
  {
    name: "evaluate",
    group: groups.use,
    summary: "judge a model on samples whose metadata are known",
    examples: ["aam evaluate --model run --table new.biom --metadata metadata.tsv --output evaluation"],
    load: () => import("./commands/evaluate.ts"),
  },
  {
    name: "embed",
    group: groups.use,
    summary: "write embeddings and attention weights",
    examples: [
      "aam embed --model run --table new.biom --output samples.parquet --asvs asvs.parquet",
      "aam embed --model run --table new.biom --distances unifrac.tsv",
    ],
    load: () => import("./commands/embed.ts"),
  },
  {
    name: "convert",
    group: groups.use,
    summary: "convert a checkpoint of the original AAM to one of this program, or back",
    examples: ["aam convert best_model.pt encoder.safetensors --heads 4", "aam convert run model.pt"],
    load: () => import("./commands/convert.ts"),
  },
  {
    name: "doctor",
    group: groups.program,
    summary: "show what was found on this machine",
    load: () => import("./commands/doctor.ts"),
  },
  {
    name: "parity",
    group: groups.program,
    summary: "compare numbers with those of the original AAM",
    load: () => import("./commands/parity.ts"),
  },
];

const usageExitCode = 2;

function finish(command: Command): Command {
  return styleHelp(command)
    .optionsGroup("Options:")
    .option("--debug", "show the stack trace of an error")
    .exitOverride();
}

/** The program with the wanted command in full and the others by name only, which keeps a start fast. */
export async function makeProgram(
  wanted: string | undefined,
  additional: readonly CommandEntry[] = [],
): Promise<Command> {
  const program = finish(new Command("aam"))
    .description(packageJson.description)
    .version(packageJson.version)
    .commandsGroup(groups.program)
    .showHelpAfterError("(--help lists the options)")
    .hook("preAction", (_program, command) => setAction(actionOf(command)))
    .addHelpText("after", "\nEach command has its own --help, and its options are listed there.");
  for (const entry of [...commands, ...additional]) {
    const command = entry.name === wanted ? (await entry.load()).makeCommand() : new Command(entry.name);
    if (!command.description()) command.description(entry.summary);
    const { examples = [] } = entry;
    if (examples.length > 0) command.addHelpText("after", `\nFor example:\n  ${examples.join("\n  ")}`);
    program.addCommand(
      finish(guardFiles(command).helpGroup(entry.group).showHelpAfterError("(--help lists the options)")),
    );
  }
  return program;
}

/**
 * Runs one command line (without the program's name); an error is reported and ends the process. `additional`
 * are commands that only a checkout of the project has.
 */
export async function runCommandLine(
  argv: readonly string[],
  additional: readonly CommandEntry[] = [],
): Promise<void> {
  watchInterrupts();
  process.stdout.on("error", (cause: { code?: string }) => {
    // The reader has gone (`| head`): nothing more to say.
    if (cause.code === "EPIPE") process.exit(0);
    throw cause;
  });
  try {
    const wanted = argv.find((argument) => !argument.startsWith("-") && argument !== "help");
    const program = await makeProgram(wanted, additional);
    if (argv.length === 0) program.help({ error: true });
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    // Commander has said what it had to say.
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : usageExitCode);
    process.exit(reportError(error, argv));
  }
}
