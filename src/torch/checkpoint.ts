import { Generator } from "./generator.ts";
import { enableGrad, isGradEnabled, noGrad } from "./modes.ts";
import { check, shim } from "./native/library.ts";
import { moveTo, scope } from "./scope.ts";
import { Tensor } from "./tensor.ts";

/** A segment whose inner values were thrown away, to be computed again when its gradient is known. */
interface Segment {
  readonly fn: (...inputs: Tensor[]) => Tensor;
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  readonly randomState: Tensor;
}

/** Open segments in the order of their forward passes. */
const segments: Segment[] = [];

/**
 * Gradient checkpointing: computes `fn(...inputs)` without keeping what its backward pass needs; `backward` computes it a
 * second time, with the same random numbers (CPU generator), to get its gradients. Saves memory for time. The result's
 * gradient is taken when `backward` is called on something that depends on it.
 */
export function checkpoint(fn: (...inputs: Tensor[]) => Tensor, ...inputs: Tensor[]): Tensor {
  if (!isGradEnabled()) return fn(...inputs);
  const randomState = Generator.default("cpu").getState().detachFromScope();
  const saved = inputs.map(retain);
  const output = noGrad(() => {
    const inner = scope();
    try {
      const result = fn(...inputs);
      moveTo(inner.parent, result, result.nbytes);
      return result;
    } finally {
      inner[Symbol.dispose]();
    }
  });
  const leaf = output.requiresGrad_();
  segments.push({ fn, inputs: saved, output: retain(leaf), randomState });
  return leaf;
}

const out = new Float64Array(new ArrayBuffer(1024));

/** A second handle that no scope frees. */
function retain(tensor: Tensor): Tensor {
  check(shim.aamt_clone_handle(tensor.handle, out), "checkpoint");
  return Tensor.fromHandle(out[0], 0).detachFromScope();
}

/** Goes back through the open segments after a backward pass has reached their outputs. Called by `backward`. */
export function runCheckpoints(retainGraph: boolean): void {
  if (segments.length === 0) return;
  const generator = Generator.default("cpu");
  const done = retainGraph ? [...segments] : segments.splice(0);
  const inner = scope();
  try {
    const before = generator.getState();
    for (let i = done.length - 1; i >= 0; i--) {
      const { fn, inputs, output, randomState } = done[i];
      const gradient = output.grad;
      if (gradient) {
        generator.setState(randomState);
        const again = enableGrad(() => fn(...inputs));
        const roots = new Float64Array([again.handle]);
        const seeds = new Float64Array([gradient.handle]);
        check(shim.aamt_backward(roots, seeds, 1, retainGraph ? 1 : 0, 0, roots, 0), "checkpoint");
        output.grad = null;
      }
      if (!retainGraph) for (const tensor of [...inputs, output, randomState]) tensor.dispose();
    }
    generator.setState(before);
  } finally {
    inner[Symbol.dispose]();
  }
}
