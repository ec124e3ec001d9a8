import { join } from "node:path";
import { makeFolder, writeFileAtomic } from "../common/atomicFile.ts";
import { UserError } from "../common/userError.ts";
import * as torch from "../torch/index.ts";
import { saveCheckpoint } from "./checkpoint.ts";

/** A module that made a value which is not finite out of values that are. */
export interface NonFiniteFinding {
  /** Path in the model, `sample_encoder.asv_encoder.transformer.norm`; empty for the model itself. */
  module: string;
  kind: string;
  /** Shape of the tensor in question, and how many of its values are not finite. */
  shape: readonly number[];
  count: number;
  total: number;
}

function tensorsIn(value: unknown): torch.Tensor[] {
  if (value instanceof torch.Tensor) return value.rawHandle === 0 ? [] : [value];
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  if (typeof value !== "object" || value === null) return [];
  return Object.getPrototypeOf(value) === Object.prototype ? Object.values(value).flatMap(tensorsIn) : [];
}

/** How many values of a floating-point tensor are NaN or infinite. */
export function countNonFinite(value: torch.Tensor): number {
  if (!torch.isFloatingDtype(value.dtype)) return 0;
  return torch.noGrad(() => torch.tidy(() => value.detach().isfinite().logicalNot().sum().item()));
}

function firstNonFinite(value: unknown): torch.Tensor | undefined {
  return tensorsIn(value).find((tensor) => countNonFinite(tensor) > 0);
}

/**
 * Runs `fn`, which calls the model, and finds the innermost module whose result is not finite although its arguments are: the
 * first one by order of calls. Null where every result is finite, or `fn` failed for another reason.
 */
export function findNonFinite(model: torch.nn.Module, fn: () => void): NonFiniteFinding | null {
  let finding: NonFiniteFinding | null = null;
  const watched: { forward(...args: unknown[]): unknown }[] = [];
  for (const [path, module] of model.namedModules()) {
    const own = module as unknown as { forward(...args: unknown[]): unknown };
    const forward = own.forward.bind(module);
    watched.push(own);
    own.forward = (...args: unknown[]) => {
      const clean = finding === null && firstNonFinite(args) === undefined;
      const result = forward(...args);
      const bad = clean && finding === null ? firstNonFinite(result) : undefined;
      if (bad) {
        finding = {
          module: path,
          kind: module.constructor.name,
          shape: bad.shape,
          count: countNonFinite(bad),
          total: bad.numel,
        };
      }
      return result;
    };
  }
  try {
    fn();
  } finally {
    // The method of the class shows again.
    for (const module of watched) delete (module as { forward?: unknown }).forward;
  }
  return finding;
}

export interface NonFiniteContext {
  /** The same losses again, with the same random numbers. */
  again: () => torch.Tensor;
  step: number;
  sampleIds: readonly string[];
  /** Where the state is kept. */
  folder: string;
  /** Whether gradients are scaled and may overflow now and then. */
  scaled: boolean;
}

/**
 * Looks at the loss and the gradients of a step. If one is not finite, finds where that arose, keeps the weights before the step
 * and what is known in `folder`, and ends the training. @throws UserError then.
 */
export function reportNonFinite(
  model: torch.nn.Module,
  loss: torch.Tensor,
  { again, step, sampleIds, folder, scaled }: NonFiniteContext,
): void {
  const badLoss = countNonFinite(loss) > 0;
  const named = [...model.namedParameters()];
  const badGradients = named.filter(([, value]) => value.grad && countNonFinite(value.grad) > 0);
  if (!badLoss && (badGradients.length === 0 || scaled)) return;
  const badWeights = named.filter(([, value]) => countNonFinite(value) > 0).map(([name]) => name);
  let gradientError: string | null = null;
  const finding = findNonFinite(model, () => {
    const repeated = again();
    if (badLoss) return;
    try {
      torch.detectAnomaly(() => repeated.backward());
    } catch (cause) {
      gradientError = cause instanceof Error ? cause.message : String(cause);
    }
  });
  const name = `nan-step-${step}`;
  makeFolder(folder);
  const found = {
    step,
    sampleIds,
    where: badLoss ? "loss" : "gradients",
    module: finding,
    gradients: badGradients.map(([parameter]) => parameter),
    weights: badWeights,
    gradientError,
  };
  saveCheckpoint(join(folder, `${name}.safetensors`), { model }, { nonFinite: found });
  writeFileAtomic(join(folder, `${name}.json`), `${JSON.stringify(found, null, 2)}\n`);
  const place = finding
    ? `first in the result of ${finding.module || "the model"} (${finding.kind}, ${finding.count} of ${finding.total} values)`
    : badLoss
      ? "in the loss itself, every layer's result being finite"
      : `in the gradient of ${badGradients[0][0]}`;
  throw new UserError(
    `Step ${step} gives a value that is not finite, ${place}; samples ${sampleIds.slice(0, 4).join(", ")}${sampleIds.length > 4 ? " ..." : ""}. ` +
      `Weights and facts are in ${join(folder, name)}.{safetensors,json}.`,
  );
}
