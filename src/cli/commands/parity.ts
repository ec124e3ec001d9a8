import { Command, Option } from "commander";
import { UserError } from "../../common/userError.ts";
import { runAgainstPython } from "../../reference/parity/againstPython.ts";
import { findCases } from "../../reference/parity/caseFile.ts";
import type { Comparison } from "../../reference/parity/compare.ts";
import { type CaseResult, runCaseFolder } from "../../reference/parity/runCase.ts";
import { chooseDevice } from "../options/chooseDevice.ts";
import { wholeNumber } from "../options/optionValues.ts";

interface ParityOptions {
  readonly case?: string;
  readonly cases?: string;
  readonly againstPython: boolean;
  readonly python?: string;
  readonly seed: number;
  readonly models: number;
  readonly device: "auto" | "cpu" | "cuda";
  readonly brief: boolean;
}

function figure(value: number): string {
  return Number.isFinite(value) ? value.toExponential(2).padStart(9) : "-".padStart(9);
}

function printComparison({ name, error, largest, share, within, problem }: Comparison): void {
  const verdict = within ? "ok" : problem ? `FAILED: it ${problem}` : "FAILED";
  console.log(`  ${figure(error)} ${figure(largest)} ${figure(share)}  ${name}  ${verdict}`);
}

/** A case that cannot be run does not keep the others of a folder from being compared. */
function runOrExplain(folder: string, device: "cpu" | "cuda"): CaseResult | null {
  try {
    return runCaseFolder(folder, device);
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    console.log(`FAILED  ${folder}: ${cause.message}`);
    return null;
  }
}

function printResult({ name, comparisons, passed }: CaseResult, brief: boolean): void {
  const worst = comparisons.reduce((most, { share }) => Math.max(most, share), 0);
  console.log(
    `${passed ? "passed" : "FAILED"}  ${name}: ${comparisons.length} tensors, the worst uses ${figure(worst).trim()} of its tolerance`,
  );
  const shown = brief ? comparisons.filter(({ within }) => !within) : comparisons;
  if (shown.length === 0) return;
  console.log("      error   largest     share  tensor");
  for (const comparison of shown) printComparison(comparison);
}

export function makeCommand(): Command {
  return new Command("parity")
    .description("Compare models, losses and training with numbers from the original AAM")
    .option("--case <folder>", "one case: case.json and tensors.safetensors")
    .option("--cases <folder>", "all cases in a folder")
    .option(
      "--against-python",
      "blocks and random models, computed by PyTorch in Python and here, in float32 and float64",
      false,
    )
    .option("--python <file>", "the Python to use; default: the first one found that has torch")
    .option("--seed <n>", "with --against-python: another seed draws other models", wholeNumber, 0)
    .option("--models <n>", "with --against-python: number of random models", wholeNumber, 40)
    .addOption(
      new Option("--device <name>", "where ours computes").choices(["auto", "cpu", "cuda"]).default("cpu"),
    )
    .option("--brief", "show only the tensors that are beyond their tolerance", false)
    .action(async (options: ParityOptions) => {
      if (!options.case && !options.cases && !options.againstPython) {
        throw new UserError("Nothing to compare: give --case, --cases or --against-python.");
      }
      const device = await chooseDevice(options.device);
      const results: (CaseResult | null)[] = [];
      const add = (result: CaseResult | null) => {
        if (result) printResult(result, options.brief);
        results.push(result);
      };
      if (options.case) add(runCaseFolder(options.case, device));
      for (const folder of options.cases ? findCases(options.cases) : []) add(runOrExplain(folder, device));
      if (options.againstPython) {
        const { python, seed, models } = options;
        const show = (result: CaseResult) => printResult(result, true);
        results.push(...runAgainstPython({ python, seed, models, device }, show));
      }
      const failed = results.filter((result) => !result?.passed);
      if (results.length > 1) {
        console.log(`${results.length - failed.length} of ${results.length} cases passed`);
      }
      if (failed.length > 0) process.exitCode = 1;
    });
}
