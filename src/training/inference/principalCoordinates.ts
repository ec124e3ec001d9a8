import { leadingAxes } from "../../data/statistics/leadingAxes.ts";
import * as torch from "../../torch/index.ts";

/** Two coordinates of every sample, and the share of the variance on either. */
export interface Coordinates {
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly explained: readonly [number, number];
}

/** The first two principal components of the rows of [N, D]; 0 where there are fewer. */
export function pcaOf(values: torch.Tensor): Coordinates {
  return torch.tidy(() => {
    const exact = values.to("float64");
    const centred = exact.sub(exact.mean(0, true));
    const [samples, size] = centred.shape;
    const total = centred.square().sum().item();
    if (total === 0) return { x: new Float32Array(samples), y: new Float32Array(samples), explained: [0, 0] };
    // The smaller of the two matrices that have these eigenvalues.
    const isTall = samples > size;
    const products = isTall ? centred.t().matmul(centred) : centred.matmul(centred.t());
    const { eigenvalues, vectors } = leadingAxes(products, {
      count: Math.min(2, products.size(0)),
      seed: 0,
    });
    const axis = (which: number) => {
      const value = Math.max(eigenvalues[which] ?? 0, 0);
      if (value === 0) return new Float32Array(samples);
      const vector = vectors.select(1, which);
      const coordinates = isTall ? centred.matmul(vector) : vector.mul(Math.sqrt(value));
      return coordinates.to("float32").toFloat32Array();
    };
    const share = (which: number) => Math.max(eigenvalues[which] ?? 0, 0) / total;
    return { x: axis(0), y: axis(1), explained: [share(0), share(1)] };
  });
}
