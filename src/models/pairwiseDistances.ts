import * as torch from "../torch/index.ts";
import { atLeastFloat32 } from "./precision.ts";

/**
 * How a Euclidean distance becomes a prediction: as it is, or as tanh(distance / scale), where the scale may be a parameter to
 * be learned.
 */
export type DistanceForm = "raw" | { readonly tanhScale: number | torch.Tensor };

/** The scale of the reference, right for embeddings of about 128 values. */
export const referenceTanhScale = 10;

/** Below this distance the gradient is 0, so that it is finite where two samples coincide. */
const smallest = 1e-4;

/**
 * Distances of all pairs of embeddings [B, D]: [B, B], 0 on the diagonal, 1e-4 (before any tanh) where two samples are equal.
 * Differences are taken before they are squared: the identity |a|^2 + |b|^2 - 2ab loses up to half of the digits here.
 */
export function pairwiseDistances(embeddings: torch.Tensor, form: DistanceForm = "raw"): torch.Tensor {
  const exact = atLeastFloat32(embeddings);
  const others = torch
    .ones([exact.size(0), exact.size(0)], { dtype: exact.dtype, device: exact.device })
    .fillDiagonal_(0);
  // 2: differences, not products
  const distances = torch.cdist(exact, exact, 2, 2).clampMin(smallest).mul(others);
  return asPrediction(distances, form);
}

/** What Euclidean distances predict in a form. */
export function asPrediction(distances: torch.Tensor, form: DistanceForm): torch.Tensor {
  return form === "raw" ? distances : distances.div(form.tanhScale as number).tanh();
}

/** Distances of a block of rows are held at a time. */
const valuesPerBlock = 1 << 22;

/** The rows of the square matrix of distances between all embeddings [N, D], 0 on the diagonal, without holding it whole. */
export function* predictedRows(embeddings: torch.Tensor, form: DistanceForm): Generator<Float32Array> {
  const n = embeddings.size(0);
  const height = Math.max(1, Math.floor(valuesPerBlock / n));
  for (let from = 0; from < n; from += height) {
    const values = torch.tidy(() => {
      const some = embeddings.narrow(0, from, Math.min(height, n - from));
      return asPrediction(torch.cdist(some, embeddings, 2, 2), form).toFloat32Array();
    });
    for (let start = 0; start < values.length; start += n) yield values.subarray(start, start + n);
  }
}
