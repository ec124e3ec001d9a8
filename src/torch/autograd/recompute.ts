import { moveTo, scope } from "../core/scope.ts";
import { Tensor } from "../core/tensor.ts";
import { withoutTypedCalls } from "../dispatch/callMode.ts";
import { check, shim } from "../native/library.ts";
import { isGradEnabled } from "./modes.ts";

/**
 * Gradient checkpointing: computes `fn(...inputs)` without keeping what its backward pass needs. In
 * `backward` (or `grad`) the operators of `fn` run a second time, with the same random numbers and
 * autocast, to get its gradients: memory is saved for time. `fn` gives one tensor or several; whatever
 * it uses (parameters, tensors from outside) gets its gradients, and the second run needs no
 * JavaScript. Segments nest.
 *
 * `fn` must not seed or set generators, call `backward`, or write into its tensors with `fillFrom`: that
 * could not be repeated. What it decides by values read back (`item`) is decided once, in the first run.
 */
export function checkpoint<Result extends Tensor | readonly Tensor[]>(
  fn: (...inputs: Tensor[]) => Result,
  ...inputs: Tensor[]
): Result {
  if (!isGradEnabled()) return fn(...inputs);
  const inner = scope();
  const restore = withoutTypedCalls();
  let recording = false;
  try {
    check(shim.aamt_segment_begin(), "checkpoint");
    recording = true;
    const result = fn(...inputs);
    const outputs = result instanceof Tensor ? [result] : result;
    if (!Array.isArray(outputs) || !outputs.every((output) => output instanceof Tensor)) {
      throw new TypeError(
        "checkpoint: the function must give a tensor or an array of tensors, at once (not a promise)",
      );
    }
    const handles = new Float64Array(Math.max(outputs.length, 128));
    outputs.forEach((output, i) => {
      handles[i] = output.handle;
    });
    const results = new Float64Array(handles.length);
    recording = false;
    check(shim.aamt_segment_end(handles, outputs.length, results), "checkpoint");
    const made = outputs.map((_, i) => Tensor.fromTyped(results[i]));
    for (const tensor of made) moveTo(inner.parent, tensor);
    return (result instanceof Tensor ? made[0] : made) as Result;
  } finally {
    if (recording) check(shim.aamt_segment_abort(), "checkpoint");
    restore();
    inner[Symbol.dispose]();
  }
}
