export * from "./distributedDataParallel.ts";
