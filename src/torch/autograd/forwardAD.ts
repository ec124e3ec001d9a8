/** `torch.autograd.forwardAD`: forward-mode derivatives by dual tensors. */
import type { Tensor } from "../core/tensor.ts";
import { withoutTypedCalls } from "../dispatch/callMode.ts";
import { ops } from "../dispatch/operators.ts";
import { TorchError } from "../native/errors.ts";
import { check, shim } from "../native/library.ts";

let open = false;

/**
 * Runs `fn` with duals possible. There is one level, as in PyTorch: levels do not nest.
 * @throws TorchError within another.
 */
export function dualLevel<T>(fn: () => T): T {
  if (open) throw new TorchError("dualLevel: forward mode has one level, and it is open already", "argument");
  check(shim.aamt_dual_level(1), "dualLevel");
  open = true;
  // The short way of calls leaves autograd out where nothing requires a gradient, and forward mode with it.
  const restore = withoutTypedCalls();
  try {
    const result = fn();
    if (result instanceof Promise) throw new TypeError("dualLevel: the function must not be asynchronous");
    return result;
  } finally {
    open = false;
    restore();
    check(shim.aamt_dual_level(0), "dualLevel");
  }
}

/** Whether a level is open. @internal */
export function isOpen(): boolean {
  return open;
}

/**
 * `primal` with a direction: what is computed from it carries its directional derivative along.
 * Within `dualLevel` alone.
 */
export function makeDual(primal: Tensor, tangent: Tensor): Tensor {
  if (!open) throw new TorchError("makeDual: only within dualLevel", "argument");
  return ops.unsafe["aten"]["_make_dual"](primal, tangent, 0) as Tensor;
}

/** A dual's value, and its derivative, null where it has none. */
export function unpackDual(dual: Tensor): { primal: Tensor; tangent: Tensor | null } {
  if (!open) return { primal: dual, tangent: null };
  const [primal, tangent] = ops.unsafe["aten"]["_unpack_dual"](dual, 0) as [Tensor, Tensor | null];
  return { primal, tangent };
}
