import { moveTo, type Scope, scope } from "./scope.ts";
import { Tensor } from "./tensor.ts";

/** Moves every tensor in a value (nested in arrays, Maps, Sets and plain objects) to `target`. */
function moveOut(value: unknown, from: Scope, target: Scope | null): void {
  if (value instanceof Tensor) {
    if (value.scope === from) moveTo(target, value, value.nbytes);
  } else if (Array.isArray(value) || value instanceof Set) {
    for (const item of value) moveOut(item, from, target);
  } else if (value instanceof Map) {
    for (const item of value.values()) moveOut(item, from, target);
  } else if (typeof value === "object" && value !== null) {
    const prototype = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      for (const item of Object.values(value)) moveOut(item, from, target);
    }
  }
}

/**
 * Runs `fn` in a scope of its own: every tensor made in it is freed at the end, except those in its result (also nested in
 * arrays, Maps and plain objects) and those it kept. @throws TypeError if `fn` is asynchronous: use `tidyAsync`.
 */
export function tidy<T>(fn: () => T): T {
  const own = scope();
  try {
    const result = fn();
    if (result instanceof Promise) throw new TypeError("tidy: the function is asynchronous; use tidyAsync");
    moveOut(result, own, own.parent);
    return result;
  } finally {
    own[Symbol.dispose]();
  }
}

/**
 * `tidy` for asynchronous code. The function gets its scope: what runs after an `await` belongs to it only inside
 * `scope.run(() => ...)`, since other code may have opened a scope meanwhile.
 */
export async function tidyAsync<T>(fn: (scope: Scope) => Promise<T>): Promise<T> {
  const own = scope();
  const parent = own.parent;
  const promise = own.run(() => fn(own));
  own.leave();
  try {
    const result = await promise;
    moveOut(result, own, parent?.closed ? null : parent);
    return result;
  } finally {
    own[Symbol.dispose]();
  }
}
