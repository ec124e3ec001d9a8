import { moveTo, runAsyncScope, Scope } from "./scope.ts";
import { Tensor } from "./tensor.ts";

/** Moves every tensor in a value (nested in arrays, Maps, Sets and plain objects) to `target`. */
function moveOut(value: unknown, from: Scope, target: Scope | null, seen = new Set<unknown>()): void {
  if (value instanceof Tensor) {
    if (value.scope === from) moveTo(target, value);
    return;
  }
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  seen.add(value);
  if (Array.isArray(value) || value instanceof Set) {
    for (const item of value) moveOut(item, from, target, seen);
  } else if (value instanceof Map) {
    for (const item of value.values()) moveOut(item, from, target, seen);
  } else {
    const prototype = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      for (const item of Object.values(value)) moveOut(item, from, target, seen);
    }
  }
}

/**
 * Runs `fn` in a scope of its own: every tensor made in it is freed at the end, except those in its result
 * (also nested in arrays, Maps and plain objects) and those it kept.
 * @throws TypeError if `fn` is asynchronous: use `tidyAsync`.
 */
export function tidy<T>(fn: () => T): T {
  // Not by entering the scope: Bun's test runner hangs where a module does that while it is loaded.
  const own = new Scope();
  try {
    const result = own.run(fn);
    if (result instanceof Promise) throw new TypeError("tidy: the function is asynchronous; use tidyAsync");
    moveOut(result, own, own.parent);
    return result;
  } finally {
    own[Symbol.dispose]();
  }
}

/**
 * `tidy` for asynchronous code: the scope follows the function across every `await`, also while others run.
 * The function gets it as an argument.
 */
export function tidyAsync<T>(fn: (scope: Scope) => Promise<T>): Promise<T> {
  return runAsyncScope(fn, (result, own) => moveOut(result, own, own.parent));
}
