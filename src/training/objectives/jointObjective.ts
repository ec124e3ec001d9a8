import type { Dataset } from "../../data/dataset/dataset.ts";
import { atLeastFloat32 } from "../../models/precision.ts";
import * as torch from "../../torch/index.ts";
import type { BatchTargets } from "./batchTensors.ts";
import type { BaseObjective } from "./objective.ts";

/** Samples whose distances tell how much a metric varies, at most. */
const mostAsked = 128;

/**
 * Several metrics that one encoder learns together. The loss of metric m is its mean squared error L_m over
 * the variance V_m of its true values, which is 1 - R², and all count alike:
 *
 *     loss = V_1 / M · sum_m L_m / V_m
 *
 * The first metric's variance makes it as large as that metric's alone, so learning rates and the limit of
 * gradients suit it. `variances` are those of each metric, in the units of its loss.
 */
export function jointObjective(
  objectives: readonly BaseObjective[],
  variances: readonly number[],
): BaseObjective {
  const isValue = ({ encoderType }: BaseObjective) => encoderType === "faith_pd";
  const distances = objectives.filter((one) => !isValue(one));
  const weights = variances.map((variance) => variances[0] / variance / objectives.length);
  const hasValue = objectives.some(isValue);
  const names = distances.map(({ metric }) => metric);
  return {
    metric: objectives[0].metric,
    encoderType: "unifrac",
    needs: {
      distance: names.length === 1 ? names[0] : names,
      vector: objectives.find(isValue)?.needs.vector,
    },
    output: ({ embeddings, basePrediction }) => {
      if (!hasValue) return embeddings!;
      const exact = atLeastFloat32(embeddings!);
      return torch.cat([exact, basePrediction!.to(exact.dtype)], 1);
    },
    loss: (encoding, targets) =>
      objectives
        .map((one, i) => one.loss(encoding, targetsOf(targets, distances.indexOf(one))).mul(weights[i]))
        .reduce((sum, loss) => sum.add(loss)),
    evaluate: (outputs, samples) => {
      const width = outputs.size(1) - Number(hasValue);
      const all = objectives.map((one) => {
        using part = isValue(one) ? outputs.narrow(1, width, 1) : outputs.narrow(1, 0, width);
        return one.evaluate(part, samples);
      });
      return {
        ...all[0],
        loss: all.reduce((sum, { loss, result }, i) => sum + (loss ?? result.mse) * weights[i], 0),
        metrics: Object.fromEntries(objectives.map(({ metric }, i) => [metric, all[i]])),
      };
    },
  };
}

/** The targets of one of several distances; of values (-1) and where there is one, all. */
function targetsOf(targets: BatchTargets, place: number): BatchTargets {
  const { distances, distanceMask } = targets;
  if (place < 0 || !distances || distances.shape.length < 3) return targets;
  return {
    ...targets,
    distances: distances.select(0, place),
    distanceMask: distanceMask?.select(0, place) ?? null,
  };
}

/**
 * The variance of a metric's distances among the training samples, of many among some; 1 where they do not
 * vary, and of values, which are scaled to it.
 */
export function lossVariance(dataset: Dataset, metric: string, train: Int32Array): number {
  if (metric === "faith_pd") return 1;
  const step = Math.max(1, train.length / mostAsked);
  const asked = Array.from(
    { length: Math.min(train.length, mostAsked) },
    (_, i) => train[Math.floor(i * step)],
  );
  const block = dataset.distance(metric).block(asked);
  const known = block.filter(
    (value, k) => k % asked.length > Math.floor(k / asked.length) && !Number.isNaN(value),
  );
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const variance = known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length;
  return variance > 0 ? variance : 1;
}
