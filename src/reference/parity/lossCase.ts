import { UserError } from "../../common/userError.ts";
import type { NucleotidePrediction } from "../../models/asvEncoder.ts";
import { pairwiseDistances, referenceTanhScale } from "../../models/pairwiseDistances.ts";
import * as torch from "../../torch/index.ts";
import { baseValueLoss, countLoss, nucleotideLoss, unifracLoss } from "../../training/objectives/losses.ts";
import { TargetLoss } from "../../training/objectives/targetLoss.ts";
import type { LoadedCase, LossCase, LossSettings } from "./caseFile.ts";
import { distanceForm, targetLossOf } from "./caseLosses.ts";
import { type Comparison, compareTensor, type Tolerance } from "./compare.ts";

type Tensors = ReadonlyMap<string, torch.Tensor>;

/** One group of tensors: what goes in, and what comes out of it with its gradient. */
interface Group {
  readonly path: string;
  readonly tensors: Tensors;
  readonly settings: LossSettings;
}

/** Which tensors a kind of group has; one that is not named here is an error. */
const parts: Record<string, readonly string[]> = {
  pairwise: ["embeddings", "cotangent", "distances", "grad"],
  asymmetric: ["pred", "target", "loss_over1_under2"],
  pinball: ["pred", "target", "quantiles", "loss"],
  target: ["pred", "target", "sample_weights", "loss", "grad"],
  class: ["pred", "target", "sample_weights", "loss", "grad"],
  count: ["pred", "counts", "mask", "loss", "grad"],
  nucleotide: ["pred", "tokens", "mask_indices", "loss", "grad"],
  unifrac: ["embeddings", "base_target", "loss", "grad"],
  faith: ["pred", "target", "loss", "grad"],
};

function groupsOf({ name, description, tensors }: LoadedCase<LossCase>): Group[] {
  const groups = new Map<string, Map<string, torch.Tensor>>();
  for (const [key, value] of tensors) {
    const end = key.lastIndexOf("/");
    const path = key.slice(0, Math.max(end, 0));
    const part = key.slice(end + 1);
    if (!parts[path.split("/")[0]]?.includes(part)) {
      throw new UserError(`Case ${name}: nothing is known of the tensor ${key}.`);
    }
    const group = groups.get(path) ?? new Map<string, torch.Tensor>();
    groups.set(path, group.set(part, value));
  }
  for (const path of Object.keys(description.settings)) {
    if (!groups.has(path)) throw new UserError(`Case ${name} has settings for ${path}, but no tensors.`);
  }
  return [...groups].map(([path, values]) => ({
    path,
    tensors: values,
    settings: description.settings[path] ?? {},
  }));
}

/** Runs a case of losses on given predictions. */
export function runLossCase(loaded: LoadedCase<LossCase>): Comparison[] {
  return groupsOf(loaded).flatMap((group) => torch.tidy(() => runGroup(group, loaded.description)));
}

function need({ path, tensors }: Group, part: string): torch.Tensor {
  const found = tensors.get(part);
  if (!found) throw new UserError(`The parity case has no tensor ${path}/${part}.`);
  return found;
}

function runGroup(group: Group, tolerance: Tolerance): Comparison[] {
  const kind = group.path.split("/")[0];
  const get = (part: string) => need(group, part);
  const sampleWeights = group.tensors.get("sample_weights") ?? null;
  switch (kind) {
    case "pairwise":
      return runPairwise(group, tolerance);
    case "asymmetric": {
      const criterion = new TargetLoss({ type: "asymmetric", overPenalty: 1, underPenalty: 2 });
      const loss = criterion.regression(get("pred"), get("target"));
      const expected = get("loss_over1_under2").reshape([]);
      return [compareTensor(`${group.path}/loss_over1_under2`, loss, expected, tolerance)];
    }
    case "pinball": {
      // The levels are given as float32, and 0.1 in float32 is not 0.1.
      const criterion = new TargetLoss({
        type: "quantile",
        quantiles: [...get("quantiles").toFloat64Array()],
      });
      const loss = criterion.regression(get("pred"), get("target"));
      return [compareTensor(`${group.path}/loss`, loss, get("loss").reshape([]), tolerance)];
    }
    case "target":
      return runScalar(group, "pred", tolerance, (pred) =>
        targetLossOf(group.settings).regression(pred, get("target"), { sampleWeights }),
      );
    case "class":
      return runScalar(group, "pred", tolerance, (pred) =>
        targetLossOf(group.settings).classification(pred, get("target"), { sampleWeights }),
      );
    case "count":
      return runScalar(group, "pred", tolerance, (pred) =>
        countLoss(pred, get("counts"), get("mask").to("bool")),
      );
    case "nucleotide":
      return runScalar(group, "pred", tolerance, (pred) => denseNucleotideLoss(group, pred));
    case "unifrac":
      return runScalar(group, "embeddings", tolerance, (embeddings) =>
        unifracLoss(embeddings, get("base_target"), { form: { tanhScale: referenceTanhScale } }),
      );
    default:
      return runScalar(group, "pred", tolerance, (pred) => baseValueLoss(pred, get("target")));
  }
}

/** A loss and its gradient with respect to one tensor. */
function runScalar(
  group: Group,
  input: string,
  tolerance: Tolerance,
  compute: (input: torch.Tensor) => torch.Tensor,
): Comparison[] {
  const leaf = need(group, input).clone().requiresGrad_();
  const loss = compute(leaf);
  loss.backward();
  const gradient = leaf.grad ?? torch.zerosLike(leaf);
  return [
    compareTensor(`${group.path}/loss`, loss, need(group, "loss").reshape([]), tolerance),
    compareTensor(`${group.path}/grad`, gradient, need(group, "grad"), tolerance),
  ];
}

function runPairwise(group: Group, tolerance: Tolerance): Comparison[] {
  const form = group.path.split("/")[2];
  if (form !== "none" && form !== "tanh10")
    throw new UserError(`The parity case has distances of the unknown form ${form}.`);
  const embeddings = need(group, "embeddings").clone().requiresGrad_();
  const distances = pairwiseDistances(embeddings, distanceForm(form));
  distances.backward({ gradient: need(group, "cotangent") });
  return [
    compareTensor(`${group.path}/distances`, distances, need(group, "distances"), tolerance),
    compareTensor(`${group.path}/grad`, embeddings.grad, need(group, "grad"), tolerance),
  ];
}

/** Dense logits [B, S, L, V], every slot an ASV of its own. */
function denseNucleotideLoss(group: Group, logits: torch.Tensor): torch.Tensor {
  const tokens = need(group, "tokens").flatten(0, 1);
  const mask = group.tensors.get("mask_indices") ?? null;
  const prediction: NucleotidePrediction = {
    logits: logits.flatten(0, 2),
    positions: null,
    filled: mask?.flatten() ?? null,
    mask: mask?.flatten(0, 1) ?? null,
  };
  return nucleotideLoss(prediction, {
    tokens,
    multiplicity: torch.ones([tokens.size(0)], { device: tokens.device }),
  });
}
