import { UserError } from "../../common/userError.ts";
import { referenceTanhScale } from "../../models/pairwiseDistances.ts";
import * as torch from "../../torch/index.ts";
import { chosenCountEmbedding, euclideanFormOf, transformerOf } from "../../training/config/buildModel.ts";
import type { FineTuneConfig, ModelConfig, TransformerName } from "../../training/config/config.ts";
import type { FineTuneFacts, RunFacts } from "../../training/run/facts.ts";
import type { OpenedRun } from "../../training/run/open.ts";

/** A run's model as the original AAM has it. */
export interface ReferenceModel {
  readonly module: "SequenceEncoder" | "SequencePredictor";
  /** Constructor arguments. */
  readonly config: Readonly<Record<string, torch.PickleInput>>;
  /** What will differ there, each a sentence. */
  readonly notes: readonly string[];
}

/** The original AAM's arguments for a run's model. @throws UserError for a model that it cannot have. */
export function runToReference(facts: RunFacts): ReferenceModel {
  const { encoder, pooling, basesPerToken } = facts.config.model;
  if (encoder === "set" || (pooling !== "attention" && pooling !== "auto"))
    throw new UserError(
      "The original AAM has no set encoder: it averages ASVs by attention. Train with --encoder aam --pooling attention to get a model that it can load.",
    );
  if (basesPerToken > 1)
    throw new UserError(
      `The original AAM reads base by base, and this model reads ${basesPerToken} as one token. Train without --bases-per-token to get a model that it can load.`,
    );
  const notes: string[] = [];
  const config: Record<string, torch.PickleInput> = {
    ...encoderArguments(facts, notes),
    ...(facts.kind === "fine-tune" ? predictorArguments(facts, facts.config, notes) : {}),
  };
  if (facts.kind === "fine-tune" && facts.config.target.transform !== "none") {
    notes.push(
      "The original AAM's predictions are in transformed units: its files have no place for the transform.",
    );
  }
  const form = euclideanFormOf(facts.config);
  const isTheirs = form !== "raw" && form.tanhScale === referenceTanhScale;
  if (!isTheirs && facts.encoderType === "unifrac") {
    const own = form === "raw" ? "they are" : `tanh(d / ${form.tanhScale})`;
    notes.push(`The original AAM takes distances as tanh(d / 10), this model as ${own}.`);
  }
  return { module: facts.kind === "fine-tune" ? "SequencePredictor" : "SequenceEncoder", config, notes };
}

function transformerArguments(
  model: ModelConfig,
  name: TransformerName,
  notes: string[],
): Record<string, torch.PickleInput> {
  const { dim, layers, heads, feedForward, dropout = 0, activation } = transformerOf(model, name);
  if (activation === "gelu_tanh") {
    notes.push(
      `The ${name} transformer's tanh form of GELU becomes the exact one, which differs by up to 3e-4.`,
    );
  }
  return {
    [`${name}_num_layers`]: layers,
    [`${name}_num_heads`]: heads,
    [`${name}_intermediate_size`]: feedForward ?? 4 * dim,
    [`${name}_dropout`]: dropout,
    [`${name}_activation`]: activation === "relu" ? "relu" : "gelu",
  };
}

function encoderArguments(facts: RunFacts, notes: string[]): Record<string, torch.PickleInput> {
  const { model } = facts.config;
  const counts = chosenCountEmbedding(facts.config);
  const outputs = facts.baseOutputs ?? (facts.encoderType === "faith_pd" ? 1 : null);
  return {
    encoder_type: facts.encoderType,
    vocab_size: model.vocabulary,
    embedding_dim: model.embeddingDim,
    max_bp: model.maxBp,
    token_limit: model.tokenLimit,
    ...transformerArguments(model, "asv", notes),
    ...transformerArguments(model, "sample", notes),
    ...transformerArguments(model, "encoder", notes),
    ...(outputs === null ? {} : { base_output_dim: outputs }),
    predict_nucleotides: facts.predictNucleotides,
    mask_ratio: facts.predictNucleotides ? model.nucMaskRatio : 0,
    mask_strategy: model.nucMaskStrategy,
    count_embedding: counts !== null,
    count_embedding_method: counts ?? "add",
  };
}

function predictorArguments(
  facts: FineTuneFacts,
  { model, target, categorical: categories, freezeBase }: FineTuneConfig,
  notes: string[],
): Record<string, torch.PickleInput> {
  const { targets } = facts;
  const fused = facts.categories !== null;
  const mended = fused && (categories.fusion === "cross-attention" || categories.fusion === "perceiver");
  if (mended && !model.referenceForm) {
    throw new UserError(
      `The fusion ${categories.fusion} works in another way in the original AAM, which cannot have this model.`,
    );
  }
  if (target.pooling === "sum" || target.pooling === "blocks")
    throw new UserError(
      `--target-pooling ${target.pooling} does not exist in the original AAM, which cannot have this model.`,
    );
  const classes = targets.kind === "classes";
  return {
    ...(target.countPrediction ? transformerArguments(model, "count", notes) : {}),
    ...transformerArguments(model, "target", notes),
    out_dim: classes ? targets.classes.length : targets.columns.length,
    is_classifier: classes,
    freeze_base: freezeBase,
    target_layer_norm: target.layerNorm,
    bounded_targets: target.boundedTargets,
    learnable_output_scale: target.learnableOutputScale,
    output_activation: target.outputActivation,
    regressor_hidden_dims: target.regressorHiddenDims.length > 0 ? target.regressorHiddenDims : null,
    regressor_dropout: target.regressorDropout,
    residual_regression_head: target.residualRegressionHead,
    num_quantiles: targets.kind === "numbers" ? (targets.quantiles?.length ?? null) : null,
    count_prediction: target.countPrediction,
    ...(facts.categories
      ? {
          categorical_cardinalities: Object.fromEntries(
            facts.categories.map(({ name, categories: known }) => [name, known.length + 1]),
          ),
          categorical_embed_dim: categories.embedDim,
          categorical_fusion: categories.fusion,
          categorical_dropout: categories.dropout,
          cross_attn_heads: categories.crossAttnHeads,
          perceiver_num_latents: categories.perceiverNumLatents,
          perceiver_num_layers: categories.perceiverNumLayers,
          conditional_scaling_columns:
            categories.conditionalOutputScaling.length > 0 ? categories.conditionalOutputScaling : null,
        }
      : {}),
  };
}

/**
 * Writes a run's model as the trainer's dictionary, or with `bare` as a state dict alone,
 * readable by `torch.load`.
 */
export function writeReferenceFile(
  path: string,
  { model, facts }: OpenedRun,
  { config }: ReferenceModel,
  options: { bare: boolean },
): void {
  const state = new Map([...model.stateDict()].map(([name, value]) => [name, value.detach()]));
  if (options.bare) {
    torch.savePickle(path, state);
    return;
  }
  const known = (facts as { reference?: Record<string, torch.PickleInput> }).reference ?? {};
  torch.savePickle(
    path,
    new Map<string, torch.PickleInput>([
      ["epoch", 0],
      ["model_state_dict", state],
      ["best_val_loss", 0],
      ["metrics", {}],
      ...Object.entries(known),
      ["config", config],
    ]),
  );
}
