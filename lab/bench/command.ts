import { Command } from "commander";
import { makeCommand as makeData } from "./data.ts";
import { makeCommand as makeEncoder } from "./encoder.ts";
import { makeCommand as makeOps } from "./ops.ts";
import { makeCommand as makePredict } from "./predict.ts";
import { makeCommand as makeRanks } from "./ranks.ts";
import { makeCommand as makeScaling } from "./scaling.ts";
import { makeCommand as makeStep } from "./step.ts";
import { makeCommand as makeStudies } from "./studies.ts";
import { makeCommand as makeTrain } from "./train.ts";
import { makeCommand as makeUniFrac } from "./unifrac.ts";

/**
 * To add a subject: write `lab/bench/<subject>.ts` like the others, with a `makeCommand` that imports what is
 * measured only when it runs, and add it here.
 */
const subjects = [
  makeOps,
  makeStep,
  makeTrain,
  makePredict,
  makeData,
  makeUniFrac,
  makeEncoder,
  makeScaling,
  makeRanks,
  makeStudies,
];

export function makeCommand(): Command {
  const bench = new Command("bench")
    .description("Measure parts of this program and of others that do the same, side by side in one run")
    .showHelpAfterError("(--help lists the subjects)");
  for (const makeSubject of subjects) {
    const subject = makeSubject()
      .option("--json", "print one JSON object", false)
      .option("--debug", "show the stack trace of an error")
      .showHelpAfterError("(--help lists the options)")
      .exitOverride();
    bench.addCommand(subject);
  }
  return bench;
}
