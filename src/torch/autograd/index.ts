/** `torch.autograd`: functions with a backward of one's own, gradients by hand. */
export { type AnomalyOptions, detectAnomaly } from "./anomaly.ts";
export { backward, type GradOptions, grad } from "./autograd.ts";
export * as forwardAD from "./forwardAD.ts";
export { AutogradFunction as Function, FunctionContext } from "./function.ts";
export * as functional from "./functional.ts";
export { type GradcheckOptions, gradcheck, gradgradcheck } from "./gradcheck.ts";
export { RemovableHandle } from "./hooks.ts";
export { enableGrad, inferenceMode, noGrad, setGradEnabled } from "./modes.ts";
