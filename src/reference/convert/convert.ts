import "../predictor.ts"; // the form of converted models
import { UserError } from "../../common/userError.ts";
import * as torch from "../../torch/index.ts";
import { refuseNonFinite, saveWeights } from "../../training/loop/checkpoint.ts";
import { type OpenedRun, openModel, openRun } from "../../training/run/open.ts";
import { readReferenceFile } from "./referenceFile.ts";
import { referenceToRun, type ToRunOptions } from "./referenceToRun.ts";
import { runToReference, writeReferenceFile } from "./runToReference.ts";

/** What was written, in words. */
export interface Conversion {
  readonly what: string;
  readonly parameters: number;
  readonly notes: readonly string[];
}

function countParameters({ model }: OpenedRun): number {
  return model.parameters().reduce((sum, value) => sum + value.numel, 0);
}

/**
 * Turns a checkpoint of the original AAM (`.pt`) into one of this program, which every
 * command takes as `--model`.
 * @throws UserError for files that are none, and models that this program does not have.
 */
export function convertFromReference(input: string, output: string, options: ToRunOptions = {}): Conversion {
  using _scope = torch.scope();
  const file = readReferenceFile(input);
  const { facts, state, notes } = referenceToRun(file, options);
  const opened = openModel(input, facts);
  try {
    opened.model.loadStateDict(state);
  } catch (cause) {
    throw new UserError(`${input} does not fit: ${cause instanceof Error ? cause.message : cause}`);
  }
  refuseNonFinite(input, opened.model);
  saveWeights(output, opened.model, { ...facts });
  const parameters = countParameters(opened);
  const what = opened.predictor ? "predictor" : `${facts.encoderType} encoder`;
  opened.model.dispose();
  return { what, parameters, notes };
}

/** Turns a run or checkpoint of this program into a `.pt` file of the original AAM. @throws UserError */
export function convertToReference(input: string, output: string, options: { bare: boolean }): Conversion {
  using _scope = torch.scope();
  const opened = openRun(input, "cpu");
  const reference = runToReference(opened.facts);
  writeReferenceFile(output, opened, reference, options);
  const parameters = countParameters(opened);
  opened.model.dispose();
  return { what: `${reference.module} of the original AAM`, parameters, notes: reference.notes };
}
