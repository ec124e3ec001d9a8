import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { UserError } from "../../common/userError.ts";
import type { Tensor } from "../core/tensor.ts";
import { loadSafetensors } from "../io/safetensors.ts";
import { readJsonObject } from "./jsonFile.ts";
import { readTokenizer, type TextTokenizer } from "./tokenizer.ts";

/** A model's folder: what it is, its weights, its tokenizer. */
export class PretrainedFolder {
  readonly path: string;
  /** config.json as it is: names and sizes of the architecture. */
  readonly config: Readonly<Record<string, unknown>>;

  /** @internal use `readPretrained`. */
  constructor(path: string) {
    this.path = path;
    this.config = readJsonObject(join(path, "config.json"));
  }

  /** A whole number of the configuration, such as `hidden_size`. @throws UserError where it is missing. */
  size(name: string): number {
    const value = this.config[name];
    if (typeof value !== "number" || !Number.isInteger(value))
      throw new UserError(
        `${join(this.path, "config.json")} has no whole number ${name}: this is another kind of model.`,
      );
    return value;
  }

  /**
   * All weights by name, memory-mapped: from model.safetensors, or from the parts that
   * model.safetensors.index.json lists.
   * @throws UserError where files or tensors are missing.
   */
  stateDict(): Map<string, Tensor> {
    const single = join(this.path, "model.safetensors");
    if (existsSync(single)) return new Map(loadSafetensors(single).tensors);
    const index = join(this.path, "model.safetensors.index.json");
    if (!existsSync(index))
      throw new UserError(
        `${this.path} has neither model.safetensors nor model.safetensors.index.json; convert the weights to safetensors, or download them in this form.`,
      );
    const map = readJsonObject(index)["weight_map"];
    if (typeof map !== "object" || map === null)
      throw new UserError(`${index} has no weight_map. Download it again.`);
    const placed = Object.entries(map as Record<string, string>);
    const state = new Map<string, Tensor>();
    for (const part of new Set(placed.map(([, file]) => file))) {
      if (part !== basename(part))
        throw new UserError(`${index} names ${part}, which lies outside the folder.`);
      const { tensors } = loadSafetensors(join(this.path, part));
      for (const [name, file] of placed) {
        if (file !== part) continue;
        const found = tensors.get(name);
        if (!found) throw new UserError(`${join(this.path, part)} lacks ${name}, which ${index} puts there.`);
        state.set(name, found);
      }
    }
    return state;
  }

  /** Texts to the model's numbers and back. */
  tokenizer(): TextTokenizer {
    return readTokenizer(this.path);
  }
}

/**
 * A folder as Hugging Face keeps models: config.json, safetensors (in one file or several), tokenizer.json.
 * Nothing is downloaded and no code of the folder is run.
 * @throws UserError where there is none.
 * @example
 * const folder = torch.hub.readPretrained("bert-base-uncased");
 * const { inputIds, attentionMask } = folder.tokenizer().batch(["Hello there."]);
 */
export function readPretrained(path: string): PretrainedFolder {
  return new PretrainedFolder(path);
}
