/** PyTorch's `torch.distributed.optim`. */
export * from "./zeroRedundancyOptimizer.ts";
