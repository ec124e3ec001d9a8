import { Command } from "commander";
import { runDoctor } from "../../torch/tools/doctor.ts";

/** `bun run doctor`: prints what was found on this machine; ends with 1 when something stops the work. */
export function makeCommand(): Command {
  return new Command("doctor").option("--json", "print it as JSON").action((options: { json?: boolean }) => {
    process.exitCode = runDoctor(options);
  });
}
