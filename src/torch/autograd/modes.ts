import { check, shim } from "../native/library.ts";
import { synchronous } from "./synchronous.ts";

/** Whether operators on tensors that require gradients are recorded now. */
export function isGradEnabled(): boolean {
  return shim.aamt_grad_enabled() === 1;
}

/** Runs `fn` with gradients recorded or not; the mode before is restored also when it throws. */
export function setGradEnabled<T>(on: boolean, fn: () => T): T {
  const before = shim.aamt_grad_enabled();
  shim.aamt_set_grad_enabled(on ? 1 : 0);
  try {
    return synchronous("setGradEnabled", fn());
  } finally {
    shim.aamt_set_grad_enabled(before);
  }
}

/** Runs `fn` without recording gradients. */
export function noGrad<T>(fn: () => T): T {
  return setGradEnabled(false, fn);
}

/** Runs `fn` recording gradients, also inside `noGrad`. */
export function enableGrad<T>(fn: () => T): T {
  return setGradEnabled(true, fn);
}

/** Like `noGrad` and faster: what it makes can never take part in autograd. */
export function inferenceMode<T>(fn: () => T): T {
  check(shim.aamt_inference_mode_push(1));
  try {
    return synchronous("inferenceMode", fn());
  } finally {
    check(shim.aamt_inference_mode_pop());
  }
}
