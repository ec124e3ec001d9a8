/**
 * `torch.utils.flopCounter`: floating-point operations of a computation, by LibTorch's
 * count for each operator.
 */
import { profile } from "../profiler/profile.ts";

export interface FlopCounts<T> {
  readonly result: T;
  /** All together. A multiplication and an addition count as two, as in PyTorch. */
  readonly total: number;
  /** By operator (`aten::mm` ...). */
  readonly byOperator: ReadonlyMap<string, number>;
}

/**
 * Runs `fn` and counts the floating-point operations of matrix products, convolutions, and element-wise sums
 * and products in it (those that LibTorch's profiler has a formula for), also in backward passes.
 * @example
 * const { total } = torch.utils.flopCounter.countFlops(() => model.forward(x).sum().backward());
 */
export function countFlops<T>(fn: () => T): FlopCounts<T> {
  const { result, events } = profile(fn, { withFlops: true, recordShapes: true });
  const byOperator = new Map<string, number>();
  for (const { name, flops } of events)
    if (flops > 0) byOperator.set(name, (byOperator.get(name) ?? 0) + flops);
  let total = 0;
  for (const flops of byOperator.values()) total += flops;
  return { result, total, byOperator };
}
