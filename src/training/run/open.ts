import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { isFolder, readUnreplaced } from "../../common/files/inputFile.ts";
import { UserError } from "../../common/userError.ts";
import type { Encoder } from "../../models/encoder.ts";
import type { SequencePredictor } from "../../models/sequencePredictor.ts";
import type * as torch from "../../torch/index.ts";
import { buildEncoder, buildPredictor } from "../config/buildModel.ts";
import { fineTuneSchema, pretrainSchema } from "../config/config.ts";
import { withPresentNames } from "../config/formerNames.ts";
import { loadWeights, readCheckpointFacts } from "../loop/checkpoint.ts";
import { Targets } from "../targets/targets.ts";
import type { FineTuneFacts, PretrainFacts, RunFacts } from "./facts.ts";
import { RunFolder } from "./folder.ts";

/** What the encoder that comes with the program is called: docs/builtin-encoder.md. */
export const builtinName = "builtin";
const builtinFile = resolve(import.meta.dir, "../../../models/builtin.safetensors");

/** Whether the built-in encoder is with this program; a bundle may lack it. */
export const hasBuiltin = () => existsSync(builtinFile);

/** A sentence where `builtin` may also mean a folder or file that is there; none otherwise. */
export function builtinNotes(path: string | null): string[] {
  if (path !== builtinName || !existsSync(builtinName)) return [];
  return [
    `"${builtinName}" is the encoder that comes with the program, not ${resolve(builtinName)}; give ./${builtinName} for that.`,
  ];
}

/**
 * The checkpoint that a run's folder or a path to a checkpoint means: the best one of a run. `builtin` is the
 * encoder that comes with the program; a folder of this name is `./builtin`.
 * @throws UserError if there is none.
 */
export function checkpointOf(path: string): string {
  if (path === builtinName) {
    if (hasBuiltin()) return builtinFile;
    throw new UserError(
      "The built-in encoder is not with this program, which is a bundle without models/builtin.safetensors; give that file's path.",
    );
  }
  if (!existsSync(path)) throw new UserError(`There is no run or checkpoint ${path}; check the path.`);
  if (!isFolder(path)) return path;
  const { bestCheckpoint, lastCheckpoint } = new RunFolder(path);
  for (const candidate of [bestCheckpoint, lastCheckpoint, join(path, "best.safetensors")])
    if (existsSync(candidate)) return candidate;
  throw new UserError(
    `${path} holds no trained model (no checkpoints/best.safetensors); give the folder of a run.`,
  );
}

/** What a checkpoint says of its model. @throws UserError if it is none that can be used. */
export function readRunFacts(checkpoint: string): RunFacts {
  const facts = readCheckpointFacts(checkpoint) as unknown as RunFacts;
  const schema = facts.kind === "fine-tune" ? fineTuneSchema : pretrainSchema;
  const parsed = schema.safeParse(withPresentNames(facts.config));
  if ((facts.kind !== "fine-tune" && facts.kind !== "pretrain") || !parsed.success) {
    throw new UserError(
      `${checkpoint} does not say what its model is like, or in a way of another version; train it again.`,
    );
  }
  return { ...facts, config: parsed.data } as RunFacts;
}

/** A trained model in evaluation mode, and what is known of it. */
export interface OpenedRun {
  readonly checkpoint: string;
  readonly facts: RunFacts;
  readonly encoder: Encoder;
  /** Null for a pretraining run. */
  readonly predictor: SequencePredictor | null;
  readonly targets: Targets | null;
  readonly model: torch.nn.Module;
}

/**
 * A model as facts describe it, with fresh weights, in evaluation mode. `checkpoint` is
 * where the facts come from.
 */
export function openModel(checkpoint: string, facts: RunFacts): OpenedRun {
  const encoder = buildEncoder(facts.config, facts);
  const built = facts.kind === "fine-tune" ? predictorOf(facts, encoder) : null;
  const model = (built?.predictor ?? encoder).eval();
  return {
    checkpoint,
    facts,
    encoder,
    predictor: built?.predictor ?? null,
    targets: built?.targets ?? null,
    model,
  };
}

/** Loads the model of a run (its best weights) or of a checkpoint. @throws UserError if that cannot be. */
export function openRun(path: string, device: torch.Device): OpenedRun {
  const checkpoint = checkpointOf(path);
  // Of one file, though a training that is going on replaces it.
  const opened = readUnreplaced(checkpoint, () => {
    const built = openModel(checkpoint, readRunFacts(checkpoint));
    loadWeights(checkpoint, built.model);
    return built;
  });
  opened.model.to(device);
  return opened;
}

function predictorOf(facts: FineTuneFacts, base: Encoder) {
  const { config, categories } = facts;
  const targets = Targets.fromState(facts.targets);
  const cardinalities =
    categories &&
    Object.fromEntries(categories.map(({ name, categories: known }) => [name, known.length + 1]));
  const predictor = buildPredictor(config.model, config.target, config.categorical, {
    base,
    freezeBase: config.freezeBase,
    outputs: targets.outputs,
    classifier: targets.classes !== null,
    quantiles: targets.quantiles?.length ?? null,
    cardinalities,
    knownAsvs: facts.knownAsvs,
  });
  return { predictor, targets };
}

/** The facts of a pretraining run. @throws UserError for another kind of run. */
export function pretrainFactsOf(path: string): { checkpoint: string; facts: PretrainFacts } {
  const checkpoint = checkpointOf(path);
  const facts = readRunFacts(checkpoint);
  if (facts.kind !== "pretrain")
    throw new UserError(`${path} is a fine-tuned model; --pretrained-encoder needs a pretraining run.`);
  return { checkpoint, facts };
}
