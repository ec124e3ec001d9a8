/** `torch.func`: transforms of functions. */
export { functionalCall, type NamedTensors, stackModuleState } from "./functionalCall.ts";
export { type Argnums, grad, gradAndValue, jvp, vjp } from "./gradients.ts";
export { hessian, type JacobianOptions, jacfwd, jacrev } from "./jacobians.ts";
export { type VmapOptions, vmap } from "./vmap.ts";
