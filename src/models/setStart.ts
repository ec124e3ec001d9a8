import * as torch from "../torch/index.ts";
import { atLeastFloat32 } from "./precision.ts";
import type { RaggedBatch } from "./raggedBatch.ts";
import type { SetDistance } from "./setDistance.ts";
import type { SetEncoder } from "./setEncoder.ts";

/** What samples are judged against: distances [B, B] or values [B], and which of them are known. */
export interface StartTargets {
  readonly values: torch.Tensor;
  readonly known: torch.Tensor;
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
export function startFrom(encoder: SetEncoder, batch: RaggedBatch, targets: StartTargets | null): void {
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
      const bias = asvEncoder.bias.narrow(0, 0, encoder.dim);
      const logits = raw.narrow(1, 0, encoder.dim).sub(bias);
      if (encoder.pooling.kind === "union") balance(encoder, batch, logits, bias);
      else
        bias.copy_(
          torch.quantile(logits.narrow(0, 0, Math.min(logits.size(0), judgedAsvs)), 1 - wantedShare, 0).neg(),
        );
      const size = (values: torch.Tensor) =>
        (encoder.pooling.kind === "union" ? values.square() : values).sum();
      const parts = () =>
        encoder.parts(logits.add(bias).softplus(), raw.select(1, encoder.dim).softplus(), batch);
      const [codes, ...others] = parts().map(size);
      const own = others.pop()!;
      const weight = encoder.pooling.kind === "union" ? 1 : ownWeight;
      scaleTo(encoder.pooling.ownUnit, codes.mul(weight), own);
      others.forEach((words, i) => {
        scaleTo(encoder.sets[i].unit, codes, words);
      });
      const coordinates = torch.cat(parts(), 1);
      const { distance, valueHead } = encoder;
      if (valueHead) {
        const line = fitLine(coordinates.square().sum([1]), targets);
        if (line) {
          valueHead.weight.fill_(line.slope);
          valueHead.bias!.fill_(line.offset);
        }
        return;
      }
      if (distance) startDistance(distance, coordinates, targets);
    }),
  );
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
  targets: StartTargets | null,
): void {
  distance.unit.copy_(distance.sizes(coordinates).mean().clampMin(1e-6).reshape([1]));
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
      const on = encoder.sums(logits.add(bias).softplus(), batch).neg().expm1().neg();
      bias.add_(on.mean([0]).neg().add(wantedShare).mul(rate));
    });
  }
}

/** The least squares line from `given` to the known targets; null where there is no rising one. */
function fitLine(
  given: torch.Tensor,
  targets: StartTargets | null,
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
