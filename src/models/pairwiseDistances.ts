import * as torch from "../torch/index.ts";
import { atLeastFloat32 } from "./precision.ts";
import { SetDistance } from "./setDistance.ts";

/**
 * How two embeddings become a predicted distance: by their Euclidean distance as it is, by tanh(distance /
 * scale), where the scale may be a parameter to be learned, or as sets.
 */
export type DistanceForm = EuclideanForm | SetDistance;
export type EuclideanForm = "raw" | { readonly tanhScale: number | torch.Tensor };

/** A metric and how it is predicted; values of samples, such as Faith's PD, need no form. */
export interface MetricForm {
  readonly metric: string;
  readonly form: DistanceForm | null;
}

/** The original AAM's scale, right for embeddings of about 128 values. */
export const referenceTanhScale = 10;

/** Below this distance the gradient is 0, so that it is finite where two samples coincide. */
const smallest = 1e-4;

/**
 * Distances of all pairs of embeddings [B, D]: [B, B], 0 on the diagonal, 1e-4 (before any tanh) where two
 * samples are equal. Differences are taken before they are squared: the identity |a|^2 + |b|^2 - 2ab loses up
 * to half of the digits here.
 */
export function pairwiseDistances(embeddings: torch.Tensor, form: DistanceForm = "raw"): torch.Tensor {
  const exact = atLeastFloat32(embeddings);
  const others = torch
    .ones([exact.size(0), exact.size(0)], { dtype: exact.dtype, device: exact.device })
    .fillDiagonal_(0);
  if (form instanceof SetDistance) return form.forward(exact, exact).mul(others);
  const distances = torch.cdist(exact, exact, 2, byDifferences).clampMin(smallest).mul(others);
  return curved(distances, form);
}

/** `compute_mode` of `cdist`: differences, not products. */
const byDifferences = 2;

function curved(distances: torch.Tensor, form: EuclideanForm): torch.Tensor {
  return form === "raw" ? distances : distances.div(form.tanhScale as number).tanh();
}

/**
 * Predicted distances of some embeddings [n, D] to others [N, D]: [n, N] on the device of the form's
 * parameters, without gradients.
 */
export function distancesBetween(some: torch.Tensor, others: torch.Tensor, form: DistanceForm): torch.Tensor {
  return torch.noGrad(() => {
    if (!(form instanceof SetDistance)) return curved(torch.cdist(some, others, 2, byDifferences), form);
    const { device } = form.calibration;
    return form.forward(some.to(device), others.to(device));
  });
}

/** Distances of a block of rows are held at a time. */
const valuesPerBlock = 1 << 22;

/**
 * The rows of the square matrix of distances between all embeddings [N, D], 0 on the diagonal,
 * without holding it whole.
 */
export function* predictedRows(embeddings: torch.Tensor, form: DistanceForm): Generator<Float32Array> {
  const n = embeddings.size(0);
  const height = Math.max(1, Math.floor(valuesPerBlock / n));
  for (let from = 0; from < n; from += height) {
    const values = torch.tidy(() => {
      const some = embeddings.narrow(0, from, Math.min(height, n - from));
      return distancesBetween(some, embeddings, form).toFloat32Array();
    });
    for (let row = 0; row < values.length / n; row++) {
      values[row * n + from + row] = 0;
      yield values.subarray(row * n, (row + 1) * n);
    }
  }
}
