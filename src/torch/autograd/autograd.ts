import { type BackwardOptions, Tensor } from "../core/tensor.ts";
import { refuseOthers } from "../dispatch/optionNames.ts";
import { check, nativeError, shim } from "../native/library.ts";
import { failedPlace, forgetPlace } from "./anomaly.ts";
import { takeTurns, turnsNeeded } from "./turns.ts";

/** Throws for a pass that failed; in anomaly mode with the place in the program. */
function passed(status: number, what: string): void {
  if (status < 0) throw nativeError(status, what, failedPlace());
}

const empty = new Float64Array(new ArrayBuffer(1024));

function handlesOf(tensors: readonly (Tensor | null | undefined)[]): Float64Array {
  const handles = new Float64Array(Math.max(tensors.length, 1));
  tensors.forEach((tensor, i) => {
    handles[i] = tensor ? tensor.handle : 0;
  });
  return handles;
}

const waitingForBackward = new Set<() => void>();

/** Runs `work` once, at the end of the next backward pass. */
export function afterBackward(work: () => void): void {
  waitingForBackward.add(work);
}

/**
 * Adds d(sum of tensors)/d(leaf) to the `grad` of every leaf that requires one, or of `inputs` alone.
 * `gradients` weigh the tensors; those of one element need none.
 */
export function backward(
  tensors: readonly Tensor[],
  gradients: readonly (Tensor | null)[] | null = null,
  options: Omit<BackwardOptions, "gradient"> = {},
): void {
  const { inputs = [], createGraph = false, retainGraph = createGraph, ...others } = options;
  refuseOthers("backward", others, "gradient, inputs, retainGraph, createGraph");
  const seeds = tensors.map((_, i) => gradients?.[i] ?? null);
  const roots = handlesOf(tensors);
  const weights = handlesOf(seeds);
  const leaves = inputs.length ? handlesOf(inputs) : empty;
  const count = tensors.length;
  const retain = retainGraph ? 1 : 0;
  const create = createGraph ? 1 : 0;
  forgetPlace();
  if (turnsNeeded()) {
    const started = shim.aamt_turns_start(roots, weights, count, leaves, inputs.length, 1, retain, create, 0);
    takeTurns(started, "backward");
  } else {
    passed(shim.aamt_backward(roots, weights, count, retain, create, leaves, inputs.length), "backward");
  }
  if (waitingForBackward.size === 0) return;
  const works = [...waitingForBackward];
  waitingForBackward.clear();
  for (const work of works) work();
}

export interface GradOptions {
  readonly gradOutputs?: readonly (Tensor | null)[];
  readonly retainGraph?: boolean;
  readonly createGraph?: boolean;
  /** Inputs that the outputs do not depend on give null instead of an error. */
  readonly allowUnused?: boolean;
}

/** One gradient for each input: a tuple where the inputs are one tensor or a tuple. */
type Gradients<Inputs, Gradient> = Inputs extends readonly Tensor[]
  ? { -readonly [I in keyof Inputs]: Gradient }
  : [Gradient];

/**
 * d(sum of outputs)/d(inputs), without touching any `grad`. With `createGraph` it can
 * be differentiated again.
 */
export function grad<const Inputs extends Tensor | readonly Tensor[]>(
  outputs: Tensor | readonly Tensor[],
  inputs: Inputs,
  options: GradOptions & { allowUnused: true },
): Gradients<Inputs, Tensor | null>;
export function grad<const Inputs extends Tensor | readonly Tensor[]>(
  outputs: Tensor | readonly Tensor[],
  inputs: Inputs,
  options?: GradOptions,
): Gradients<Inputs, Tensor>;
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradOptions = {},
): unknown {
  const roots = outputs instanceof Tensor ? [outputs] : outputs;
  const leaves = inputs instanceof Tensor ? [inputs] : inputs;
  const { gradOutputs, createGraph = false, retainGraph = createGraph, allowUnused, ...others } = options;
  refuseOthers("grad", others, "gradOutputs, retainGraph, createGraph, allowUnused");
  const results = new Float64Array(new ArrayBuffer(8 * Math.max(leaves.length, 128)));
  const from = handlesOf(roots);
  const weights = handlesOf(roots.map((_, i) => gradOutputs?.[i] ?? null));
  const to = handlesOf(leaves);
  const [retain, create, unused] = [retainGraph, createGraph, allowUnused].map((on) => (on ? 1 : 0));
  const count = leaves.length;
  forgetPlace();
  if (turnsNeeded()) {
    const started = shim.aamt_turns_start(from, weights, roots.length, to, count, 0, retain, create, unused);
    takeTurns(started, "grad");
    check(shim.aamt_turns_results(results, count), "grad");
  } else {
    const status = shim.aamt_autograd_grad(
      from,
      weights,
      roots.length,
      to,
      count,
      retain,
      create,
      unused,
      results,
    );
    passed(status, "grad");
  }
  return leaves.map((_, i) => (results[i] === 0 ? null : Tensor.fromHandle(results[i], leaves[i].nbytes)));
}
