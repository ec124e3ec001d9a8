import { existsSync } from "node:fs";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import * as torch from "../../torch/index.ts";

/** Raised whenever an older program could misread a checkpoint. */
export const checkpointVersion = 1;

/** Numbers and settings that training continues with; plain JSON. */
export type CheckpointFacts = Record<string, unknown>;

const metadataKey = "aam_checkpoint";

/** Where `loadCheckpoint` puts what it reads. */
export interface CheckpointTargets {
  readonly model: torch.nn.Module;
  readonly optimizer?: {
    stateDict(): torch.optim.OptimizerState;
    loadStateDict(state: torch.optim.OptimizerState): void;
  };
  /** Tensors besides the weights, by the names of the parameters they belong to: a moving average. */
  readonly average?: {
    tensors(): ReadonlyMap<string, torch.Tensor>;
    load(tensors: ReadonlyMap<string, torch.Tensor>): void;
  };
}

/**
 * Writes everything that training needs to continue into one safetensors file, atomically: the model's
 * weights under `model/`, the optimizer's tensors under `optimizer/<number>/`, a moving average under
 * `average/`, the random generators' states, and `facts` in the metadata.
 */
export function saveCheckpoint(path: string, targets: CheckpointTargets, facts: CheckpointFacts): void {
  using _scope = torch.scope();
  const tensors = new Map<string, torch.Tensor>();
  for (const [name, value] of targets.model.stateDict()) tensors.set(`model/${name}`, value);
  let optimizer: unknown = null;
  if (targets.optimizer) {
    const state = targets.optimizer.stateDict();
    optimizer = state.param_groups;
    for (const [number, own] of state.state) {
      for (const [name, value] of own)
        if (value instanceof torch.Tensor) tensors.set(`optimizer/${number}/${name}`, value);
    }
  }
  for (const [name, value] of targets.average?.tensors() ?? []) tensors.set(`average/${name}`, value);
  const devices = new Set([
    "cpu" as torch.Device,
    ...targets.model.parameters().map((value) => value.device),
  ]);
  for (const device of devices) tensors.set(`random/${device}`, torch.Generator.default(device).getState());
  const text = JSON.stringify({ version: checkpointVersion, optimizer, facts });
  torch.saveSafetensors(path, tensors, { [metadataKey]: text });
}

/** Writes the weights alone, under the model's own names, with `facts` in the metadata. */
export function saveWeights(path: string, model: torch.nn.Module, facts: CheckpointFacts): void {
  torch.saveSafetensors(path, model.stateDict(), {
    [metadataKey]: JSON.stringify({ version: checkpointVersion, facts }),
  });
}

function readMetadata(
  path: string,
  metadata: Record<string, string>,
): { optimizer: torch.optim.OptimizerState["param_groups"] | null; facts: CheckpointFacts } {
  const text = metadata[metadataKey];
  if (text === undefined)
    throw new UserError(`${path} is no checkpoint of this program; give a run's checkpoints/*.safetensors.`);
  let content: {
    version: number;
    optimizer?: torch.optim.OptimizerState["param_groups"] | null;
    facts: CheckpointFacts;
  };
  try {
    content = JSON.parse(text);
  } catch {
    throw damaged(path);
  }
  const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject(content)) throw damaged(path);
  if (content.version !== checkpointVersion) {
    throw new UserError(
      `${path} is a checkpoint of format ${content.version}, this program reads ${checkpointVersion}; train again or use the program's matching version.`,
    );
  }
  const { optimizer = null, facts } = content;
  if (!isObject(facts) || !(optimizer === null || (Array.isArray(optimizer) && optimizer.every(isObject))))
    throw damaged(path);
  return { optimizer, facts };
}

function damaged(path: string): UserError {
  return new UserError(`${path} is a damaged checkpoint; use another, or train again.`);
}

function openCheckpoint(path: string): torch.Safetensors {
  if (!existsSync(path))
    throw new UserError(`There is no checkpoint ${path}; give the folder of a run that has one.`);
  return torch.loadSafetensors(path);
}

/**
 * Loads what `saveCheckpoint` wrote, random states included, and returns the facts.
 * @throws UserError if it does not fit.
 */
export function loadCheckpoint(path: string, targets: CheckpointTargets): CheckpointFacts {
  using _scope = torch.scope();
  const { tensors, metadata } = openCheckpoint(path);
  const { optimizer, facts } = readMetadata(path, metadata);
  const model = new Map<string, torch.Tensor>();
  const average = new Map<string, torch.Tensor>();
  const state = new Map<number, Map<string, torch.Tensor>>();
  for (const [name, value] of tensors) {
    const [kind, ...rest] = name.split("/");
    if (kind === "model") model.set(rest.join("/"), value);
    else if (kind === "average") average.set(rest.join("/"), value);
    else if (kind === "optimizer") {
      const number = Number(rest[0]);
      const own = state.get(number) ?? new Map<string, torch.Tensor>();
      own.set(rest[1], value);
      state.set(number, own);
    } else if (kind === "random") {
      try {
        torch.Generator.default(rest[0] as torch.Device).setState(value.clone());
      } catch (cause) {
        throw cause instanceof torch.TorchError || cause instanceof TypeError ? damaged(path) : cause;
      }
    }
  }
  loadInto(path, targets.model, model);
  targets.average?.load(average);
  if (targets.optimizer && optimizer) {
    try {
      targets.optimizer.loadStateDict({ param_groups: optimizer, state });
    } catch (cause) {
      if (cause instanceof TypeError)
        throw new UserError(
          `${path} was written with another optimizer: ${cause.message}; use the same options.`,
        );
      throw cause;
    }
  }
  return facts;
}

/**
 * Loads weights that `saveWeights` or `saveCheckpoint` wrote into a model, and returns the facts. Parameters
 * of the model whose names begin with one of `optional` keep their values where the file has none.
 */
export function loadWeights(
  path: string,
  model: torch.nn.Module,
  { optional = [] }: { optional?: readonly string[] } = {},
): CheckpointFacts {
  using _scope = torch.scope();
  const { tensors, metadata } = openCheckpoint(path);
  const { facts } = readMetadata(path, metadata);
  const isFull = [...tensors.keys()].some((name) => name.startsWith("model/"));
  const entries = [...tensors].filter(([name]) => !isFull || name.startsWith("model/"));
  const weights = new Map(
    entries.map(([name, value]) => [isFull ? name.slice("model/".length) : name, value]),
  );
  for (const [name, value] of model.stateDict()) {
    if (!weights.has(name) && optional.some((start) => name.startsWith(start))) weights.set(name, value);
  }
  loadInto(path, model, weights);
  refuseNonFinite(path, model);
  return facts;
}

/**
 * @throws UserError for a model that has a weight which is NaN or infinite, as a training
 * that diverged leaves them.
 */
export function refuseNonFinite(path: string, model: torch.nn.Module): void {
  using _scope = torch.scope();
  for (const [name, value] of model.namedParameters()) {
    const finite = value.isfinite().sum().item();
    if (finite === value.numel) continue;
    throw new UserError(
      `${path}: ${value.numel - Number(finite)} of the ${value.numel} values of the weight ${quote(name)} are NaN or infinite, so that all ` +
        "outputs would be; the training diverged: use an earlier checkpoint, or train again with a smaller learning rate.",
    );
  }
}

/** The facts of a checkpoint, without loading any weights. */
export function readCheckpointFacts(path: string): CheckpointFacts {
  using _scope = torch.scope();
  const { metadata } = openCheckpoint(path);
  return readMetadata(path, metadata).facts;
}

function loadInto(path: string, model: torch.nn.Module, weights: ReadonlyMap<string, torch.Tensor>): void {
  try {
    model.loadStateDict(weights);
  } catch (cause) {
    if (cause instanceof torch.TorchError)
      throw new UserError(`${path} does not fit this model: ${cause.message}`);
    throw cause;
  }
}
