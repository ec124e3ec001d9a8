export * from "./adadelta.ts";
export * from "./adafactor.ts";
export * from "./adagrad.ts";
export * from "./adam.ts";
export * from "./adamax.ts";
export * from "./asgd.ts";
export * from "./lbfgs.ts";
export * from "./nadam.ts";
export { type Closure, Optimizer, type ParameterGroup, type Params } from "./optimizer.ts";
export type { OptimizerState, StateValue } from "./optimizerState.ts";
export * from "./radam.ts";
export * from "./rmsprop.ts";
export * from "./rprop.ts";
/** PyTorch's name of the module; the schedules stand in `optim` as well. */
export * as lrScheduler from "./schedules/index.ts";
export * from "./schedules/index.ts";
export * from "./sgd.ts";
export * from "./sparseAdam.ts";
/** PyTorch's `torch.optim.swa_utils`. */
export * as swaUtils from "./swaUtils.ts";
