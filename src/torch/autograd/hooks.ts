import { Tensor } from "../core/tensor.ts";
import { describeValue } from "../dispatch/argumentPack.ts";
import { check, shim } from "../native/library.ts";
import { dropAsker, newAsker } from "./turns.ts";

/** Takes a hook off again, by `remove` or at the end of a `using` block. Doing it twice is harmless. */
export class RemovableHandle implements Disposable {
  readonly #remove: () => void;

  constructor(remove: () => void) {
    this.#remove = remove;
  }

  remove(): void {
    this.#remove();
  }

  [Symbol.dispose](): void {
    this.#remove();
  }
}

/**
 * A hook that autograd calls with a tensor; `accumulated`: after the gradient has been
 * added to the leaf's `grad`.
 */
function register(
  tensor: Tensor,
  what: string,
  accumulated: boolean,
  hook: (given: Tensor) => unknown,
): RemovableHandle {
  if (typeof hook !== "function")
    throw new TypeError(`${what}: takes a function, got ${describeValue(hook)}`);
  const id = newAsker(([given]) => {
    const result = hook(given as Tensor);
    if (result === undefined || result === null) return [null];
    if (accumulated || !(result instanceof Tensor))
      throw new TypeError(
        `${what}: the hook must give ${accumulated ? "nothing" : "a tensor or nothing"}, got ${describeValue(result)}`,
      );
    return [result];
  });
  try {
    check(shim.aamt_register_hook(tensor.handle, id, accumulated ? 1 : 0), what);
  } catch (error) {
    dropAsker(id);
    throw error;
  }
  return new RemovableHandle(() => {
    check(shim.aamt_remove_hook(id), what);
    dropAsker(id);
  });
}

/** See `Tensor.registerHook`. */
export function registerHook(
  tensor: Tensor,
  hook: (gradient: Tensor) => Tensor | undefined,
): RemovableHandle {
  return register(tensor, "registerHook", false, hook);
}

/** See `Tensor.registerPostAccumulateGradHook`. */
export function registerPostAccumulateGradHook(leaf: Tensor, hook: (leaf: Tensor) => void): RemovableHandle {
  return register(leaf, "registerPostAccumulateGradHook", true, hook);
}

/** See `Tensor.retainGrad`. */
export function retainGrad(tensor: Tensor): void {
  check(shim.aamt_retain_grad(tensor.handle), "retainGrad");
}

/** The methods of tensors that register hooks. */
export interface TensorHooks {
  /**
   * Calls `hook` with this tensor's gradient whenever one is computed; what it gives replaces the gradient.
   * Hooks are called in the order in which they were registered.
   * @throws TorchError for a tensor that requires no gradient.
   */
  registerHook(hook: (gradient: Tensor) => Tensor | undefined): RemovableHandle;
  /**
   * Calls `hook` with this leaf after each addition to its `grad`; an optimizer's step
   * within the backward pass, say.
   */
  registerPostAccumulateGradHook(hook: (leaf: Tensor) => void): RemovableHandle;
  /** Lets `backward` keep the gradient of this tensor in `grad` although it is no leaf. */
  retainGrad(): void;
}
