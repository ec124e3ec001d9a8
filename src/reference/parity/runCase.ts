import * as torch from "../../torch/index.ts";
import { runBlockCase } from "./blockCase.ts";
import {
  type BlockCase,
  type LoadedCase,
  type LossCase,
  loadCase,
  type ModelCase,
  type TrainCase,
  withPrefix,
} from "./caseFile.ts";
import { caseLosses } from "./caseLosses.ts";
import { type Comparison, compareAll, compareGradients } from "./compare.ts";
import { runLossCase } from "./lossCase.ts";
import { buildModel, runModel } from "./modelCase.ts";
import { runTrainCase } from "./trainCase.ts";

export interface CaseResult {
  readonly name: string;
  readonly comparisons: readonly Comparison[];
  /** Whether every tensor is within its tolerance. */
  readonly passed: boolean;
}

/**
 * Runs the parity case in a folder on a device.
 * @throws UserError for what is no case, or has settings that are not known.
 */
export function runCaseFolder(folder: string, device: torch.Device = "cpu"): CaseResult {
  return torch.tidy(() => runCase(loadCase(folder, device)));
}

export function runCase(loaded: LoadedCase): CaseResult {
  const comparisons = compare(loaded);
  return {
    name: loaded.name,
    comparisons,
    passed: comparisons.length > 0 && comparisons.every(({ within }) => within),
  };
}

function compare(loaded: LoadedCase): Comparison[] {
  const { kind } = loaded.description;
  if (kind === "loss") return runLossCase(loaded as LoadedCase<LossCase>);
  if (kind === "block") return runBlockCase(loaded as LoadedCase<BlockCase>);
  if (kind === "train") return runTrainCase(loaded as LoadedCase<TrainCase>);
  return runModelCase(loaded as LoadedCase<ModelCase>);
}

/** Forward outputs, losses and gradients of one batch. */
function runModelCase(loaded: LoadedCase<ModelCase>): Comparison[] {
  const { description, tensors } = loaded;
  const model = buildModel(loaded);
  // With a given mask the reference was in training, without dropout.
  if (tensors.has("inputs/mask_indices")) model.train();
  const run = runModel(model, loaded, "inputs/");
  const outputs = compareAll("outputs/", run.outputs, withPrefix(tensors, "outputs/"), description);
  if (!description.loss) return outputs;
  const trained = runModel(model, loaded, "inputs/", { packed: true });
  const losses = caseLosses(loaded, model, trained, withPrefix(tensors, "targets/"));
  losses.total_loss.backward();
  const named = new Map<string, torch.Tensor>(Object.entries(losses));
  return [
    ...outputs,
    ...compareAll("losses/", named, withPrefix(tensors, "losses/"), description),
    ...compareGradients(model, withPrefix(tensors, "grads/"), description),
  ];
}
