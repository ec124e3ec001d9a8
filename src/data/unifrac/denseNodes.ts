import * as torch from "../../torch/index.ts";
import type { UniFracMetric } from "./metrics.ts";
import type { NodeProfile } from "./nodeProfile.ts";

/** Corrections of the numerator and the denominator that the dense nodes add to each pair of a block of rows: `[rows, samples]`. */
export interface DenseBlock {
  numerator: Float32Array | Float64Array;
  denominator: Float32Array | Float64Array | null;
}

export interface DenseOptions {
  metric: UniFracMetric;
  alpha: number;
  device: torch.Device;
  dtype: "float32" | "float64";
}

/** Elements of one sum of the generalized metric: a few of them fit into the processor's cache. */
const tileElements = 1 << 17;
/** Keeps 0 / 0 away; no share of a sample is smaller. */
const smallest = 1e-30;

/**
 * The branches that many samples share, as matrix work: for unweighted UniFrac one product, for weighted the L1 distance between
 * scaled rows, for generalized an elementwise sum in slices. The sparse rest is added row by row in pairwise.ts.
 */
export class DenseNodes {
  readonly #amounts: torch.Tensor; // [samples, dense nodes]; scaled by length or its root where that suits the metric
  readonly #lengths: torch.Tensor; // [dense nodes]
  readonly #options: DenseOptions;

  constructor(profile: NodeProfile, nodes: readonly number[], options: DenseOptions) {
    this.#options = options;
    const { metric, dtype, device } = options;
    const isPresence = metric === "unweighted" || metric === "unweighted_unnormalized";
    const isWeighted = metric === "weighted_normalized" || metric === "weighted_unnormalized";
    const ArrayType = dtype === "float64" ? Float64Array : Float32Array;
    const values = new ArrayType(profile.samples * nodes.length);
    nodes.forEach((node, column) => {
      const scale = isPresence ? Math.sqrt(profile.length[node]) : isWeighted ? profile.length[node] : 1;
      for (let k = profile.nodeStart[node]; k < profile.nodeStart[node + 1]; k++) {
        values[profile.samplesAt[k] * nodes.length + column] = isPresence
          ? scale
          : scale * profile.amountAt[k];
      }
    });
    const lengths = new ArrayType(nodes.length);
    nodes.forEach((node, column) => {
      lengths[column] = profile.length[node];
    });
    this.#amounts = torch
      .tensor(values, { shape: [profile.samples, nodes.length], device })
      .detachFromScope();
    this.#lengths = torch.tensor(lengths, { device }).detachFromScope();
  }

  dispose(): void {
    this.#amounts.dispose();
    this.#lengths.dispose();
  }

  /** The dense part of rows `from` .. `to` against all samples. */
  block(from: number, to: number): DenseBlock {
    using _scope = torch.scope();
    const { metric } = this.#options;
    const rows = this.#amounts.narrow(0, from, to - from);
    switch (metric) {
      case "unweighted":
      case "unweighted_unnormalized": {
        // Shared length; it leaves the numerator twice and the denominator once.
        return { numerator: read(rows.matmul(this.#amounts.t())), denominator: null };
      }
      case "weighted_normalized":
      case "weighted_unnormalized":
        return { numerator: read(torch.cdist(rows, this.#amounts, 1)), denominator: null };
      case "generalized":
        return this.#generalized(rows);
    }
  }

  /** Node by node into sums that stay in the cache: a [rows, samples, nodes] intermediate would not. */
  #generalized(rows: torch.Tensor): DenseBlock {
    const { alpha } = this.#options;
    const samples = this.#amounts.size(0);
    const tile = Math.max(1, Math.floor(tileElements / samples));
    const lengths = this.#lengths.toFloat64Array();
    const columns = this.#amounts.t().contiguous(); // [nodes, samples]
    const numerators: torch.Tensor[] = [];
    const denominators: torch.Tensor[] = [];
    for (let row = 0; row < rows.size(0); row += tile) {
      const part = rows.narrow(0, row, Math.min(tile, rows.size(0) - row));
      const numerator = torch.zeros([part.size(0), samples], { dtype: part.dtype, device: part.device });
      const denominator = torch.zerosLike(numerator);
      lengths.forEach((length, node) => {
        using _temporaries = torch.scope();
        const x = part.narrow(1, node, 1);
        const y = columns.narrow(0, node, 1);
        const both = x.add(y);
        // A branch that neither sample has does not count, also not as 0^0.
        const weight = alpha === 0 ? both.gt(0).to(both.dtype) : both.pow(alpha);
        denominator.add_(weight, { alpha: length });
        const share = x.sub(y).abs_().div_(both.clampMin_(smallest));
        numerator.addcmul_(share, weight, { value: length });
      });
      numerators.push(numerator);
      denominators.push(denominator);
    }
    return { numerator: read(torch.cat(numerators)), denominator: read(torch.cat(denominators)) };
  }
}

function read(values: torch.Tensor): Float32Array | Float64Array {
  return values.contiguous().data() as Float32Array | Float64Array;
}
