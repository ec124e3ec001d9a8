import * as torch from "../../torch/index.ts";
import { type Distances, pairIndex } from "../distances/distances.ts";

/** Rows that are filled in together. */
const rowsPerBlock = 128;

/**
 * The square matrix [samples, samples] of condensed distances, built up by blocks so that nothing else of
 * its size is in memory.
 */
export function squareTensor(
  { ids, values }: Distances,
  dtype: "float32" | "float64" = "float64",
): torch.Tensor {
  const n = ids.length;
  const square = torch.empty([n, n], { dtype });
  const buffer = new (values instanceof Float32Array ? Float32Array : Float64Array)(rowsPerBlock * n);
  for (let from = 0; from < n; from += rowsPerBlock) {
    using _scope = torch.scope();
    const rows = Math.min(rowsPerBlock, n - from);
    const width = n - from;
    const block = buffer.subarray(0, rows * width).fill(0);
    for (let i = from; i < Math.min(from + rows, n - 1); i++) {
      const start = pairIndex(n, i, i + 1);
      block.set(values.subarray(start, start + n - i - 1), (i - from) * width + i + 1 - from);
    }
    const upper = torch.tensor(block, { shape: [rows, width] });
    const corner = upper.narrow(1, 0, rows);
    const band = square.narrow(0, from, rows).narrow(1, from, width);
    band.copy_(upper);
    band.narrow(1, 0, rows).add_(corner.t());
    square
      .narrow(0, from + rows, width - rows)
      .narrow(1, from, rows)
      .copy_(upper.narrow(1, rows, width - rows).t());
  }
  return square;
}
