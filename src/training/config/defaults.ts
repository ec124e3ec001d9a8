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

/**
 * The settings that a new run starts from, before a configuration file and options: of its preset, or of its
 * encoder. `sections` are those that the run's configuration has.
 */
export function startingSettings(
  sections: readonly string[],
  chosen: Encoders = usual,
  preset?: PresetName,
): Settings {
  if (preset !== undefined) return presetSettings(preset, sections);
  const { encoder, codes } = chosen;
  const isPretraining = sections.includes("sampleEpochs");
  const recipe = encoder === "set" && isPretraining ? setPretraining : {};
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
  const start = startingSettings(Object.keys(fineTuneSchema.shape), { encoder, codes } as Encoders);
  return parsed(fineTuneSchema, mergeSettings(start, input as Settings));
}
