import { z } from "zod";
import { UserError } from "../../common/userError.ts";
import {
  type FineTuneConfig,
  type FineTuneInput,
  fineTuneSchema,
  type ModelConfig,
  type PretrainConfig,
  type PretrainInput,
  pretrainSchema,
} from "./config.ts";
import { mergeSettings, type Settings } from "./mergeSettings.ts";
import { type PresetName, presetSettings } from "./presets.ts";

type Encoders = Pick<ModelConfig, "encoder" | "codes">;

/** What new runs have where nothing else is said: the encoder that measures best (docs/benchmarks.md). */
const usual: Encoders = { encoder: "set", codes: "kmer" };

/**
 * Settings with which a kind of encoder is pretrained best, where they differ from the schema's, which are
 * those of transformers: a set encoder's step is cheap and its start computed, so it takes larger batches,
 * higher rates and no cheap epochs between; of few samples it learns best with what others have taught.
 */
const setPretraining: Settings = {
  startFrom: "auto",
  mixtures: "auto",
  sampleEpochs: 0,
  training: {
    batchSize: 64,
    lr: 3e-3,
    weightDecay: 1e-4,
    lrFloor: 0.02,
    warmup: 0.01,
    minEpochSteps: 50,
    patience: 40,
  },
};

/** What a head on blocks of a frozen encoder learns best with, as docs/recipes/few-samples.yaml says. */
const blockTraining: Settings = {
  bestMetric: "last",
  target: { pooling: "blocks", transform: "auto" },
  training: { epochs: 40, optimizer: "sgd", lr: 1 },
};
const usualDelta = 0.25;

/** Settings of heads that blocks do not have, and of how another one is trained. */
const ofOtherHeads = [
  ...["layerNorm", "boundedTargets", "learnableOutputScale", "outputActivation", "countPrediction"],
  ...["regressorHiddenDims", "regressorDropout", "residualRegressionHead"],
].map((name) => `target.${name}`);
const ofOtherTraining = ["optimizer", "lr", "weightDecay", "scheduler"].map((name) => `training.${name}`);

/**
 * Whether a fine-tuning predicts from blocks where `given` is all that is said: if it says so, or if the
 * encoder is frozen and nothing is said of the head and of how it is trained.
 */
function takesBlocks(given: Settings): boolean {
  const at = (path: string) =>
    path.split(".").reduce<unknown>((part, key) => (part as Settings | undefined)?.[key], given);
  const pooling = at("target.pooling");
  if (pooling !== undefined) return pooling === "blocks";
  const columns = (at("categorical.columns") as readonly string[] | undefined) ?? [];
  const isOther = [...ofOtherHeads, ...ofOtherTraining].some((path) => at(path) !== undefined);
  return at("freezeBase") === true && columns.length === 0 && !isOther;
}

function fineTuneStart(given: Settings): Settings {
  if (!takesBlocks(given)) return {};
  const lossType = (given["target"] as Settings | undefined)?.["lossType"] ?? "huber";
  return lossType === "huber"
    ? mergeSettings(blockTraining, { target: { huberDelta: usualDelta } })
    : blockTraining;
}

/**
 * The settings that a new run starts from, before a configuration file and options: of its preset, or of its
 * encoder. `sections` are those that the run's configuration has, `given` what file and options say.
 */
export function startingSettings(
  sections: readonly string[],
  chosen: Encoders = usual,
  { preset, given = {} }: { readonly preset?: PresetName; readonly given?: Settings } = {},
): Settings {
  if (preset !== undefined) return presetSettings(preset, sections);
  const { encoder, codes } = chosen;
  const isPretraining = sections.includes("sampleEpochs");
  const recipe = isPretraining ? (encoder === "set" ? setPretraining : {}) : fineTuneStart(given);
  // Words alone predict no nucleotides.
  const nucleotides = encoder === "set" && codes === "kmer" ? { training: { nucPenalty: 0 } } : {};
  const model = { encoder, codes, ...(encoder === "set" && { longWords: "auto" }) };
  return mergeSettings(mergeSettings({ model }, recipe), nucleotides);
}

/**
 * A pretraining's configuration in full, with the settings that are best for its
 * encoder where nothing is said.
 *
 * @example
 * pretrainConfig({ training: { maxMinutes: 2 } }); // a set encoder
 * pretrainConfig({ model: { encoder: "aam", attentionLayers: 4 } }); // transformers
 *
 * @throws UserError for settings that are none, each in a line.
 */
export function pretrainConfig(input: PretrainInput = {}): PretrainConfig {
  const { encoder, codes } = { ...usual, ...input.model };
  const start = startingSettings(Object.keys(pretrainSchema.shape), { encoder, codes } as Encoders);
  return parsed(pretrainSchema, mergeSettings(start, input as Settings));
}

function parsed<T>(schema: z.ZodType<T>, settings: Settings): T {
  const { data, error } = schema.safeParse(settings);
  if (error) throw new UserError(`The configuration cannot be used:\n${z.prettifyError(error)}`);
  return data as T;
}

/**
 * A fine-tuning's configuration in full, with a set encoder where neither an encoder nor a
 * pretrained one is named.
 *
 * @example
 * fineTuneConfig({ target: { metadataColumn: ["age"] }, pretrainedEncoder: "encoder", freezeBase: true });
 *
 * @throws UserError for settings that are none, each in a line.
 */
export function fineTuneConfig(input: FineTuneInput = {}): FineTuneConfig {
  const { encoder, codes } = { ...usual, ...input.model };
  const given = input as Settings;
  const start = startingSettings(Object.keys(fineTuneSchema.shape), { encoder, codes } as Encoders, {
    given,
  });
  return parsed(fineTuneSchema, mergeSettings(start, input as Settings));
}
