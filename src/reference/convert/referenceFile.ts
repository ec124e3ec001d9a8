import { UserError } from "../../common/userError.ts";
import * as torch from "../../torch/index.ts";
import { withoutWrappers } from "../state.ts";

/** What a checkpoint of the original AAM holds: weights, perhaps the model's arguments, and other facts. */
export interface ReferenceFile {
  readonly state: ReadonlyMap<string, torch.Tensor>;
  /** Empty where the file has none. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Plain entries besides: epoch, best value, figures. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Whether it was the trainer's dictionary, not a bare state dict. */
  readonly isTrainers: boolean;
}

/** Entries of the trainer's dictionary that are kept elsewhere or make no sense elsewhere. */
const apart = new Set(["model_state_dict", "optimizer_state_dict", "scheduler_state_dict", "config"]);

/**
 * Reads a `.pt` file: the trainer's dictionary or a bare state dict.
 * @throws UserError for other contents.
 */
export function readReferenceFile(path: string): ReferenceFile {
  const content = torch.loadPickle(path);
  if (!(content instanceof Map)) fail(path, "it holds no dictionary");
  const isTrainers = content.has("model_state_dict");
  const state = isTrainers ? content.get("model_state_dict") : content;
  if (!(state instanceof Map) || state.size === 0) fail(path, "it holds no weights");
  const weights = new Map<string, torch.Tensor>();
  for (const [name, value] of state) {
    if (!(value instanceof torch.Tensor)) fail(path, `${name} is no tensor`);
    weights.set(String(name), value);
  }
  const config = isTrainers ? content.get("config") : null;
  const facts = isTrainers ? [...content].filter(([name]) => !apart.has(String(name))) : [];
  return {
    state: withoutWrappers(weights),
    config: config instanceof Map ? (plain(config) as Record<string, unknown>) : {},
    facts: Object.fromEntries(facts.map(([name, value]) => [String(name), plain(value)])),
    isTrainers,
  };
}

function fail(path: string, what: string): never {
  throw new UserError(
    `${path} is no checkpoint of the original AAM: ${what}; give its best_model.pt, pretrained_encoder.pt or final_model.pt.`,
  );
}

/** Dictionaries as objects, everything as JSON can hold it. */
function plain(value: torch.PickleValue): unknown {
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([name, inner]) => [String(name), plain(inner)]));
  }
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof torch.Tensor) return plainNumbers(value);
  return typeof value === "bigint" ? Number(value) : value;
}

function plainNumbers(value: torch.Tensor): unknown {
  return value.ndim === 0 ? value.toFloat64Array()[0] : [...value.toFloat64Array()];
}
