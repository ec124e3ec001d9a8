import { UserError } from "../../common/userError.ts";
import { AsvEncoder, type NucleotidePrediction } from "../../models/asvEncoder.ts";
import { denseToRagged, type RaggedFromDense } from "../../models/raggedBatch.ts";
import { SampleSequenceEncoder, withEmptyRow } from "../../models/sampleSequenceEncoder.ts";
import { SequenceEncoder, type SequenceEncoding } from "../../models/sequenceEncoder.ts";
import { SequencePredictor } from "../../models/sequencePredictor.ts";
import * as torch from "../../torch/index.ts";
import {
  asvEncoderOptions,
  type ReferenceConfig,
  sampleEncoderOptions,
  sequenceEncoderOptions,
  sequencePredictorOptions,
} from "../config.ts";
import { ReferencePredictor } from "../predictor.ts";
import { type LoadedCase, type ModelCase, type TrainCase, withPrefix } from "./caseFile.ts";

export type AnyModel = AsvEncoder | SampleSequenceEncoder | SequenceEncoder | SequencePredictor;

/** What a model gives, in the reference's dense form and also as it is. */
export interface ModelRun {
  /** By the reference's names. */
  readonly outputs: ReadonlyMap<string, torch.Tensor>;
  readonly batch: RaggedFromDense;
  readonly encoding: SequenceEncoding | null;
  readonly nucleotides: NucleotidePrediction | null;
}

/**
 * The case's model with the case's weights, in evaluation mode.
 * @throws UserError for settings that are not known.
 */
export function buildModel(loaded: LoadedCase<ModelCase | TrainCase>): AnyModel {
  const { name, description, tensors, device } = loaded;
  const model = makeModel(description, isOfSeed(loaded), `case ${name}`);
  model.to({ dtype: description.dtype, device });
  loadCaseWeights(model, withPrefix(tensors, "weights/"), name);
  return model.eval();
}

/** @throws UserError for weights that do not fit. */
export function loadCaseWeights(
  model: torch.nn.Module,
  weights: ReadonlyMap<string, torch.Tensor>,
  name: string,
): void {
  try {
    model.loadStateDict(weights);
  } catch (cause) {
    throw new UserError(`Case ${name}: ${cause instanceof Error ? cause.message : cause}`);
  }
}

/**
 * Arguments of the reference's first state (`seed_version`) that it has another
 * default for, or does not have.
 */
const seedDefaults: ReferenceConfig = { vocab_size: 6 };
const seedPredictorDefaults: ReferenceConfig = { ...seedDefaults, target_layer_norm: false };

/**
 * Whether a case was made by the reference's first state. Where the case does not tell, raw distances do,
 * which later states have no option for, unless a predictor has the norm that came later.
 */
export function isOfSeed({ description, tensors }: LoadedCase<ModelCase | TrainCase>): boolean {
  const { loss, config, distance_normalization: form } = description;
  const isLater = "target_layer_norm" in config || tensors.has("weights/target_norm.weight");
  return loss?.seed_version ?? (form === "none" && !isLater);
}

function makeModel(description: ModelCase | TrainCase, isSeed: boolean, place: string): AnyModel {
  const { module } = description;
  const defaults = module === "SequencePredictor" ? seedPredictorDefaults : seedDefaults;
  const config: ReferenceConfig = isSeed ? { ...defaults, ...description.config } : description.config;
  try {
    if (module === "ASVEncoder") return new AsvEncoder(asvEncoderOptions(config, place));
    if (module === "SampleSequenceEncoder")
      return new SampleSequenceEncoder(sampleEncoderOptions(config, place));
    if (module === "SequenceEncoder") return new SequenceEncoder(sequenceEncoderOptions(config, place));
    const countActivation = isSeed ? "none" : "sigmoid";
    return new ReferencePredictor({ ...sequencePredictorOptions(config, place), countActivation });
  } catch (cause) {
    if (cause instanceof RangeError) throw new UserError(`${place}: ${cause.message}`);
    throw cause;
  }
}

/**
 * Runs the model on dense inputs under `prefix` (`inputs/`, `inputs/step0/`). With `packed` as in training,
 * where nothing is computed for padding; without it padding has the reference's values.
 */
export function runModel(
  model: AnyModel,
  { name, description, tensors, device }: LoadedCase<ModelCase | TrainCase>,
  prefix: string,
  options: { packed: boolean } = { packed: false },
): ModelRun {
  const inputs = withPrefix(tensors, prefix);
  const tokens = inputs.get("tokens");
  if (!tokens) throw new UserError(`Case ${name} has no ${prefix}tokens.`);
  const batch = raggedOn(
    device,
    denseToRagged(tokens, inputs.get("counts") ?? null, inputs.get("mask_indices") ?? null),
  );
  const dtype = [...model.parameters()][0].dtype;
  const whole = options.packed ? {} : { asvPacking: null, samplePacking: null };
  const input = { ...batch, ...whole, counts: batch.counts.to(dtype) };
  const nucleotides = description.call.return_nucleotides ?? false;
  const request = { nucleotides, mask: batch.mask };
  const dense = new DenseOutputs(batch);
  if (model instanceof AsvEncoder) {
    const packing = input.asvPacking;
    const encoding = model.forward(input.asvTokens, { ...request, packing, hasPadding: input.hasAsvPadding });
    dense.put("output", dense.spread(encoding.embeddings, model.attentionPooling.norm.bias!));
    dense.putNucleotides(encoding.nucleotides, model);
    return { outputs: dense.values, batch: input, encoding: null, nucleotides: encoding.nucleotides };
  }
  if (model instanceof SampleSequenceEncoder) {
    const encoding = model.forward(input, request);
    dense.put("output", encoding.sampleEmbeddings);
    dense.putNucleotides(encoding.nucleotides, model.asvEncoder);
    return { outputs: dense.values, batch: input, encoding: null, nucleotides: encoding.nucleotides };
  }
  const encoder = (model instanceof SequencePredictor ? model.baseModel : model) as SequenceEncoder;
  let encoding: SequenceEncoding;
  if (model instanceof SequencePredictor) {
    const ids = withPrefix(inputs, "categorical/");
    const categories = ids.size > 0 ? Object.fromEntries(ids) : null;
    const prediction = model.forward(input, { ...request, categories });
    encoding = prediction.base;
    dense.put("target_prediction", prediction.target);
    dense.put("count_prediction", prediction.count);
    dense.put("gmu_gate", prediction.gate);
    dense.put(
      model.perceiverFusion ? "perceiver_attn_weights" : "cross_attn_weights",
      prediction.fusionWeights,
    );
    dense.put("base_embeddings", encoding.sampleEmbeddings);
  } else {
    encoding = model.forward(input, request);
    dense.put("sample_embeddings", encoding.sampleEmbeddings);
  }
  dense.put("embeddings", encoding.embeddings);
  dense.put("base_prediction", encoding.basePrediction);
  dense.put("unifrac_pred", encoding.combined?.unifrac);
  dense.put("faith_pred", encoding.combined?.faithPd);
  dense.put("tax_pred", encoding.combined?.taxonomy);
  dense.putNucleotides(encoding.nucleotides, encoder.asvEncoder);
  return { outputs: dense.values, batch: input, encoding, nucleotides: encoding.nucleotides };
}

/** `denseToRagged` makes its tensors on the host. */
function raggedOn(device: torch.Device, batch: RaggedFromDense): RaggedFromDense {
  if (device === "cpu") return batch;
  return {
    ...batch,
    asvTokens: batch.asvTokens.to(device),
    asvIndex: batch.asvIndex.to(device),
    counts: batch.counts.to(device),
    multiplicity: batch.multiplicity.to(device),
    mask: batch.mask?.to(device) ?? null,
    // Host packing is for the CPU.
    asvPacking: null,
    samplePacking: null,
  };
}

/** Collects outputs and spreads what belongs to an ASV over the slots that hold it. */
class DenseOutputs {
  readonly values = new Map<string, torch.Tensor>();
  readonly #batch: RaggedFromDense;

  constructor(batch: RaggedFromDense) {
    this.#batch = batch;
  }

  put(name: string, value: torch.Tensor | null | undefined): void {
    if (value) this.values.set(name, value);
  }

  /** [U, K] -> [B, S, K]; an empty slot has `empty` [K], as in the reference. */
  spread(values: torch.Tensor, empty: torch.Tensor): torch.Tensor {
    const table = withEmptyRow(values).add(0);
    return torch.where(
      this.#batch.asvIndex.gt(0).unsqueeze(-1),
      torch.embedding(table, this.#batch.asvIndex),
      empty,
    );
  }

  putNucleotides(prediction: NucleotidePrediction | null, encoder: AsvEncoder): void {
    if (!prediction) return;
    const { asvTokens, asvIndex } = this.#batch;
    const [count, length] = asvTokens.shape;
    const perAsv = prediction.logits.view([count, length * encoder.vocabulary]);
    const empty = encoder.nucleotideHead!.bias!.repeat([length]);
    this.put(
      "nuc_predictions",
      this.spread(perAsv, empty).view([...asvIndex.shape, length, encoder.vocabulary]),
    );
  }
}
