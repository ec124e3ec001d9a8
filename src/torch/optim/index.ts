export * from "./adam.ts";
export { type Closure, Optimizer, type ParameterGroup, type Params } from "./optimizer.ts";
export type { OptimizerState, StateValue } from "./optimizerState.ts";
/** PyTorch's name of the module; the schedules stand in `optim` as well. */
export * as lrScheduler from "./schedules/index.ts";
export * from "./schedules/index.ts";
export * from "./sgd.ts";
