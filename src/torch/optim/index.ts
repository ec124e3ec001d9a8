export * from "./adam.ts";
export * from "./optimizer.ts";
/** PyTorch's name of the module; the schedules stand in `optim` as well. */
export * as lrScheduler from "./schedulers.ts";
export * from "./schedulers.ts";
export * from "./sgd.ts";
