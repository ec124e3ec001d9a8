import type { Dataset } from "../../data/dataset/dataset.ts";
import { SetDistance } from "../../models/setDistance.ts";
import { SetEncoder } from "../../models/setEncoder.ts";
import * as torch from "../../torch/index.ts";
import { batchOptionsOf } from "../config/buildModel.ts";
import type { ModelConfig } from "../config/config.ts";
import { fitPolynomial } from "../objectives/polynomial.ts";
import type { OpenedRun } from "../run/open.ts";
import { embedSampleSet } from "./embedSamples.ts";

/**
 * What words, long words and own branches may be worth beside codes on another tree, and the branches that
 * all
 * samples share.
 */
const wordWeights = [0, 0.25, 1, 4];
const longWeights = [0.25, 1, 4, 16];
const ownWeights = [0.25, 0.5, 1, 2, 4, 8];
const sharedWeights = [0, 0.25, 1, 4, 16];

/** Least part of a sample that all share: the softplus has no inverse at 0. */
const leastShared = 1e-6;

/** What parts of a set encoder's coordinates are worth beside codes, and what all samples share. */
interface Weights {
  /** Of the words of each of `SetEncoder.sets`, and of own branches. */
  readonly parts: readonly number[];
  readonly shared: number;
}

/**
 * The distances of a set encoder for data of a study that it was not trained on: what its own studies have
 * learned, on average. They rank pairs rightly if the encoder knows such data; their scale is a guess.
 */
export function typicalDistance(encoder: SetEncoder): SetDistance {
  return weightedDistance(encoder, { parts: [...encoder.sets.map(() => 1), 1], shared: 1 });
}

function weightedDistance(encoder: SetEncoder, { parts, shared }: Weights): SetDistance {
  const known = encoder.distances;
  const { kind, normalized } = known[0];
  const starts = partStarts(encoder);
  const typical = new SetDistance({
    kind,
    normalized,
    weights: parts.map((weight, i) => ({ from: starts[i + 1], weight })),
  });
  torch.noGrad(() =>
    torch.tidy(() => {
      const mean = (values: torch.Tensor[]) => torch.stack(values).mean([0]);
      typical.calibration.copy_(mean(known.map((one) => one.calibration.mul(one.scale))));
      const constant = mean(known.map((one) => one.shared.softplus().mul(one.unit))).mul(shared);
      const unit = mean(known.map((one) => one.unit));
      typical.unit.copy_(unit);
      // What becomes the constant by a softplus.
      typical.shared.copy_(constant.div(unit).clampMin(leastShared).expm1().log());
    }),
  );
  return typical.to(known[0].calibration.device);
}

/** Where codes, the words of each of `SetEncoder.sets` and own branches begin in coordinates. */
function partStarts(encoder: SetEncoder): number[] {
  const starts = [0, encoder.dim];
  for (const { length } of encoder.sets) starts.push(starts.at(-1)! + length.numel);
  return starts;
}

/**
 * The distances of a set encoder, fitted to those that are known among a few samples of a study that it was
 * not trained on: the weights of words, own and shared branches with the least squared error, and the line
 * that has it. Null for encoders that do not compare sets, and where no distance is known.
 */
export function calibratedDistance(
  opened: Pick<OpenedRun, "encoder" | "facts">,
  dataset: Dataset,
  samples: Int32Array,
  device: torch.Device,
): SetDistance | null {
  const { encoder } = opened;
  const fitted =
    encoder instanceof SetEncoder ? fitToTree({ ...opened, encoder }, dataset, samples, device) : null;
  if (!fitted) return null;
  const { weights, line } = fitted;
  const form = weightedDistance(encoder as SetEncoder, weights);
  torch.noGrad(
    () => void form.calibration.copy_(torch.tensor([line[1], line[0], 0]).to(form.calibration.device)),
  );
  return form;
}

/**
 * Makes the weights of parts the encoder's own, and what all samples share that of each of its distances:
 * their roots, half way between what these few samples ask for and what other studies have taught.
 */
export function weighParts(encoder: SetEncoder, weights: Weights): void {
  const parts = weights.parts.map(Math.sqrt);
  const shared = Math.sqrt(weights.shared);
  torch.noGrad(() =>
    torch.tidy(() => {
      encoder.sets.forEach(({ unit }, i) => {
        unit.mul_(parts[i]);
      });
      encoder.pooling.ownUnit.mul_(parts.at(-1)!);
      for (const distance of encoder.distances)
        distance.shared.copy_(distance.shared.softplus().mul(shared).clampMin(leastShared).expm1().log());
    }),
  );
}

/**
 * The weights with the least squared error on the known distances among some samples, and the line that has
 * it.
 */
export function fitToTree(
  {
    encoder,
    facts,
  }: {
    readonly encoder: SetEncoder;
    readonly facts: { readonly config: { readonly unifracMetric: string; readonly model: ModelConfig } };
  },
  dataset: Dataset,
  samples: Int32Array,
  device: torch.Device,
): { readonly weights: Weights; readonly line: Float64Array } | null {
  if (!encoder.distance) return null;
  const { unifracMetric, model } = facts.config;
  const truth = dataset.distance(unifracMetric).block(samples);
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
  const { distance } = encoder;
  const starts = partStarts(encoder);
  const parts = torch.noGrad(() =>
    starts.map((from, i) => {
      const part = on.narrow(1, from, (starts[i + 1] ?? on.size(1)) - from);
      return distance.differences(part, part);
    }),
  );
  const choices = [wordWeights, longWeights]
    .slice(0, encoder.sets.length)
    .concat([ownWeights, distance.normalized ? sharedWeights : [1]])
    .reduce<number[][]>((some, more) => some.flatMap((one) => more.map((weight) => [...one, weight])), [[]]);
  let best: { weights: Weights; error: number; line: Float64Array } | null = null;
  for (const choice of choices) {
    const weights = { parts: choice.slice(0, -1), shared: choice.at(-1)! };
    const raw = torch.noGrad(() =>
      torch.tidy(() => {
        const form = weightedDistance(encoder, weights);
        const sum = (of: (part: (typeof parts)[number]) => torch.Tensor) =>
          weights.parts.reduce((total, weight, i) => total.add(of(parts[i + 1]).mul(weight)), of(parts[0]));
        const apart = sum((part) => part.apart);
        const together = sum((part) => part.together);
        return form.relative(apart, together).toFloat32Array();
      }),
    );
    const given = places.map((place) => raw[place]);
    const line = fitPolynomial(given, wanted, 1);
    const error = given.reduce((sum, value, i) => sum + (line[0] + line[1] * value - wanted[i]) ** 2, 0);
    if (!best || error < best.error) best = { weights, error, line };
  }
  return best;
}
