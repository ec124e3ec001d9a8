import { AsyncLocalStorage } from "node:async_hooks";
import { TorchError } from "../native/errors.ts";
import { check, claimMemory, shim } from "../native/library.ts";

/** What a scope needs of a tensor; `Tensor` implements it. */
export interface Owned {
  /**
   * The scope that frees it, or null when the garbage collector (or its owner's `dispose`) does.
   * @internal
   */
  scope: Scope | null;
  /**
   * The native handle, 0 once disposed. Reading it does not throw.
   * @internal
   */
  readonly rawHandle: number;
  /**
   * Forgets the handle without freeing it: the scope has freed it.
   * @internal
   */
  forget(): void;
  /**
   * Asks the garbage collector to free the tensor, which occupies `bytes` bytes, when
   * nothing refers to it any more.
   * @internal
   */
  attachToken(bytes?: number): void;
}

/** The innermost scope of the code that runs. It follows asynchronous functions across every `await`. */
const scopes = new AsyncLocalStorage<Scope | undefined>();
/** How many are open anywhere: none, and nobody need be asked. */
let openScopes = 0;
/** How many have been opened so far. */
let openedScopes = 0;

/** Counts the pieces of code that run without an `await` in between, as far as they open scopes. */
let turn = 0;
let turnEnds = false;

function thisTurn(): number {
  if (!turnEnds) {
    turnEnds = true;
    queueMicrotask(() => {
      turnEnds = false;
      turn++;
    });
  }
  return turn;
}

/**
 * Disposed tensors are struck off a scope's list when it has grown to this many, so that a long loop
 * in one scope stays small.
 */
const firstSweep = 1024;

/**
 * Frees every tensor made while it is open, except those kept or returned. Scopes nest; the
 * innermost open one owns what is made. The autograd graph keeps what it saved by itself, so a scope
 * may wrap a whole training step.
 *
 * ```ts
 * using s = torch.scope();
 * ```
 */
export class Scope implements Disposable {
  #owned: Owned[] = [];
  #sweepAt = firstSweep;
  #closed = false;
  /** The scope around this one. */
  readonly parent: Scope | null = currentScope();
  /** What was the innermost one before, maybe closed by now. */
  readonly #before = scopes.getStore();
  /** When it was entered; null for one whose code is given to `run`, which cannot be taken for another's. */
  #entered: number | null = null;
  /** Its place in the order of all scopes. */
  readonly #number = openedScopes++;
  /**
   * The numbers of the scopes that gave what it owns, where it is not known yet whether they
   * lay in this one or beside it.
   */
  #lent: WeakMap<Owned, number> | undefined;

  /** @internal use `torch.scope()`. */
  constructor() {
    openScopes++;
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
    if (this.#owned.push(tensor) >= this.#sweepAt) {
      this.#owned = this.#owned.filter((item) => item.scope === this && item.rawHandle !== 0);
      this.#sweepAt = Math.max(firstSweep, 2 * this.#owned.length);
    }
  }

  /** @internal makes it the innermost one of the code that runs. */
  enter(): void {
    this.#entered = thisTurn();
    scopes.enterWith(this);
  }

  /**
   * Takes over a tensor of another scope. That scope may belong to a function that was started beside this
   * one's, before this one's first `await`: to be told apart only when this scope ends.
   * @internal
   */
  receive(tensor: Owned): void {
    const giver = tensor.scope;
    this.adopt(tensor);
    if (giver && giver.#entered !== null && giver.#entered === this.#entered && thisTurn() !== this.#entered)
      (this.#lent ??= new WeakMap()).set(tensor, giver.#lent?.get(tensor) ?? giver.#number);
  }

  /**
   * The number of the last scope that its function, or one called by it, entered before the first
   * `await`: the function's context was kept there with that scope in it, and what it entered since
   * leads back to it. Scopes of the same turn with greater numbers belong to functions that were
   * started beside this one's.
   */
  #lastOwn(): number {
    let last = scopes.getStore();
    while (last && last !== this && last.#entered !== this.#entered) last = last.#before;
    return last ? last.#number : Number.POSITIVE_INFINITY;
  }

  /** Runs `fn` with this scope as the innermost one, in whatever scope the caller is. */
  run<T>(fn: () => T): T {
    if (this.#closed) throw new TorchError("This scope has been closed already.", "disposed");
    return scopes.run(this, fn);
  }

  /** Frees what it owns and makes the scope around it the innermost one. Closing twice is harmless. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    openScopes--;
    // A function that started another, whose scope was opened before that one's first `await`, has that
    // scope in its context since: this one has not.
    const lastOwn = this.#lent ? this.#lastOwn() : 0;
    if (scopes.getStore() === this) scopes.enterWith(this.#before);
    const others: Owned[] = [];
    const handles = new Float64Array(Math.max(this.#owned.length, 128));
    let count = 0;
    for (const tensor of this.#owned) {
      if (tensor.scope !== this) continue;
      const handle = tensor.rawHandle;
      if (handle === 0) continue;
      if ((this.#lent?.get(tensor) ?? -1) > lastOwn) {
        others.push(tensor);
        continue;
      }
      handles[count++] = handle;
      tensor.forget();
    }
    this.#owned = [];
    for (const tensor of others) moveTo(this.parent, tensor);
    if (count > 0) check(shim.aamt_free_many(handles, count), "scope");
  }
}

/** The first scope that is still open, going outwards. */
export function firstOpen(scope: Scope | null): Scope | null {
  let open = scope;
  while (open?.closed) open = open.parent;
  return open;
}

/** The innermost open scope of the code that asks. */
export function currentScope(): Scope | null {
  return openScopes === 0 ? null : firstOpen(scopes.getStore() ?? null);
}

/**
 * Opens a scope; `using s = torch.scope()` closes it at the end of the block, in an asynchronous function
 * too: what others make meanwhile is theirs. Where several are started at once, open the scope after the
 * first `await` or use `tidyAsync`: what their starter makes between is theirs otherwise.
 */
export function scope(): Scope {
  const opened = new Scope();
  opened.enter();
  return opened;
}

/**
 * Runs an asynchronous function with a scope of its own, which is closed when it ends. `finish` may
 * move tensors out before.
 */
export async function runAsyncScope<T>(
  fn: (scope: Scope) => Promise<T>,
  finish: (result: T, scope: Scope) => void,
): Promise<T> {
  const own = new Scope();
  try {
    const result = await scopes.run(own, () => fn(own));
    finish(result, own);
    return result;
  } finally {
    own[Symbol.dispose]();
  }
}

/** Gives a fresh tensor to the innermost scope, or to the garbage collector where there is none. */
export function own(tensor: Owned, bytes: number): void {
  const scope = currentScope();
  if (scope) scope.adopt(tensor);
  else tensor.attachToken(bytes);
}

/**
 * Takes a tensor out of its scope and gives it to `target` (the next open one), or to the
 * garbage collector for null.
 */
export function moveTo(target: Scope | null, tensor: Owned): void {
  const open = firstOpen(target);
  if (tensor.scope === open || tensor.rawHandle === 0) return;
  if (open) open.receive(tensor);
  else {
    tensor.scope = null;
    tensor.attachToken();
  }
}

/** The collector counts at most this much for one token: Bun refuses buffers of 4 GiB and more. */
const largestClaim = 2 ** 32 - 65536;

/** When it becomes unreachable, the collector frees the native handle that it was made for. */
export type Token = ArrayBuffer;

/**
 * Makes a token for a handle. The collector believes that the token holds `bytes` bytes, so that it runs
 * often enough when tensors are large. A handle that was freed before the token is collected is left alone:
 * no other tensor ever has it.
 */
export function makeToken(handle: number, bytes: number): Token {
  return claimMemory(Math.min(Math.max(bytes, 64), largestClaim), handle);
}
