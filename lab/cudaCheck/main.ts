/** `scripts/cuda-check.sh`: runs all stages one after another and prints one JSON report. */

import { existsSync } from "node:fs";
import { Command } from "commander";
import { reportError } from "../../src/cli/text/reportError.ts";
import { UserError } from "../../src/common/userError.ts";
import { describeHost, libtorchSeesCuda, whyNoCuda } from "./host.ts";
import { runStage, type StageReport } from "./runStage.ts";
import { stagesOf } from "./stages.ts";

interface Flags {
  cpu: boolean;
  quick: boolean;
  only?: string[];
  list: boolean;
  parity?: string;
  table?: string;
  tree?: string;
}

const write = (text: string) => void process.stderr.write(text);

async function check(flags: Flags): Promise<boolean> {
  const options = { device: flags.cpu ? "cpu" : "cuda", quick: flags.quick } as const;
  if ((flags.table === undefined) !== (flags.tree === undefined))
    throw new UserError("--table and --tree go together: give both or neither.");
  const files = { parity: flags.parity, table: flags.table, tree: flags.tree };
  const missing = Object.values(files).find((path) => path !== undefined && !existsSync(path));
  if (missing !== undefined)
    throw new UserError(`${missing} does not exist; name a file or folder that does.`);
  const all = stagesOf({ ...options, ...files });
  const unknown = flags.only?.find((name) => !all.some((stage) => stage.name === name));
  if (unknown !== undefined)
    throw new UserError(
      `There is no stage "${unknown}"; there are ${all.map(({ name }) => name).join(", ")}.`,
    );
  const stages = all.filter(({ name }) => flags.only === undefined || flags.only.includes(name));
  if (flags.list) {
    process.stdout.write(`${JSON.stringify(stages.map(({ name, command }) => ({ name, command })))}\n`);
    return true;
  }
  const described = describeHost();
  const doubt = flags.cpu ? null : whyNoCuda(described.libtorch, described.gpus);
  // A container may have a GPU and not the driver's tools: LibTorch has the last word.
  const obstacle = doubt !== null && described.libtorch !== null && libtorchSeesCuda() ? null : doubt;
  if (obstacle !== null) throw new UserError(obstacle);
  const started = new Date().toISOString();
  const reports: StageReport[] = [];
  for (const [i, stage] of stages.entries()) {
    write(`\n== ${i + 1} of ${stages.length}: ${stage.name}\n`);
    const report = await runStage(stage, write);
    write(`== ${stage.name}: ${report.status} (${report.seconds.toFixed(1)} s)\n`);
    reports.push(report);
  }
  const failed = reports.filter(({ status }) => status === "failed").map(({ name }) => name);
  const report = {
    subject: "cuda-check",
    started,
    ...options,
    ...described,
    passed: failed.length === 0,
    failed,
    seconds: Number(reports.reduce((sum, { seconds }) => sum + seconds, 0).toFixed(1)),
    stages: reports,
  };
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  write(failed.length === 0 ? "All stages passed.\n" : `Failed: ${failed.join(", ")}\n`);
  return failed.length === 0;
}

const command = new Command("cuda-check")
  .description(
    "Check this project on a CUDA host: build, parity, tests on the GPU, benchmarks; one JSON report",
  )
  .option("--cpu", "a dry run: the same stages on the CPU, with small sizes", false)
  .option("--quick", "fewer and shorter measurements", false)
  .option("--only <stages...>", "run these stages alone")
  .option("--parity <folder>", "parity cases to compare besides the repository's own")
  .option("--table <file>", "a study's table for the benchmarks, instead of a simulated one (with --tree)")
  .option("--tree <file>", "its tree")
  .option("--list", "print the stages as JSON and run none", false)
  .action(async (flags: Flags) => {
    try {
      process.exitCode = (await check(flags)) ? 0 : 1;
    } catch (error) {
      process.exitCode = reportError(error);
    }
  });
await command.parseAsync(process.argv);
