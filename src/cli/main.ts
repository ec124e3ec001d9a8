/**
 * The command line: `bun scripts/aam.ts NAME ...`, also reached as `bun run NAME`.
 *
 * To add a command: write `src/cli/<name>.ts` with
 *
 *     export function makeCommand(): Command {
 *       return new Command("name").option("--table <file>", "...").action(async (options) => { ... });
 *     }
 *
 * add its line to `commands` below, and its script to package.json. Only the file of the command that is called is
 * imported. An action throws `UserError` for a user's mistake: it is printed alone and the exit code is 1. What
 * commander itself rejects (an unknown option, a missing value) ends with 2. To end with another code without a
 * message, as `parity` does when a case is beyond its tolerance, set `process.exitCode`.
 */

import { Command, CommanderError } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { reportError } from "./reportError.ts";

interface CommandEntry {
  name: string;
  summary: string;
  load: () => Promise<{ makeCommand: () => Command }>;
}

export const commands: CommandEntry[] = [
  {
    name: "bench",
    summary: "measure this program against others",
    load: () => import("./bench.ts"),
  },
  {
    name: "convert",
    summary: "turn a checkpoint of the PyTorch version into one of this program, or back",
    load: () => import("./convert.ts"),
  },
  { name: "doctor", summary: "show what was found on this machine", load: () => import("./doctor.ts") },
  {
    name: "info",
    summary: "describe a data set or a file, and check it",
    load: () => import("./info.ts"),
  },
  {
    name: "parity",
    summary: "compare numbers with those of the PyTorch reference",
    load: () => import("./parity.ts"),
  },
  { name: "prep", summary: "make a data set from a study's files", load: () => import("./prep.ts") },
  { name: "pretrain", summary: "train an encoder on UniFrac", load: () => import("./pretrain.ts") },
  { name: "predict", summary: "predict targets of samples", load: () => import("./predict.ts") },
  { name: "evaluate", summary: "judge a model on known samples", load: () => import("./evaluate.ts") },
  { name: "embed", summary: "write embeddings and attention weights", load: () => import("./embed.ts") },
  { name: "lr-finder", summary: "search the learning rate", load: () => import("./lrFinder.ts") },
  { name: "report", summary: "write a run's report as HTML", load: () => import("./report.ts") },
  { name: "rf-baseline", summary: "judge simple predictors", load: () => import("./rfBaseline.ts") },
  { name: "train", summary: "predict metadata of samples", load: () => import("./train.ts") },
  {
    name: "unifrac",
    summary: "compute UniFrac distances or Faith's PD",
    load: () => import("./unifrac.ts"),
  },
  { name: "simulate", summary: "simulate a study to try things on", load: () => import("./simulate.ts") },
];

const usageExitCode = 2;

function addDebugOption(command: Command): Command {
  return command.option("--debug", "show the stack trace of an error").exitOverride();
}

/** The program with the wanted command in full and the others by name only, which keeps a start fast. */
async function makeProgram(wanted: string | undefined): Promise<Command> {
  const program = addDebugOption(new Command("aam"))
    .description(packageJson.description)
    .version(packageJson.version)
    .showHelpAfterError("(--help lists the options)");
  for (const entry of commands) {
    const command = entry.name === wanted ? (await entry.load()).makeCommand() : new Command(entry.name);
    if (!command.description()) command.description(entry.summary);
    program.addCommand(addDebugOption(command.showHelpAfterError("(--help lists the options)")));
  }
  return program;
}

/** Runs one command line (without the program's name); an error is reported and ends the process. */
export async function runCommandLine(argv: readonly string[]): Promise<void> {
  process.stdout.on("error", (cause: { code?: string }) => {
    // The reader has gone (`| head`): nothing more to say.
    if (cause.code === "EPIPE") process.exit(0);
    throw cause;
  });
  try {
    const wanted = argv.find((argument) => !argument.startsWith("-") && argument !== "help");
    const program = await makeProgram(wanted);
    if (argv.length === 0) program.help({ error: true });
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    // Commander has said what it had to say.
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : usageExitCode);
    process.exit(reportError(error, argv));
  }
}
