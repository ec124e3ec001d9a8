import type { Dataset } from "../../data/dataset/dataset.ts";
import { SetDistance } from "../../models/setDistance.ts";
import { SetEncoder } from "../../models/setEncoder.ts";
import * as torch from "../../torch/index.ts";
import { batchOptionsOf } from "../config/buildModel.ts";
import { fitPolynomial } from "../objectives/calibration.ts";
import type { OpenedRun } from "../run/open.ts";
import { embedSampleSet } from "./embedSamples.ts";

/**
 * What words and own branches may be worth beside codes on another tree, and the
 * branches that all samples share.
 */
const wordWeights = [0.25, 1, 4];
const ownWeights = [0.25, 0.5, 1, 2, 4, 8];
const sharedWeights = [0, 0.25, 1, 4, 16];

/**
 * The distances of a set encoder for data of a study that it was not trained on: what its own studies have
 * learned, on average. They rank pairs rightly if the encoder knows such data; their scale is a guess.
 * `words`, `own` and `shared` weigh words, own branches and those that all samples share.
 */
export function typicalDistance(encoder: SetEncoder, { words = 1, own = 1, shared = 1 } = {}): SetDistance {
  const known = encoder.distances;
  const { kind, normalized } = known[0];
  const columns = encoder.sets.reduce((sum, { length }) => sum + length.numel, 0);
  const typical = new SetDistance({
    kind,
    normalized,
    weights: [
      { from: encoder.dim, weight: words },
      { from: encoder.dim + columns, weight: own },
    ],
  });
  torch.noGrad(() =>
    torch.tidy(() => {
      const mean = (values: torch.Tensor[]) => torch.stack(values).mean([0]);
      typical.calibration.copy_(mean(known.map((one) => one.calibration.mul(one.scale))));
      const constant = mean(known.map((one) => one.shared.softplus().mul(one.unit))).mul(shared);
      const unit = mean(known.map((one) => one.unit));
      typical.unit.copy_(unit);
      // What becomes the constant by a softplus.
      typical.shared.copy_(constant.div(unit).clampMin(1e-6).expm1().log());
    }),
  );
  return typical.to(known[0].calibration.device);
}

/**
 * The distances of a set encoder, fitted to those that are known among a few samples of a study that it was
 * not trained on: the weights of words, own and shared branches with the least squared error, and the line
 * that has it. Null for encoders that do not compare sets, and where no distance is known.
 */
export function calibratedDistance(
  { encoder, facts }: Pick<OpenedRun, "encoder" | "facts">,
  dataset: Dataset,
  samples: Int32Array,
  device: torch.Device,
): SetDistance | null {
  if (!(encoder instanceof SetEncoder) || !encoder.distance) return null;
  const { metric, model } = facts.config;
  const truth = dataset.distance(metric).block(samples);
  const n = samples.length;
  const places: number[] = [];
  const wanted: number[] = [];
  for (let a = 0; a < n; a++)
    for (let b = a + 1; b < n; b++) {
      const distance = truth[a * n + b];
      if (Number.isNaN(distance)) continue;
      places.push(a * n + b);
      wanted.push(distance);
    }
  if (wanted.length === 0) return null;
  using _scope = torch.scope();
  const embeddings = embedSampleSet(encoder, dataset, samples, { device, batch: batchOptionsOf(model) });
  const on = embeddings.to(encoder.distance.calibration.device);
  let best: { form: SetDistance; error: number; line: Float64Array } | null = null;
  const { normalized } = encoder.distance;
  const choices = (encoder.wordSets ? wordWeights : [1]).flatMap((words) =>
    ownWeights.flatMap((own) => (normalized ? sharedWeights : [1]).map((shared) => ({ words, own, shared }))),
  );
  for (const weights of choices) {
    const form = typicalDistance(encoder, weights);
    const raw = torch.noGrad(() => torch.tidy(() => form.uncalibrated(on, on).toFloat32Array()));
    const given = places.map((place) => raw[place]);
    const line = fitPolynomial(given, wanted, 1);
    const error = given.reduce((sum, value, i) => sum + (line[0] + line[1] * value - wanted[i]) ** 2, 0);
    if (!best || error < best.error) best = { form, error, line };
  }
  const { form, line } = best!;
  torch.noGrad(
    () => void form.calibration.copy_(torch.tensor([line[1], line[0], 0]).to(form.calibration.device)),
  );
  return form;
}
