import type { Tensor } from "../core/tensor.ts";
import { tidy } from "../core/tidy.ts";
import { cat } from "../dispatch/ops.gen.ts";
import { refuseOthers } from "../dispatch/optionNames.ts";
import { addBatchDim, atLevel, removeBatchDim } from "./levels.ts";
import { spread, tensorsIn, withTensors } from "./tree.ts";

export interface VmapOptions {
  /**
   * The dimension of each argument that holds the examples; null where all share it. One number for all
   * arguments, or one (or a structure like the argument) for each. Default 0.
   */
  readonly inDims?: unknown;
  /** Where the examples lie in each result. Default 0. */
  readonly outDims?: unknown;
  /**
   * What random operators do: an error (the default), the same numbers for all examples, or different ones.
   */
  readonly randomness?: "error" | "same" | "different";
  /** So many examples at once at most, to save memory. */
  readonly chunkSize?: number | null;
}

const randomnessCode = { error: 0, same: 1, different: 2 } as const;
const isDim = (value: unknown): value is number | null => value === null || Number.isInteger(value);
const isWhole = (value: unknown): value is number => Number.isInteger(value);

/**
 * `fn` for a whole batch at once: written for one example, called with tensors that have one more dimension.
 * LibTorch's batching rules make single operators of the batch's; an operator without a rule is called for
 * each example in turn (with a warning). `fn` may not read values (`item`) and may not choose by them.
 *
 * @throws TorchError where sizes disagree, or LibTorch cannot batch what `fn` does.
 * @example
 * const dot = (x: torch.Tensor, y: torch.Tensor) => x.dot(y);
 * const dots = torch.func.vmap(dot)(torch.ones([5, 3]), torch.ones([5, 3])); // [5]
 */
export function vmap<Args extends unknown[], Result>(
  fn: (...args: Args) => Result,
  options: VmapOptions = {},
): (...args: Args) => Result {
  const { inDims = 0, outDims = 0, randomness = "error", chunkSize = null, ...others } = options;
  refuseOthers("vmap", others, "inDims, outDims, randomness, chunkSize");
  if (!(randomness in randomnessCode))
    throw new TypeError('vmap: randomness must be "error", "same" or "different"');
  if (chunkSize !== null && !(Number.isInteger(chunkSize) && chunkSize > 0))
    throw new RangeError("vmap: chunkSize must be a whole number of at least 1");
  return (...args) => {
    const tensors = tensorsIn(args);
    const dims = spread(inDims, args, isDim, "vmap: inDims").map((dim, i) =>
      dim === null ? null : dim < 0 ? dim + tensors[i].dim() : dim,
    );
    const sizes = tensors.flatMap((tensor, i) =>
      dims[i] === null ? [] : [sizeAt(tensor, dims[i] as number)],
    );
    if (sizes.length === 0) throw new TypeError("vmap: at least one argument must have a batch dimension");
    const size = sizes[0];
    if (sizes.some((other) => other !== size))
      throw new RangeError(
        `vmap: the arguments have ${sizes.join(", ")} examples; the numbers must be equal`,
      );
    const run = (count: number, values: readonly Tensor[]): Result =>
      tidy(() =>
        atLevel(
          "vmap",
          (level) => {
            const batched = values.map((tensor, i) => {
              const dim = dims[i];
              return dim === null ? tensor : addBatchDim(tensor, dim, level);
            });
            const result = fn(...(withTensors(args, batched) as Args));
            const found = tensorsIn(result);
            const places = spread(outDims, result, isWhole, "vmap: outDims");
            return withTensors(
              result,
              found.map((tensor, i) => removeBatchDim(tensor, places[i], level, count)),
            );
          },
          count,
          randomnessCode[randomness],
        ),
      );
    if (chunkSize === null || chunkSize >= size) return run(size, tensors);
    return tidy(() => {
      const results: Result[] = [];
      for (let start = 0; start < size; start += chunkSize) {
        const count = Math.min(chunkSize, size - start);
        const part = tensors.map((tensor, i) => {
          const dim = dims[i];
          return dim === null ? tensor : tensor.narrow(dim, start, count);
        });
        results.push(run(count, part));
      }
      const parts = results.map((result) => tensorsIn(result));
      const places = spread(outDims, results[0], isWhole, "vmap: outDims");
      return withTensors(
        results[0],
        parts[0].map((_, i) =>
          cat(
            parts.map((list) => list[i]),
            places[i],
          ),
        ),
      );
    });
  };
}

function sizeAt(tensor: Tensor, dim: number): number {
  if (dim < 0 || dim >= tensor.dim())
    throw new RangeError(`vmap: inDims names dimension ${dim} of a tensor of ${tensor.dim()} dimensions`);
  return tensor.size(dim);
}
