/**
 * The demo behind `npm start`: simulates a study, writes it as real .biom, .nwk and .tsv files, and trains an
 * encoder on it with the same command that a user would give.
 */
import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { reportError } from "../src/cli/text/reportError.ts";
import { simulate, writeSimulation } from "../src/data/simulate/simulate.ts";

const root = join(import.meta.dir, "..");
const folder = join(root, "runs", "demo");
const minutes = process.env["AAM_DEMO_MINUTES"] ?? "1";

function freshRun(): string {
  for (let number = 1; ; number++) {
    const run = join(folder, `run-${number}`);
    if (!existsSync(run)) return run;
  }
}

try {
  const simulation = simulate({ samples: 600, asvs: 200, richness: 40, length: 100, seed: 1 });
  const files = writeSimulation(join(folder, "study"), simulation);
  console.log(simulation.notice);
  const run = freshRun();
  const shown = (path: string) => relative(root, path);
  // Started by npm, Bun may be on nobody's PATH but that of npx.
  const bun = process.env["npm_config_user_agent"]?.startsWith("npm") ? "npx bun" : "bun";
  const args = [
    "--table",
    files.table,
    "--tree",
    files.tree,
    "--output",
    run,
    "--max-minutes",
    minutes,
    "--epochs",
    "100",
  ];
  console.log(
    `\n$ bun run train.ts ${args.map((arg) => (arg.startsWith(root) ? shown(arg) : arg)).join(" ")}\n`,
  );
  const child = Bun.spawn([process.execPath, join(root, "train.ts"), ...args], {
    cwd: root,
    stdio: ["inherit", "inherit", "inherit"],
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  process.exitCode = await child.exited;
  if (process.exitCode === 0) {
    console.log(`
What next:
  look at the plot         ${shown(join(run, "plots", "unifrac_plot_best.png"))}
  describe the study       ${bun} run info ${shown(files.table)}
  use your own data        ${bun} run train.ts --table T.biom --tree T.nwk --output RUN`);
  }
} catch (error) {
  process.exit(reportError(error));
}
