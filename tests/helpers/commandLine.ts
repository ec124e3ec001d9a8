/**
 * Runs commands in the process of the tests, as `bun scripts/aam.ts NAME ...` would in its own; `train.ts` is
 * a name, too. What they print is what `run` gives.
 */
import { spyOn } from "bun:test";
import { type Command, CommanderError } from "commander";
import { labCommands } from "../../lab/commands.ts";
import { makeProgram } from "../../src/cli/main.ts";
import { errorText } from "../../src/cli/text/reportError.ts";
import * as terminal from "../../src/display/terminal/terminal.ts";
import { setAction } from "../../src/formats/qiime2/action.ts";
import * as torch from "../../src/torch/index.ts";
import * as trainScript from "../../train.ts";

let out = "";
let error = "";

/** A command with all its options, as the help lists them. */
export async function makeCommand(name: string): Promise<Command> {
  if (name === "train.ts") return trainScript.makeCommand().exitOverride();
  const program = await makeProgram(name, labCommands);
  return program.commands.find((command) => command.name() === name)!;
}

export interface Outcome {
  code: number;
  out: string;
  error: string;
  /** As the command left them; both are set back. */
  threads: number;
  deterministic: boolean;
}

/** Runs a command line. Errors that are no user's mistakes are thrown. */
export async function run(...args: string[]): Promise<Outcome> {
  const [name, ...options] = args;
  [out, error] = ["", ""];
  const threads = torch.getNumThreads();
  const keep = (text: unknown) => {
    out += String(text);
    return true;
  };
  const spies = [
    spyOn(terminal, "standardTerminal").mockImplementation(() => ({
      columns: 80,
      write: (text) => void (out += text),
      writeError: (text) => void (error += text),
    })),
    spyOn(process.stdout, "write").mockImplementation(keep),
    spyOn(process.stderr, "write").mockImplementation((text) => {
      error += String(text);
      return true;
    }),
    spyOn(console, "log").mockImplementation((...parts) => void keep(`${parts.join(" ")}\n`)),
  ];
  const ended = { code: 0, threads, deterministic: false };
  try {
    const wanted = args.find((word) => !word.startsWith("-"));
    const program = name === "train.ts" ? await makeCommand(name) : await makeProgram(wanted, labCommands);
    await program.parseAsync(name === "train.ts" ? options : args, { from: "user" });
    ended.code = Number(process.exitCode ?? 0);
  } catch (cause) {
    if (cause instanceof CommanderError) ended.code = cause.exitCode === 0 ? 0 : 2;
    else if (cause instanceof Error && cause.name === "UserError") {
      error += `${errorText(cause, args)}\n`;
      ended.code = 1;
    } else throw cause;
  } finally {
    setAction(undefined);
    for (const spy of spies) spy.mockRestore();
    process.exitCode = 0;
    ended.threads = torch.getNumThreads();
    ended.deterministic = torch.areDeterministicAlgorithmsEnabled();
    torch.setNumThreads(threads);
    torch.useDeterministicAlgorithms(false);
  }
  return { ...ended, out, error };
}

/** Runs a command line that must succeed; gives what it printed. */
export async function succeed(...args: string[]): Promise<string> {
  const { code, out: printed, error: said } = await run(...args);
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${said}`);
  return printed;
}

/** Runs a command line that must be refused with one sentence, which it gives. */
export async function refusal(...args: string[]): Promise<string> {
  const { code, error: said } = await run(...args);
  const sentences = said
    .split("\n")
    .filter((line) => line !== "" && !/^Warning: |^--\S+ is now called --/.test(line));
  if (code !== 1 || sentences.length !== 1)
    throw new Error(`${args.join(" ")} ended with ${code} and ${sentences.length} sentences: ${said}`);
  return sentences[0];
}
