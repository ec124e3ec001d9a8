import { Random } from "../../common/random/random.ts";
import { BatchBuilder, type BatchOptions } from "../../data/batches/batch.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { studiesOf } from "../../data/dataset/joinStudies.ts";
import type { Encoder } from "../../models/encoder.ts";
import type { SetDistance } from "../../models/setDistance.ts";
import { SetEncoder } from "../../models/setEncoder.ts";
import { startDistance, startFrom } from "../../models/setStart.ts";
import * as torch from "../../torch/index.ts";
import type { ModelConfig } from "../config/config.ts";
import { fitToTree, weighParts } from "../inference/calibratedDistance.ts";
import { batchTensors } from "../objectives/batchTensors.ts";

/** Samples that the starting values are computed from, at most. */
const startSamples = 128;

/**
 * Gives a fresh set encoder the values to start from, computed from some training samples; other encoders
 * need none. `batch` must bring the distances or values that are learned along.
 */
export function startEncoder(
  encoder: Encoder,
  dataset: Dataset,
  train: Int32Array,
  options: {
    batch: BatchOptions;
    device: torch.Device;
    seed: number;
    scaling: { shift: number; scale: number } | null;
  },
): void {
  if (!(encoder instanceof SetEncoder)) return;
  const random = new Random(options.seed).derive("start");
  const chosen = random.shuffle(train.slice()).subarray(0, startSamples);
  torch.tidy(() => {
    const batch = new BatchBuilder(dataset, options.batch).build(chosen, random);
    const { input, targets } = batchTensors(batch, options.device);
    const { distances, distanceMask, vector, vectorMask } = targets;
    const { shift, scale } = options.scaling ?? { shift: 0, scale: 1 };
    const known = (values: torch.Tensor | null, mask: torch.Tensor | null) =>
      values && { values, known: mask! };
    startFrom(encoder, input, {
      distances: encoder.metricDistances.map((_, i) =>
        known(ofMetric(distances, i), ofMetric(distanceMask, i)),
      ),
      value: known(vector?.sub(shift).div(scale) ?? null, vectorMask),
    });
  });
  calibrateStudies(encoder, dataset, train, random, options);
}

/** What is known of one of several metrics [M, B, B]; of a single one [B, B] it is all. */
function ofMetric(values: torch.Tensor | null, place: number): torch.Tensor | null {
  return values && values.shape.length > 2 ? values.select(0, place) : values;
}

/**
 * Fits an encoder that knows sequences from other data to the tree of this data set: what codes, words, own
 * branches and those that all share are worth, and the line to true distances, from some training samples.
 */
export function startOnTree(
  encoder: Encoder,
  dataset: Dataset,
  train: Int32Array,
  options: Parameters<typeof calibrateOn>[4] & {
    readonly unifracMetric: string;
    readonly model: ModelConfig;
  },
): void {
  if (!(encoder instanceof SetEncoder) || !encoder.distance) return;
  const random = new Random(options.seed).derive("start");
  const chosen = random.shuffle(train.slice()).subarray(0, startSamples);
  // What samples share is measured by their size, which has to be known before it is weighed.
  calibrateOn(encoder, encoder.distance, dataset, chosen, options);
  const fitted = fitToTree({ encoder, facts: { config: options } }, dataset, chosen, options.device);
  if (fitted) weighParts(encoder, fitted.weights);
  calibrateOn(encoder, encoder.distance, dataset, chosen, options);
  calibrateStudies(encoder, dataset, train, random, options);
}

/** Fits the calibrations of several studies, each to samples of its own. */
function calibrateStudies(
  encoder: SetEncoder,
  dataset: Dataset,
  train: Int32Array,
  random: Random,
  options: Parameters<typeof calibrateOn>[4],
): void {
  const studies = studiesOf(dataset);
  if (encoder.otherDistances && studies)
    encoder.distances.forEach((distance, study) => {
      const own = train.filter((sample) => studies.of[sample] === study);
      calibrateOn(encoder, distance, dataset, random.shuffle(own).subarray(0, startSamples), options);
    });
}

/**
 * Fits a calibration to the known distances among some samples: what makes an encoder's distances those of
 * another study's tree, where a few of them are known.
 */
export function calibrateOn(
  encoder: SetEncoder,
  distance: SetDistance,
  dataset: Dataset,
  samples: Int32Array,
  { batch: batchOptions, device, seed }: { batch: BatchOptions; device: torch.Device; seed: number },
): void {
  torch.noGrad(() =>
    torch.tidy(() => {
      const batch = new BatchBuilder(dataset, batchOptions).build(samples, new Random(seed));
      const { input, targets } = batchTensors(batch, device);
      const coordinates = encoder.forward(input).embeddings!;
      startDistance(distance, coordinates, { values: targets.distances!, known: targets.distanceMask! });
    }),
  );
}
