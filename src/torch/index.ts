/**
 * PyTorch's tensors, autograd, layers and optimizers for TypeScript on Bun, by LibTorch.
 * @module torch
 */
import "./methods.ts";
import { everyTensorIsState } from "./nn/base/plainTensors.ts";
import * as nn from "./nn/index.ts";

export { type AnomalyOptions, detectAnomaly } from "./autograd/anomaly.ts";
export * from "./autograd/autocast.ts";
export { backward, type GradOptions, grad } from "./autograd/autograd.ts";
export * from "./autograd/gradScaler.ts";
export * as autograd from "./autograd/index.ts";
export * from "./autograd/modes.ts";
export { checkpoint } from "./autograd/recompute.ts";
export type { Device } from "./core/device.ts";
export * from "./core/dtype.ts";
export { forkRng, Generator, getRngState, initialSeed, manualSeed, setRngState } from "./core/generator.ts";
export { currentScope, Scope, scope } from "./core/scope.ts";
export {
  type BackwardOptions,
  type Index,
  type Nested,
  type SliceIndex,
  Tensor,
  type ToOptions,
} from "./core/tensor.ts";
export { tidy, tidyAsync } from "./core/tidy.ts";
export { countOperators, librarySchemas, ops } from "./dispatch/operators.ts";
export * from "./dispatch/ops.gen.ts";
export * as distributed from "./distributed/index.ts";
export * as distributions from "./distributions/index.ts";
export * as func from "./func/index.ts";
export * from "./functions/creation.ts";
export * from "./functions/dtypeInfo.ts";
export * as fft from "./functions/fft.ts";
export { type GradientOptions, gradient } from "./functions/gradient.ts";
export * as linalg from "./functions/linalg.ts";
export { type PrintOptions, setPrintoptions } from "./functions/printOptions.ts";
export * as special from "./functions/special.ts";
export { unique } from "./functions/unique.ts";
export * as hub from "./hub/index.ts";
export * as inductor from "./inductor/index.ts";
export * from "./io/arrow.ts";
export * from "./io/files.ts";
export { fromFile } from "./io/mapFile.ts";
export { type LoadPickleOptions, loadPickle, type PickleValue } from "./io/pickle.ts";
export * from "./io/safetensors.ts";
export { type PickleInput, savePickle } from "./io/savePickle.ts";
export * as jit from "./jit/index.ts";
export * as backends from "./machine/backends.ts";
export * as cuda from "./machine/cuda.ts";
export {
  accelerator,
  hostReadCount,
  isCudaAvailable,
  resolveDevice,
  synchronize,
} from "./machine/devices.ts";
export * from "./machine/memory.ts";
export * from "./machine/settings.ts";
export * from "./native/errors.ts";
export { buildInfo, shimPath } from "./native/library.ts";
export * as optim from "./optim/index.ts";
export * as profiler from "./profiler/index.ts";
export * as testing from "./testing/index.ts";
export * as utils from "./utils/index.ts";
export * as vision from "./vision/index.ts";

export { nn };

everyTensorIsState(Object.values(nn));
