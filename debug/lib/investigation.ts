import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { Command, Option } from "commander";
import { wholeNumber } from "../../src/cli/options/optionValues.ts";
import { reportError } from "../../src/cli/text/reportError.ts";
import { UserError } from "../../src/common/userError.ts";
import * as torch from "../../src/torch/index.ts";
import { type Finding, numberText, writeFinding } from "./finding.ts";
import { type DemoSize, demoSubject, openSubject } from "./openSubject.ts";
import type { Subject } from "./subject.ts";
import { isHeld, verdictSentence } from "./verdict.ts";

/** Exit code where a threshold was not kept. */
const notKept = 3;

/** Settings of an investigation, as its options give them. */
export type Settings = Readonly<Record<string, number | string | boolean | undefined>>;

export interface Context {
  /** Tells what is being done. */
  readonly say: (text: string) => void;
  /** A folder for files that nobody needs afterwards. */
  readonly scratch: string;
}

export interface Investigation<S extends Settings = Settings> {
  /** The script's and the report folder's name. */
  readonly name: string;
  readonly question: string;
  /** What must be given: a run with its data, or data alone. */
  readonly needs: "run" | "data";
  /** Every setting with its default and what it is. */
  readonly settings: { readonly [name in keyof S]: Setting<S[name]> };
  /** Other settings for the demo, which is to end within a minute. */
  readonly demo?: Partial<S>;
  readonly demoSize?: DemoSize;
  investigate(subject: Subject, settings: S, context: Context): Promise<Finding>;
}

export interface Setting<T> {
  readonly default: T;
  readonly is: string;
  readonly parse?: (text: string) => T;
}

/** An investigation's settings with their defaults, some of them changed. */
export function settingsOf<S extends Settings>(investigation: Investigation<S>, changed: Partial<S> = {}): S {
  const defaults = Object.entries(investigation.settings).map(([name, setting]) => [name, setting.default]);
  return { ...Object.fromEntries(defaults), ...changed } as S;
}

interface CommonOptions {
  run?: string;
  data?: string;
  demo: boolean;
  output?: string;
  seed: number;
  threads?: number;
  device: torch.Device | "auto";
}

const flagOf = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function makeCommand<S extends Settings>(investigation: Investigation<S>): Command {
  const command = new Command(`debug/${investigation.name}.ts`)
    .description(investigation.question)
    .option("--run <folder>", "a run of train.ts or pretrain with --encoder aam")
    .option("--data <folder>", "the prepared data set; default: the one that was kept beside the run")
    .option("--demo", "on a simulated study and a model trained on it within seconds", false)
    .option("--output <folder>", `where the report goes (default: debug/reports/${investigation.name})`)
    .option("--seed <n>", "of everything random", wholeNumber, 42)
    .option("--threads <n>", "CPU threads of one operation", wholeNumber)
    .addOption(
      new Option("--device <name>", "where to compute").choices(["auto", "cpu", "cuda"]).default("cpu"),
    )
    .addHelpText(
      "after",
      `\nNeeds ${investigation.needs === "run" ? "--run and --data" : "--data (a --run is optional)"}, or --demo. ` +
        `Ends with ${notKept} where a threshold is not kept.`,
    );
  for (const [name, setting] of Object.entries<Setting<unknown>>(investigation.settings)) {
    const isFlag = typeof setting.default === "boolean";
    const option = new Option(`--${flagOf(name)}${isFlag ? "" : " <value>"}`, setting.is);
    if (setting.parse) option.argParser(setting.parse);
    command.addOption(option.default(setting.default));
  }
  return command;
}

/** Where a script is started directly: reads the command line, investigates, prints, writes the report. */
export async function runInvestigation<S extends Settings>(investigation: Investigation<S>): Promise<void> {
  const command = makeCommand(investigation);
  command.action(async (options: CommonOptions & S) => {
    const scratch = mkdtempSync(join(tmpdir(), "aam-debug-"));
    try {
      await run(investigation, command, options, scratch);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });
  try {
    await command.parseAsync();
  } catch (error) {
    process.exit(reportError(error));
  }
}

async function run<S extends Settings>(
  investigation: Investigation<S>,
  command: Command,
  options: CommonOptions & S,
  scratch: string,
): Promise<void> {
  const started = performance.now();
  if (options.threads) torch.setNumThreads(options.threads);
  const device = investigationDevice(options.device);
  const say = (text: string) => console.log(text);
  const subject = await chooseSubject(investigation, options, device, { say, scratch });
  const settings = settingsOf(investigation, options.demo ? investigation.demo : {});
  for (const name of Object.keys(investigation.settings)) {
    const given = command.getOptionValueSource(name) === "cli";
    if (given) Object.assign(settings, { [name]: options[name] });
  }
  say(subject.description);
  const finding = await investigation.investigate(subject, settings, { say, scratch });
  const folder = options.output ?? join(import.meta.dir, "..", "reports", investigation.name);
  const facts = {
    name: investigation.name,
    question: investigation.question,
    command: commandLine(investigation.name, process.argv.slice(2)),
    subject: subject.description,
    seconds: (performance.now() - started) / 1000,
  };
  await writeFinding(folder, facts, finding);
  console.log(`\n${finding.answer}`);
  for (const detail of finding.details) console.log(`- ${detail}`);
  console.log();
  for (const verdict of finding.verdicts) {
    const { name, value, relation, threshold } = verdict;
    const mark = isHeld(verdict) ? "kept    " : "NOT KEPT";
    console.log(
      `${mark} ${name}: ${numberText(value)} ${relation} ${numberText(threshold)}? ${verdictSentence(verdict)}`,
    );
  }
  console.log(`\nThe report is ${relative(process.cwd(), join(folder, "report.md"))}`);
  if (!finding.verdicts.every(isHeld)) process.exitCode = notKept;
}

function chooseSubject<S extends Settings>(
  { needs, demoSize, name }: Investigation<S>,
  { run, data, demo, seed }: CommonOptions,
  device: torch.Device,
  context: Context,
): Promise<Subject> | Subject {
  if (demo) {
    if (run || data) throw new UserError("Give either --demo, or --run and --data.");
    return demoSubject(context, { device, seed, trained: needs === "run", ...demoSize });
  }
  if (needs === "run" && !run) {
    throw new UserError(
      `debug/${name}.ts looks at a trained model: give --run RUN and --data DIR, or try it with --demo.`,
    );
  }
  if (!run && !data)
    throw new UserError(`debug/${name}.ts looks at data: give --data DIR, or try it with --demo.`);
  return openSubject({ run, data, device, seed });
}

/** @throws UserError where the wished device is not there. */
export function investigationDevice(wish: torch.Device | "auto"): torch.Device {
  if (wish !== "auto" && wish !== "cpu" && torch.accelerator() === null)
    throw new UserError(`There is no ${wish} device here; compute on --device cpu.`);
  return torch.resolveDevice(wish);
}

/** The command with folders by their last name alone: paths of one machine mean nothing elsewhere. */
function commandLine(name: string, args: readonly string[]): string {
  const shown = args.map((arg) => (arg.includes("/") ? basename(arg) : arg));
  return ["bun run", `debug/${name}.ts`, ...shown].join(" ");
}
