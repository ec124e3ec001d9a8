/** PyTorch's tensors, autograd, layers and optimizers for TypeScript on Bun, by LibTorch. */
import "./methods.ts";

export * from "./amp.ts";
export { backward, type GradOptions, grad } from "./autograd.ts";
export { checkpoint } from "./checkpoint.ts";
export * from "./creation.ts";
export * as cuda from "./cuda.ts";
export type { Device } from "./device.ts";
export * from "./dtype.ts";
export * from "./errors.ts";
export { forkRng, Generator, getRngState, initialSeed, manualSeed, setRngState } from "./generator.ts";
export * from "./gradScaler.ts";
export * from "./io/arrow.ts";
export * from "./io/files.ts";
export { fromFile } from "./io/mapFile.ts";
export { type LoadPickleOptions, loadPickle, type PickleValue } from "./io/pickle.ts";
export * from "./io/safetensors.ts";
export { type PickleInput, savePickle } from "./io/savePickle.ts";
export * as linalg from "./linalg.ts";
export * from "./machine.ts";
export * from "./modes.ts";
export { buildInfo, shimPath } from "./native/library.ts";
export * as nn from "./nn/index.ts";
export { countOperators, librarySchemas, ops } from "./operators.ts";
export * from "./ops.gen.ts";
export * as optim from "./optim/index.ts";
export { currentScope, Scope, scope } from "./scope.ts";
export {
  type BackwardOptions,
  type Index,
  type Nested,
  type SliceIndex,
  Tensor,
  type ToOptions,
} from "./tensor.ts";
export { tidy, tidyAsync } from "./tidy.ts";
export { unique } from "./unique.ts";
export * as utils from "./utils/index.ts";
