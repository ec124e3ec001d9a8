export * from "./base/containers.ts";
export {
  type ForwardHook,
  type ForwardHookOptions,
  type ForwardPreHook,
  type FullBackwardHook,
  type FullBackwardPreHook,
  type HookGradients,
  type HookOptions,
  hasHooks,
} from "./base/hooks.ts";
export * as init from "./base/init.ts";
export type { LayerOptions } from "./base/layerOptions.ts";
export * from "./base/module.ts";
export * from "./convolution/convolution.ts";
export * from "./convolution/transposed.ts";
export * as functional from "./functional/index.ts";
export * from "./layers/activations.ts";
export * from "./layers/comparing.ts";
export * from "./layers/dropout.ts";
export * from "./layers/embedding.ts";
export * from "./layers/linear.ts";
export * from "./layers/resizing.ts";
export * from "./layers/shapeLayers.ts";
export * from "./loss/adaptive.ts";
export * from "./loss/losses.ts";
export * from "./normalization/batchNorm.ts";
export * from "./normalization/layerNorm.ts";
export * from "./normalization/normLayers.ts";
export * as parallel from "./parallel/index.ts";
export * from "./pooling/fractional.ts";
export * from "./pooling/pooling.ts";
export * from "./recurrent/cells.ts";
export * from "./recurrent/recurrent.ts";
export * from "./transformer/decoder.ts";
export * from "./transformer/encoder.ts";
export * from "./transformer/fusedLayer.ts";
export {
  type Activation,
  activationFunction,
  type TransformerLayerOptions,
} from "./transformer/layerSettings.ts";
export * from "./transformer/multiheadAttention.ts";
export * from "./utils/clipGrad.ts";
export * as utils from "./utils/index.ts";
