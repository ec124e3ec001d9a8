import type { Command } from "commander";
import { UserError } from "../../common/userError.ts";
import { givenStart, type ModelConfig, type PretrainConfig } from "../../training/config/config.ts";
import { pretrainFactsOf } from "../../training/run/open.ts";

/** What decides whether a model has a use for an option. */
export interface EncoderUse {
  /** The encoder that is trained: that of `pretrained`, where there is one. */
  readonly model: ModelConfig;
  /** Whether transformers read the ASVs of a sample for a head above the encoder, as in `train`. */
  readonly hasTransformersAbove?: boolean;
  /** Whether targets are predicted with layers of the width of the embeddings, as in `train`. */
  readonly hasHead?: boolean;
  /** Whether `--ridge` settles the weight decay. */
  readonly settlesDecay?: boolean;
  /** The run that the encoder is taken from. */
  readonly pretrained?: string | null;
  /** Whether that one's metric is the only one that can be learned, as in `train`. */
  readonly hasItsMetric?: boolean;
}

/** The encoder that pretraining goes on with has the shape of the one that it starts from. */
export function pretrainUse(config: PretrainConfig): EncoderUse {
  const { model } = config;
  const startFrom = givenStart(config);
  if (startFrom === null) return { model };
  return { model: pretrainFactsOf(startFrom).facts.config.model, pretrained: startFrom };
}

const ofWords = ["words", "wordDim", "wordBuckets", "longWords"].map((name) => `model.${name}`);
const ofSets = ["model.codes", "model.codeDim", ...ofWords];
const ofLayers = ["attentionLayers", "attentionHeads", "feedForwardDim", "dropout", "activation"].map(
  (name) => `model.${name}`,
);
const ofBases = [
  "model.basesPerToken",
  "model.nucMaskRatio",
  "model.nucMaskStrategy",
  "nucShare",
  "model.gradientCheckpointing",
  "model.asvChunkSize",
];
/** Settled by the encoder that training goes on with. */
const ofShape = [
  ...ofSets,
  "model.encoder",
  "model.pooling",
  "model.embeddingDim",
  ...ofLayers.filter((path) => path !== "model.dropout"),
  "model.maxBp",
  "model.basesPerToken",
  "model.tokenLimit",
  "model.countEmbeddingMethod",
  "model.distanceForm",
  "model.tanhScale",
];

/**
 * Refuses options that do nothing for the kind of encoder that is trained. `given` are the options on the
 * command line, by their place in the configuration.
 * @throws UserError
 */
export function refuseIdleOptions(given: ReadonlyMap<string, string>, use: EncoderUse): void {
  const { model, pretrained = null, hasTransformersAbove = false, hasHead = false } = use;
  const refuse = (paths: readonly string[], why: (name: string) => string) => {
    const path = paths.find((one) => given.has(one));
    if (path !== undefined) throw new UserError(why(given.get(path)!));
  };
  if (pretrained !== null)
    refuse(
      [...ofShape, ...(use.hasItsMetric ? ["unifracMetric"] : [])],
      (name) => `${name} is settled by the encoder in ${pretrained}; leave it out.`,
    );
  if (use.settlesDecay)
    refuse(
      ["training.weightDecay"],
      (name) => `${name} is settled by --ridge with --target-pooling blocks; leave it out, or give --ridge.`,
    );
  const isLeft = model.encoder === "aam" && model.distanceForm === "auto";
  if (!isLeft && model.distanceForm !== "tanh")
    refuse(
      ["model.tanhScale"],
      (name) => `${name} is for --distance-form tanh; add it, or leave the scale out.`,
    );
  if (model.encoder === "aam") {
    refuse(ofSets, (name) => `${name} is for set encoders; give --encoder set, or leave it out.`);
    return;
  }
  refuse(
    ["model.countEmbeddingMethod"],
    (name) =>
      `${name} is for --encoder aam: a set encoder reads counts where --pooling is share or root; leave it out.`,
  );
  if (model.codes === "transformer")
    refuse(
      ofWords,
      (name) => `${name} is for codes from words; give --codes kmer or --codes both, or leave it out.`,
    );
  if (model.codes === "kmer") {
    const idle = [
      ...(hasHead ? [] : ["model.embeddingDim"]),
      ...(hasTransformersAbove ? [] : ofLayers),
      ...ofBases,
    ];
    refuse(
      idle,
      (name) =>
        `${name} is for transformers, and --codes kmer has none; give --codes both or --encoder aam, or leave it out.`,
    );
  }
}

/**
 * Refuses options that folds have no use for.
 * @throws UserError for the first one that is given.
 */
export function refuseBesideFolds(command: Command): void {
  const idle = [
    "ranks",
    "device",
    "threads",
    "deterministic",
    "debugNan",
    "plots",
    "trainSamples",
    "valSamples",
  ];
  const given = idle.find(
    (name) => command.getOptionValueSource(name) === "cli" && command.opts()[name] !== "cpu",
  );
  if (given === undefined) return;
  const { long } = command.options.find((option) => option.attributeName() === given)!;
  throw new UserError(
    `${long} has no effect with --folds, which divides the samples itself and trains each fold in a process of its own with one CPU thread; leave it out.`,
  );
}
