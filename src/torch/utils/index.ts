export * as data from "./data/index.ts";
export * as flopCounter from "./flopCounter.ts";
export { Progress, type ProgressOptions, progress } from "./progress.ts";
export { type LayerSummary, type ModuleSummary, summary } from "./summary.ts";
export * as tensorboard from "./tensorboard.ts";
