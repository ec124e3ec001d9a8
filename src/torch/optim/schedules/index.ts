export * from "./combined.ts";
export * from "./cosineSchedulers.ts";
export * from "./cyclic.ts";
export {
  ConstantLR,
  ExponentialLR,
  LambdaLR,
  LinearLR,
  MultiplicativeLR,
  MultiStepLR,
  PolynomialLR,
  StepLR,
} from "./factorSchedulers.ts";
export * from "./oneCycle.ts";
export * from "./plateau.ts";
export { type Scheduled, type ScheduledGroup, Scheduler, type SchedulerState } from "./scheduler.ts";
