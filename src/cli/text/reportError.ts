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
 * Tells an error on standard error as far as its reader can use it, and returns the exit code 1: a user's
 * mistake (`UserError`, `TorchError`) as its sentence alone, anything else as one line and where its details
 * are kept, and with `--debug` among the arguments the stack trace too.
 */
export function reportError(error: unknown, argv: readonly string[] = process.argv.slice(2)): number {
  if (!isToBeReported(error)) return 1;
  const problem = error instanceof Error ? error : new Error(String(error));
  // By name, so that what needs no tensors does not load the binding for this test.
  const isMistake = problem.name === "UserError" || problem.name === "TorchError";
  let text = `Error: ${problem.message}`;
  if (argv.includes("--debug")) {
    text += `\n${problem.stack ?? ""}`;
  } else if (!isMistake) {
    const path = keepDetails(problem, argv);
    text = `Error: unexpected ${problem.name}: ${problem.message.split("\n")[0]}`;
    text += path ? `\nThe details are in ${path}` : "\nRun it again with --debug for the details";
  }
  // Written at once: what follows is the end of the process.
  writeSync(2, `${text}\n`);
  return 1;
}
