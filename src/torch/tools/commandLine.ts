// The program `aam-torch` of the package: what `npm run setup` and `bun run doctor` do in a clone.

import { parseArgs } from "node:util";
import packageJson from "../../../package.json" with { type: "json" };

const help = `Usage: aam-torch COMMAND

  setup            bring LibTorch (where the machine has none that fits) and the native part
  doctor [--json]  tell what was found on this machine; ends with 1 when something is missing
  copy FOLDER      copy what a program needs at run time (the native part, LibTorch's libraries) into a folder
  --version        the version of the toolkit
`;

/** Runs `aam-torch` with the process's arguments; the exit code. */
export async function runCommandLine(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: "boolean", short: "h" },
      version: { type: "boolean" },
      json: { type: "boolean" },
    },
  });
  if (values.version) {
    console.log(packageJson.version);
    return 0;
  }
  const [command] = positionals;
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (positionals.length === 1 && command === "doctor")
    return (await import("./doctor.ts")).runDoctor(values);
  if (positionals.length === 1 && command === "setup" && !values.json) {
    await (await import("../setup/setUp.ts")).setUp();
    return 0;
  }
  if (positionals.length === 2 && command === "copy" && !values.json) {
    const variables = (await import("./copyRuntime.ts")).copyRuntime(positionals[1]);
    console.log("Start the program with:");
    for (const [name, value] of Object.entries(variables)) console.log(`  ${name}=${value}`);
    return 0;
  }
  process.stderr.write(help);
  return 1;
}
