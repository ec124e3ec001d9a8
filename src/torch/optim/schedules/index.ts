export * from "./cosineSchedulers.ts";
export * from "./factorSchedulers.ts";
export * from "./oneCycle.ts";
export * from "./plateau.ts";
export { type Scheduled, type ScheduledGroup, Scheduler, type SchedulerState } from "./scheduler.ts";
