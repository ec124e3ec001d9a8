import { Tensor } from "../../core/tensor.ts";

/**
 * What a module for workers of a DataLoader exports: how the data set is made there, and perhaps how
 * examples become a batch.
 */
export interface WorkerModule {
  readonly makeDataset: (data: unknown, worker: WorkerInfo) => unknown;
  readonly collateFn?: (examples: unknown[]) => unknown;
}

/** Which worker this is. The seed differs for each worker and pass; the worker's default generator has it. */
export interface WorkerInfo {
  readonly id: number;
  readonly numWorkers: number;
  readonly seed: number;
}

export type ToWorker =
  | { readonly kind: "open"; readonly module: string; readonly data: unknown; readonly info: WorkerInfo }
  | { readonly kind: "pass"; readonly seed: number }
  | { readonly kind: "indices"; readonly indices: readonly number[]; readonly single: boolean }
  | { readonly kind: "next"; readonly count: number; readonly single: boolean; readonly dropLast: boolean };

export type FromWorker =
  | { readonly kind: "batch"; readonly batch: unknown }
  | { readonly kind: "end" }
  | { readonly kind: "error"; readonly message: string; readonly name: string; readonly stack: string };

/**
 * A value whose tensors are given away to another thread: each becomes its number. Only what
 * `postMessage` can copy besides.
 */
export function pack(value: unknown): unknown {
  if (value instanceof Tensor) return { tensorHandle: value.transfer() };
  if (Array.isArray(value)) return value.map(pack);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, pack(item)]));
  if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, pack(item)]));
  return value;
}

/** The value on this side. */
export function unpack(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unpack);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, unpack(item)]));
  if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    if ("tensorHandle" in value) return Tensor.receive((value as { tensorHandle: number }).tensorHandle);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unpack(item)]));
  }
  return value;
}
