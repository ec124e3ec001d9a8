import { mkdtempSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import packageJson from "../../../package.json" with { type: "json" };
import { isToBeReported } from "../options/reportGate.ts";

/**
 * Keeps the details of an unexpected error in a file; the path, or undefined where nothing can be written.
 */
function keepDetails(error: Error, argv: readonly string[]): string | undefined {
  try {
    const path = join(mkdtempSync(join(tmpdir(), "aam-error-")), "details.txt");
    const versions = `aam ${packageJson.version}, Bun ${Bun.version}, ${process.platform} ${process.arch}`;
    const causes: string[] = [];
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
      causes.push(cause.stack ?? String(cause));
    }
    writeFileSync(path, `${versions}\narguments: ${argv.join(" ")}\n\n${causes.join("\n\ncaused by\n")}\n`);
    return path;
  } catch {
    return undefined;
  }
}

/**
 * An error as far as its reader can use it: a user's mistake (`UserError`, `TorchError`) as its sentence
 * alone, anything else as one line and where its details are kept, and with `--debug` among the arguments the
 * stack trace too.
 */
export function errorText(error: unknown, argv: readonly string[]): string {
  const problem = error instanceof Error ? error : new Error(String(error));
  // By name, so that what needs no tensors does not load the binding for this test.
  const isMistake = problem.name === "UserError" || problem.name === "TorchError";
  if (argv.includes("--debug")) return `Error: ${problem.message}\n${problem.stack ?? ""}`;
  if (isMistake) return `Error: ${problem.message}`;
  const path = keepDetails(problem, argv);
  const details = path ? `The details are in ${path}` : "Run it again with --debug for the details";
  return `Error: unexpected ${problem.name}: ${problem.message.split("\n")[0]}\n${details}`;
}

/** Tells an error on standard error, and returns the exit code 1. */
export function reportError(error: unknown, argv: readonly string[] = process.argv.slice(2)): number {
  // Written at once: what follows is the end of the process.
  if (isToBeReported(error)) writeSync(2, `${errorText(error, argv)}\n`);
  return 1;
}
