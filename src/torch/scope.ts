import { TorchError } from "./errors.ts";
import { check, claimMemory, shim } from "./native/library.ts";

/** What a scope needs of a tensor; `Tensor` implements it. */
export interface Owned {
  /** The scope that frees it, or null when the garbage collector (or its owner's `dispose`) does. */
  scope: Scope | null;
  /** The native handle, 0 once disposed. Reading it does not throw. */
  readonly rawHandle: number;
  /** Forgets the handle without freeing it: the scope has freed it. */
  forget(): void;
  /** Asks the garbage collector to free the tensor when nothing refers to it any more. */
  attachToken(bytes: number): void;
}

/**
 * Frees every tensor made while it is open, except those kept or returned. Scopes nest; the innermost open one owns
 * what is made. The autograd graph keeps what it saved by itself, so a scope may wrap a whole training step.
 *
 * ```ts
 * using s = torch.scope();
 * ```
 */
export class Scope implements Disposable {
  readonly #owned: Owned[] = [];
  #closed = false;
  /** The scope around this one. */
  readonly parent: Scope | null;

  /** @internal use `torch.scope()`. */
  constructor(parent: Scope | null) {
    this.parent = parent;
  }

  /** How many tensors it owns now. */
  get size(): number {
    let count = 0;
    for (const tensor of this.#owned) if (tensor.scope === this && tensor.rawHandle !== 0) count++;
    return count;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** @internal */
  adopt(tensor: Owned): void {
    tensor.scope = this;
    this.#owned.push(tensor);
  }

  /**
   * Runs `fn` with this scope as the innermost one: for code that goes on after an `await`, where another scope may
   * be open.
   */
  run<T>(fn: () => T): T {
    if (this.#closed) throw new TorchError("This scope has been closed already.", "disposed");
    const before = current;
    current = this;
    try {
      return fn();
    } finally {
      current = before;
    }
  }

  /** Makes the scope around it the innermost one without closing it; `run` enters it again. */
  leave(): void {
    if (current === this) current = this.parent;
  }

  /** Frees what it owns and makes the scope around it the innermost one. Closing twice is harmless. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    if (current === this) {
      let outer = this.parent;
      while (outer?.closed) outer = outer.parent;
      current = outer;
    }
    const handles: number[] = [];
    for (const tensor of this.#owned) {
      if (tensor.scope !== this) continue;
      const handle = tensor.rawHandle;
      if (handle === 0) continue;
      handles.push(handle);
      tensor.forget();
    }
    this.#owned.length = 0;
    if (handles.length > 0) check(shim.aamt_free_many(new Float64Array(handles), handles.length), "scope");
  }
}

let current: Scope | null = null;

/** The innermost open scope of this thread. */
export function currentScope(): Scope | null {
  return current;
}

/** Opens a scope; `using s = torch.scope()` closes it at the end of the block. */
export function scope(): Scope {
  current = new Scope(current);
  return current;
}

/** Gives a fresh tensor to the innermost scope, or to the garbage collector where there is none. */
export function own(tensor: Owned, bytes: number): void {
  if (current) current.adopt(tensor);
  else tensor.attachToken(bytes);
}

/** Takes a tensor out of its scope and gives it to `target`, or to the garbage collector for null. */
export function moveTo(target: Scope | null, tensor: Owned, bytes: number): void {
  if (tensor.scope === target || tensor.rawHandle === 0) return;
  if (target) target.adopt(tensor);
  else {
    tensor.scope = null;
    tensor.attachToken(bytes);
  }
}

/** The collector counts at most this much for one token: Bun refuses buffers of 4 GiB and more. */
const largestClaim = 2 ** 32 - 65536;

/** When it becomes unreachable, the collector frees the native handle that it was made for. */
export type Token = ArrayBuffer;

/**
 * Makes a token for a handle. The collector believes that the token holds `bytes` bytes, so that it runs often enough
 * when tensors are large. A handle that was freed before the token is collected is left alone: no other tensor ever has it.
 */
export function makeToken(handle: number, bytes: number): Token {
  return claimMemory(Math.min(Math.max(bytes, 64), largestClaim), handle);
}
