import * as torch from "../../../torch/index.ts";
import type { SparseRows } from "../randomForest.ts";

/** Columns that are held densely at a time. */
const columnsPerBlock = 8192;

/**
 * Jaccard distances [n, n] between the sets of features of samples: 1 - |both| / |either|; 0 between two
 * empty sets. float32, exact, as products of presence in blocks of columns.
 */
export function jaccardDistances(samples: SparseRows): torch.Tensor {
  const n = samples.rows.length;
  return torch.tidy(() => {
    const both = sumOverBlocks(samples, 1, (block) => block.mm(block.t())) ?? torch.zeros([n, n]);
    const sizes = both.diagonal();
    const either = sizes.unsqueeze(1).add(sizes).sub(both);
    return either.sub(both).div(either.clampMin(1));
  });
}

/**
 * Bray-Curtis distances [n, n] between the shares of samples, each sample's of sum 1: half of the
 * sum of |p - q|. float32.
 */
export function brayCurtisDistances(samples: SparseRows): torch.Tensor {
  const n = samples.rows.length;
  return torch.tidy(() => {
    const pairs = sumOverBlocks(samples, null, (block) => torch.pdist(block, 1))?.mul(0.5);
    const above = torch.ones([n, n]).triu(1);
    const upper = pairs ? torch.zeros([n, n]).maskedScatter(above.to("bool"), pairs) : above.mul(0);
    return upper.add(upper.t());
  });
}

/**
 * Adds up results for the columns of `samples` [n, features], some at a time; null without columns. `value`
 * takes the place of all values.
 */
function sumOverBlocks(
  { features, rows }: SparseRows,
  value: number | null,
  of: (block: torch.Tensor) => torch.Tensor,
): torch.Tensor | null {
  const n = rows.length;
  let sum: torch.Tensor | null = null;
  const next = new Int32Array(n);
  for (let from = 0; from < features; from += columnsPerBlock) {
    const width = Math.min(columnsPerBlock, features - from);
    const dense = new Float32Array(n * width);
    rows.forEach((row, i) => {
      for (; next[i] < row.index.length && row.index[next[i]] < from + width; next[i]++)
        dense[i * width + row.index[next[i]] - from] = value ?? row.value[next[i]];
    });
    const part = torch.tidy(() => of(torch.tensor(dense, { shape: [n, width] })));
    sum = sum ? sum.add_(part) : part;
  }
  return sum;
}
