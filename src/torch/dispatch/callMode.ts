let obstacles = 0;

/**
 * Whether operators may take the short way of typed calls. It is closed while calls are counted or a
 * checkpointed segment is being recorded, since those have to see every call.
 */
export let typedCalls = true;

/** Closes the short way until the returned function is called. */
export function withoutTypedCalls(): () => void {
  obstacles++;
  typedCalls = false;
  let open = true;
  return () => {
    if (!open) return;
    open = false;
    typedCalls = --obstacles === 0;
  };
}

/** What is called before each operator that goes the general way, for anomaly mode. */
export let beforeCall: (() => void) | null = null;

/** Sets `beforeCall`; returns what it was. */
export function setBeforeCall(call: (() => void) | null): (() => void) | null {
  const before = beforeCall;
  beforeCall = call;
  return before;
}
