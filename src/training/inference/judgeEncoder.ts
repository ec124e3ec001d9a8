import type { ReportProgress } from "../../common/progress.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import type { Encoder } from "../../models/encoder.ts";
import type { DistanceForm } from "../../models/pairwiseDistances.ts";
import * as torch from "../../torch/index.ts";
import { batchOptionsOf, objectiveForms } from "../config/buildModel.ts";
import { mapSampleSet, type SampleSetOptions } from "../encoding/mapSampleSet.ts";
import { makeBaseObjective } from "../objectives/baseObjective.ts";
import { judgedOf } from "../objectives/judgedSamples.ts";
import type { BaseObjective } from "../objectives/objective.ts";
import type { PairEvaluation } from "../objectives/pairEvaluation.ts";
import type { OpenedRun } from "../run/open.ts";

/** Whether a data set knows what an encoder of this metric can be judged by. */
export function hasMetric({ manifest }: Dataset, metric: string): boolean {
  return manifest.distances.includes(metric) || manifest.vectors.includes(metric);
}

/**
 * Predicted against true distances over all pairs of some samples (or against the samples' values), of many
 * samples for those that `chooseJudged` names.
 */
export function judgeEncoder(
  encoder: Encoder,
  objective: BaseObjective,
  dataset: Dataset,
  samples: Int32Array,
  options: SampleSetOptions,
): PairEvaluation {
  using _scope = torch.scope();
  const { asvEncoder } = encoder;
  const judged = judgedOf(samples);
  const outputs = mapSampleSet(
    asvEncoder,
    dataset,
    judged,
    { ...options, shared: true },
    ({ input, asvEmbeddings }) => objective.output(encoder.forward(input, { asvEmbeddings })),
  );
  return objective.evaluate(outputs, judged);
}

/**
 * Judges the encoder of a run, with another form of distances where one is given, by those of its metrics
 * that the data set knows; null where there is none.
 */
export function judgeRun(
  { encoder, facts }: OpenedRun,
  dataset: Dataset,
  samples: Int32Array,
  device: torch.Device,
  form?: DistanceForm,
  onProgress?: ReportProgress,
): PairEvaluation | null {
  const { unifracMetric: metric, model } = facts.config;
  const has = ({ metric }: { metric: string }) => hasMetric(dataset, metric);
  const { metrics, ...forms } = objectiveForms(facts.config, encoder);
  if (metrics ? !metrics.some(has) : !hasMetric(dataset, metric)) return null;
  const objective = makeBaseObjective(dataset, metric, {
    ...(form ? { form } : { ...forms, metrics: metrics?.filter(has) }),
    scaling: facts.baseScaling,
  });
  if (objective.encoderType !== facts.encoderType) return null;
  return judgeEncoder(encoder, objective, dataset, samples, {
    device,
    batch: batchOptionsOf(model),
    onProgress,
  });
}
