import * as torch from "../torch/index.ts";
import { atLeastFloat32 } from "./precision.ts";
import type { RaggedBatch } from "./raggedBatch.ts";
import type { SetEncoder } from "./setEncoder.ts";

/** What samples are judged against: distances [B, B] or values [B], and which of them are known. */
export interface StartTargets {
  readonly values: torch.Tensor;
  readonly known: torch.Tensor;
}

/** Share of the samples that each code shall be found in. */
const wantedShare = 0.35;
const rounds = 20;
const rate = 3;

/**
 * The values to start training from, computed from some samples and, where there are any, what is known of them: words' vectors of unit spread; biases such that each code is on in a third
 * of the samples, since a code that all have or nobody has tells nothing apart and gets no gradient; the size of a sample; and
 * the line from uncalibrated to true distances by least squares. Without this start learning takes ten times as long.
 */
export function startFrom(encoder: SetEncoder, batch: RaggedBatch, targets: StartTargets | null): void {
  torch.noGrad(() =>
    torch.tidy(() => {
      const { asvEncoder } = encoder;
      if (batch.asvTokens.size(0) === 0) return;
      if (asvEncoder.words) {
        const spread = asvEncoder.words.forward(batch.asvTokens).std().item();
        if (spread > 0) asvEncoder.words.weight.div_(spread);
      }
      const padding = { hasPadding: batch.hasAsvPadding, packing: batch.asvPacking };
      const logits = atLeastFloat32(asvEncoder.forward(batch.asvTokens, padding).embeddings).sub(
        asvEncoder.bias,
      );
      for (let round = 0; round < rounds; round++) {
        torch.tidy(() => {
          const sums = encoder.sums(logits.add(asvEncoder.bias).softplus(), batch);
          const on = encoder.pooling.kind === "union" ? sums.neg().expm1().neg() : sums;
          asvEncoder.bias.add_(on.mean([0]).neg().add(wantedShare).mul(rate));
        });
      }
      const coordinates = encoder.pooling.forward(
        encoder.sums(logits.add(asvEncoder.bias).softplus(), batch),
      );
      const { distance, valueHead } = encoder;
      if (valueHead) {
        const line = fitLine(coordinates.square().sum([1]), targets);
        if (line) {
          valueHead.weight.fill_(line.slope);
          valueHead.bias!.fill_(line.offset);
        }
        return;
      }
      if (!distance) return;
      distance.unit.copy_(distance.sizes(coordinates).mean().clampMin(1e-6).reshape([1]));
      const line = fitLine(distance.uncalibrated(coordinates, coordinates), targets);
      if (!line) return;
      if (distance.normalized) {
        distance.calibration.copy_(
          torch.tensor([line.slope, line.offset, 0]).to(distance.calibration.device),
        );
        return;
      }
      // Lengths have the tree's unit: the slope belongs to them.
      const length = torch.nn.functional.softplus(encoder.pooling.length).mul(Math.max(line.slope, 1e-6));
      encoder.pooling.length.copy_(length.expm1().clampMin(1e-12).log());
    }),
  );
}

/** The least squares line from `given` to the known targets; null where there is no rising one. */
function fitLine(
  given: torch.Tensor,
  targets: StartTargets | null,
): { slope: number; offset: number } | null {
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
  return { slope, offset: meanY.item() - slope * meanX.item() };
}
