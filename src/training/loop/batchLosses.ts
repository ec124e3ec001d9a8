import type * as torch from "../../torch/index.ts";

/** The losses of one batch as tensors of one element: the one to minimize, and its parts for display. */
export interface BatchLosses {
  readonly total: torch.Tensor;
  /** By name, e.g. `unifrac_loss`. */
  readonly parts: Readonly<Record<string, torch.Tensor>>;
  /**
   * What is left to do after the backward pass of `total`, where several ranks share the batch; `weight` is
   * what `total` was multiplied with for it.
   */
  readonly finish?: (weight: number) => void;
}
