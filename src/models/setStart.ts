import * as torch from "../torch/index.ts";
import { atLeastFloat32 } from "./precision.ts";
import type { RaggedBatch } from "./raggedBatch.ts";
import type { SetDistance } from "./setDistance.ts";
import type { SetEncoder } from "./setEncoder.ts";
import type { SetPooling } from "./setPooling.ts";

/** What samples are judged against: distances [B, B] or values [B], and which of them are known. */
export interface KnownTargets {
  readonly values: torch.Tensor;
  readonly known: torch.Tensor;
}

/** What is known of the samples to start from. */
export interface StartTargets {
  /** Of each of `SetEncoder.metricDistances`. */
  readonly distances?: readonly (KnownTargets | null)[];
  /** Of `SetEncoder.valueHead`. */
  readonly value?: KnownTargets | null;
}

/** Share of the samples that each code shall be found in, or of the ASVs. */
const wantedShare = 0.35;
/** ASVs that thresholds are taken from, at most. */
const judgedAsvs = 1500;
/**
 * Weight of own branches beside codes at the start, where shares are compared; of
 * presence they weigh the same.
 */
const ownWeight = 0.3;
const rounds = 20;
const rate = 3;

/**
 * The values to start training from, computed from some samples and, where there are any, what is known of
 * them: words' vectors of unit spread; biases such that each code is on in a third of the samples (of shares:
 * in a third of the ASVs), since a code that all have or nobody has tells nothing apart and gets no gradient;
 * own branches that weigh as much as the codes; the size of a sample; and
 * the line from uncalibrated to true distances by least squares. Without this start learning
 * takes ten times as long.
 */
export function startFrom(encoder: SetEncoder, batch: RaggedBatch, targets: StartTargets = {}): void {
  torch.noGrad(() =>
    torch.tidy(() => {
      const { asvEncoder } = encoder;
      if (batch.asvTokens.size(0) === 0) return;
      if (asvEncoder.words) {
        const spread = asvEncoder.words.forward(asvEncoder.words.index.rowsOf(batch.asvTokens)).std().item();
        if (spread > 0) asvEncoder.words.weight.div_(spread);
      }
      const padding = { hasPadding: batch.hasAsvPadding, packing: batch.asvPacking };
      const raw = atLeastFloat32(asvEncoder.forward(batch.asvTokens, padding).embeddings);
      const logits = raw.sub(asvEncoder.bias);
      const own = raw.narrow(1, encoder.dim, encoder.poolings.length).softplus();
      encoder.poolings.forEach((pooling, i) => {
        startPooling(encoder, pooling, batch, { logits, own: own.select(1, i) });
      });
      const codes = logits.add(asvEncoder.bias).narrow(1, 0, encoder.dim).softplus();
      const coordinates = encoder.coordinates(codes, own, batch);
      encoder.metricDistances.forEach((distance, i) => {
        startDistance(distance, coordinates, targets.distances?.[i] ?? null);
      });
      const { valueHead } = encoder;
      const line = valueHead && fitLine(encoder.unionSizes(coordinates).squeeze(-1), targets.value ?? null);
      if (valueHead && line) {
        valueHead.weight.fill_(line.slope);
        valueHead.bias!.fill_(line.offset);
      }
    }),
  );
}

/** Thresholds of one pooling's codes, and what its words and own branches weigh beside them. */
function startPooling(
  encoder: SetEncoder,
  pooling: SetPooling,
  batch: RaggedBatch,
  all: { readonly logits: torch.Tensor; readonly own: torch.Tensor },
): void {
  const { from, length } = encoder.codeColumns(pooling);
  const bias = encoder.asvEncoder.bias.narrow(0, from, length);
  const logits = all.logits.narrow(1, from, length);
  const isUnion = pooling.kind === "union";
  if (isUnion) balance(encoder, batch, logits, bias);
  else {
    const judged = logits.narrow(0, 0, Math.min(logits.size(0), judgedAsvs));
    bias.copy_(torch.quantile(judged, 1 - wantedShare, 0).neg());
  }
  const sizes = encoder
    .parts(logits.add(bias).softplus(), all.own, batch, pooling)
    .map((values) => (isUnion ? values.square() : values).sum());
  const [codes, ...others] = sizes;
  scaleTo(pooling.ownUnit, codes.mul(isUnion ? 1 : ownWeight), others.pop()!);
  others.forEach((words, i) => {
    scaleTo(encoder.sets[i].unit, codes, words);
  });
}

/** Multiplies a unit so that what is `present` becomes as large as `wanted`. */
function scaleTo(unit: torch.Tensor, wanted: torch.Tensor, present: torch.Tensor): void {
  const ratio = wanted.item() / present.item();
  if (Number.isFinite(ratio) && ratio > 0) unit.mul_(ratio);
}

/**
 * Fits a calibration to known distances [B, B] among samples with these coordinates [B, K]: the size of a
 * sample, a usual distance, and the line from uncalibrated to true distances by least squares.
 */
export function startDistance(
  distance: SetDistance,
  coordinates: torch.Tensor,
  targets: KnownTargets | null,
): void {
  distance.unit.copy_(distance.sizes(distance.partOf(coordinates)).mean().clampMin(1e-6).reshape([1]));
  const line = fitLine(distance.uncalibrated(coordinates, coordinates), targets);
  if (!line) return;
  distance.scale.fill_(line.mean);
  const { slope, offset, mean } = line;
  distance.calibration.copy_(torch.tensor([slope / mean, offset / mean, 0]).to(distance.calibration.device));
}

/** Moves biases until each code is on in the wanted share of the samples. */
function balance(encoder: SetEncoder, batch: RaggedBatch, logits: torch.Tensor, bias: torch.Tensor): void {
  for (let round = 0; round < rounds; round++) {
    torch.tidy(() => {
      const on = encoder.sums(logits.add(bias).softplus(), batch, "union").neg().expm1().neg();
      bias.add_(on.mean([0]).neg().add(wantedShare).mul(rate));
    });
  }
}

/** The least squares line from `given` to the known targets; null where there is no rising one. */
function fitLine(
  given: torch.Tensor,
  targets: KnownTargets | null,
): { slope: number; offset: number; mean: number } | null {
  if (!targets) return null;
  const { values, known } = targets;
  const chosen = known.logicalAnd(values.isnan().logicalNot());
  const x = given.maskedSelect(chosen).to("float64");
  const y = values.maskedSelect(chosen).to("float64");
  if (x.numel < 2) return null;
  const [meanX, meanY] = [x.mean(), y.mean()];
  const spread = x.sub(meanX).square().mean().item();
  const slope = x.sub(meanX).mul(y.sub(meanY)).mean().item() / spread;
  if (!Number.isFinite(slope) || slope <= 0) return null;
  return { slope, offset: meanY.item() - slope * meanX.item(), mean: meanY.item() };
}
