import { UserError } from "../../common/userError.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { studiesOf } from "../../data/dataset/joinStudies.ts";
import type { Split } from "../../data/split/split.ts";
import type { Encoder } from "../../models/encoder.ts";
import { SetEncoder } from "../../models/setEncoder.ts";
import * as torch from "../../torch/index.ts";
import { decideAuto, fewSamples, metricsOf } from "../config/buildModel.ts";
import { givenStart, type PretrainConfig } from "../config/config.ts";
import { loadWeights } from "../loop/checkpoint.ts";
import type { PretrainFacts } from "../run/facts.ts";
import { builtinName, hasBuiltin, openRun, pretrainFactsOf } from "../run/open.ts";
import { knowsSequences } from "../run/openSamples.ts";
import { trainedOn } from "../run/trainedOn.ts";

/** A pretraining run whose encoder training starts from. */
export interface Pretrained {
  readonly checkpoint: string;
  readonly facts: PretrainFacts;
}

/** A configuration with the shape of a pretrained encoder, and its own settings where they may differ. */
export function withShapeOf<
  Config extends Pick<PretrainConfig, "unifracMetric" | "furtherMetrics" | "model">,
>(given: Config, { facts }: Pretrained): Config {
  const { dropout, asvSampling, nucMaskRatio, nucMaskStrategy, gradientCheckpointing, asvChunkSize } =
    given.model;
  const own = { dropout, asvSampling, nucMaskRatio, nucMaskStrategy, gradientCheckpointing, asvChunkSize };
  const { unifracMetric: metric, furtherMetrics } = facts.config;
  return { ...given, unifracMetric: metric, furtherMetrics, model: { ...facts.config.model, ...own } };
}

/** Loads the whole encoder; its head for nucleotides is fresh where pretraining had none. */
export function loadEncoder(
  { checkpoint, facts }: Pretrained,
  base: torch.nn.Module,
  wantsHead: boolean,
): void {
  loadWeights(checkpoint, base, {
    optional: wantsHead && !facts.predictNucleotides ? ["sample_encoder.asv_encoder.nucleotide_head."] : [],
  });
}

/**
 * Gives an encoder what another one of the same shape has learned of sequences on other data: all weights but
 * those of distances, which belong to a tree.
 */
export function loadSequences(encoder: Encoder, path: string): void {
  using _scope = torch.scope();
  const { model, encoder: given } = openRun(path, "cpu");
  const learned = given.stateDict();
  const isOfTree = (name: string) =>
    encoder instanceof SetEncoder && /^(distance|other_distances)\./.test(name);
  torch.noGrad(() => {
    for (const [name, value] of encoder.stateDict()) {
      const known = learned.get(name);
      if (known && !isOfTree(name)) value.copy_(known);
    }
  });
  model.dispose();
}

/**
 * The encoder that a new pretraining starts from; null for a fresh one. `auto` is the built-in one where few
 * samples train, with ASVs of a kind that it knows, where it has seen no sample of the data set, held out or
 * not, and where no setting asks for an encoder of another shape or metric.
 */
export function chosenStart(given: PretrainConfig, dataset: Dataset, { train }: Split): string | null {
  if (given.startFrom !== "auto" || train.length > fewSamples || !hasBuiltin()) return givenStart(given);
  const start = pretrainFactsOf(builtinName);
  const config = structuredClone(given);
  if (metricsOf(given).join() !== start.facts.config.unifracMetric || studiesOf(dataset)) return null;
  decideAuto(config, train.length);
  const hasItsShape = Bun.deepEquals(config.model, withShapeOf(config, start).model);
  const all = Int32Array.from({ length: dataset.sampleCount }, (_, sample) => sample);
  const isKnown = trainedOn(builtinName, dataset, all) > 0;
  return hasItsShape && !isKnown && knowsSequences(start.facts, dataset, train) ? builtinName : null;
}

/**
 * A pretraining's configuration with the shape of the encoder that it starts from.
 * @throws UserError where that one was trained on another metric.
 */
export function startingFrom(given: PretrainConfig, path: string): PretrainConfig {
  const start = pretrainFactsOf(path);
  const { unifracMetric: metric, furtherMetrics } = start.facts.config;
  if (furtherMetrics.length > 0)
    throw new UserError(
      `${path} was trained on several metrics, and --start-from takes over an encoder of one; give another run.`,
    );
  if (metric !== given.unifracMetric)
    throw new UserError(
      `${path} was trained on ${metric}; give --unifrac-metric ${metric}, or leave --start-from out.`,
    );
  return withShapeOf(given, start);
}
