import { availableMemory } from "../../common/availableMemory.ts";
import { checkedWhole } from "../../common/checkedWhole.ts";
import { UserError } from "../../common/userError.ts";
import * as torch from "../../torch/index.ts";
import { checkDistances, type Distances } from "../distances/distances.ts";
import { leadingAxes } from "./leadingAxes.ts";
import type { Ordination } from "./ordination.ts";
import { squareTensor } from "./squareTensor.ts";

export interface PcoaOptions {
  /**
   * `eigh`: all axes at once, exactly. `fsvd`: the first axes alone, found by products with random vectors.
   * Default `eigh` up to 2,000 samples.
   */
  readonly method?: "eigh" | "fsvd";
  /** Axes to give; default 10, and at most as many as samples. */
  readonly dimensions?: number;
  /** Of the random vectors of `fsvd`. Default 0. */
  readonly seed?: number;
  /** Of the matrix in memory; default float64 where that takes at most a third of the memory that is free. */
  readonly precision?: "float32" | "float64";
  /** Is told how far `fsvd` has come, 0 to 1. */
  readonly onProgress?: (share: number) => void;
}

export interface Pcoa extends Ordination {
  readonly method: "eigh" | "fsvd";
  /**
   * Eigenvalues below 0, which distances have that no Euclidean space can hold: the lowest that was met,
   * and how many of all there are (`eigh`).
   */
  readonly negative?: { readonly lowest: number; readonly count?: number };
  /** What `fsvd` leaves open: eigenvalues are off by at most this share of the first one. */
  readonly residual: number;
}

/** Samples up to which all axes are computed unless told otherwise: a few seconds. */
const exactSamples = 2000;
/** Matrices of the input's size that the exact decomposition holds at once. */
const exactMatrices = 5;
/**
 * Eigenvalues as close to 0 as this are 0, as in scikit-bio; where the first is below 1, as in scikit-bio of
 * distances that are scaled so that it is 1. In small units all axes would be lost.
 */
const zeroBelow = (first: number) => 1e-8 * Math.min(1, first);

/**
 * Principal coordinates of distances (Gower 1966): the eigenvectors of -J D² J / 2, each times the root of
 * its eigenvalue. Axes whose eigenvalue is negative have 0 for all samples. Shares explained are of the
 * trace, or of the sum of the positive eigenvalues where all axes are asked for, as scikit-bio has them.
 * The sign of an axis, which is arbitrary, is such that its largest coordinate is positive.
 * @throws UserError for fewer than two samples, for distances that are all 0 or not known, and where `eigh`
 * does not fit into memory.
 * @example
 * const { coordinates, explained } = pcoa(readDistances("unweighted.tsv"), { dimensions: 3 });
 */
export function pcoa(distances: Distances, options: PcoaOptions = {}): Pcoa {
  const { ids, values } = distances;
  const n = ids.length;
  const total = sumOfSquares(values) / n;
  if (n < 2) throw new UserError("A PCoA needs at least two samples.");
  checkDistances(distances);
  if (total === 0)
    throw new UserError(
      "All distances are 0, so there is no axis that tells samples apart; check the matrix.",
    );
  const dimensions = Math.min(checkedWhole("dimensions", options.dimensions ?? 10, 1), n);
  const { seed = 0, onProgress } = options;
  // All axes are what the exact decomposition gives, and no quicker any other way.
  const method = dimensions === n ? "eigh" : (options.method ?? (n <= exactSamples ? "eigh" : "fsvd"));
  const { precision = 8 * n * n <= availableMemory() / 3 ? "float64" : "float32" } = options;
  if (method === "eigh") refuseTooLarge(n, precision);
  return torch.tidy(() => {
    const centred = centre(squareTensor(distances, precision));
    if (method === "fsvd") {
      const found = leadingAxes(centred, { count: dimensions, seed, onProgress });
      return {
        ...described(ids, found.eigenvalues, found.vectors, total),
        method,
        ...(found.lowest < -zeroBelow(found.eigenvalues[0]) && { negative: { lowest: found.lowest } }),
        residual: found.residual,
      };
    }
    const [ascending, vectors] = centred.linalgEigh();
    const all = ascending.to("float64").toFloat64Array().reverse();
    const zero = zeroBelow(all[0]);
    const count = all.reduce((sum, value) => sum + (value < -zero ? 1 : 0), 0);
    const whole = dimensions < n ? total : all.reduce((sum, value) => sum + Math.max(value, 0), 0);
    const first = vectors.narrow(1, n - dimensions, dimensions).flip([1]);
    return {
      ...described(ids, all.slice(0, dimensions), first, whole),
      method,
      ...(count > 0 && { negative: { lowest: all[n - 1], count } }),
      residual: 0,
    };
  });
}

function sumOfSquares(values: Float32Array | Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return sum;
}

function refuseTooLarge(n: number, precision: "float32" | "float64"): void {
  const needed = exactMatrices * n * n * (precision === "float64" ? 8 : 4);
  const free = availableMemory();
  if (needed <= free) return;
  const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(1);
  throw new UserError(
    `All axes of ${n} samples at once (eigh) take about ${gib(needed)} GiB, and ${gib(free)} GiB are free; use fsvd with fewer dimensions, which finds the first axes alone.`,
  );
}

/** -J D² J / 2 of distances [samples, samples], in their memory. */
export function centre(square: torch.Tensor): torch.Tensor {
  square.square_().mul_(-0.5);
  const means = square.mean(0, true);
  return square.sub_(means).sub_(means.t()).add_(means.mean());
}

function described(
  ids: readonly string[],
  raw: Float64Array,
  vectors: torch.Tensor,
  total: number,
): Ordination {
  const zero = zeroBelow(raw[0]);
  const eigenvalues = raw.map((value) => (value > zero ? value : 0));
  const coordinates = vectors
    .to("float64")
    .mul(torch.tensor(eigenvalues.map(Math.sqrt)))
    .contiguous()
    .toFloat64Array();
  orient(coordinates, eigenvalues.length);
  return { ids, eigenvalues, explained: eigenvalues.map((value) => value / total), coordinates };
}

/** Turns each axis so that its coordinate of the largest size is positive. */
function orient(coordinates: Float64Array, axes: number): void {
  for (let axis = 0; axis < axes; axis++) {
    let largest = 0;
    for (let i = axis; i < coordinates.length; i += axes)
      if (Math.abs(coordinates[i]) > Math.abs(largest) * (1 + 1e-9)) largest = coordinates[i];
    if (largest >= 0) continue;
    for (let i = axis; i < coordinates.length; i += axes) coordinates[i] = -coordinates[i];
  }
}
