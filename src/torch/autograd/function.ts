import { moveTo, scope } from "../core/scope.ts";
import { Tensor } from "../core/tensor.ts";
import { describeValue } from "../dispatch/argumentPack.ts";
import { beforeCall } from "../dispatch/callMode.ts";
import { TorchError } from "../native/errors.ts";
import { check, shim } from "../native/library.ts";
import { isGradEnabled, noGrad } from "./modes.ts";
import { dropAsker, newAsker } from "./turns.ts";

/** What a function gives: one tensor or several. */
type Outputs = Tensor | readonly Tensor[];
/** What a backward gives: a gradient for each argument of `apply`, null for those without. */
type Gradients = Tensor | null | undefined | readonly (Tensor | null | undefined)[];

const encoder = new TextEncoder();
const active: FunctionContext[] = [];

/**
 * What one call of a function remembers for its backward. Fields of one's own may be put on it (numbers,
 * shapes); tensors go through `saveForBackward`, which keeps them alive, notices when they are changed in
 * place, and lets the backward be differentiated again.
 */
export class FunctionContext {
  #toSave: readonly (Tensor | null)[] = [];
  #saved: (Tensor | null)[] | null = null;
  #constant = new Set<Tensor>();
  #dirty: readonly Tensor[] = [];
  #materialize = true;

  /** Which arguments of `apply` need a gradient; in `backward`, which are asked for in this pass. */
  needsInputGrad: readonly boolean[] = [];

  /** Keeps inputs, outputs or values between for `savedTensors`. Once per call; null is kept as null. */
  saveForBackward(...tensors: (Tensor | null)[]): void {
    this.#toSave = tensors;
  }

  /**
   * What `saveForBackward` was given.
   * @throws TorchError outside `backward`, or when one was changed in place since.
   */
  get savedTensors(): Tensor[] {
    if (active.at(-1) !== this)
      throw new TorchError("savedTensors: they can be read within backward only", "argument");
    this.#saved ??= this.#unpack();
    return this.#saved as Tensor[];
  }

  #unpack(): (Tensor | null)[] {
    const handles = new Float64Array(Math.max(this.#toSave.length, 1));
    const count = check(shim.aamt_turn_saved(handles, this.#toSave.length), "savedTensors");
    const unpacked = Array.from(handles.subarray(0, count), (handle) => Tensor.fromHandle(handle, 0));
    let next = 0;
    return this.#toSave.map((tensor) => (tensor === null ? null : unpacked[next++]));
  }

  /** Outputs that have no gradient, such as indices. */
  markNonDifferentiable(...outputs: Tensor[]): void {
    for (const output of outputs) this.#constant.add(output);
  }

  /** Inputs that `forward` has changed in place; it must give them back, too. */
  markDirty(...inputs: Tensor[]): void {
    this.#dirty = inputs;
  }

  /** With false, a missing gradient of an output comes as null to `backward`, not as zeros. */
  setMaterializeGrads(on: boolean): void {
    this.#materialize = on;
  }

  /** @internal */
  pack(id: number, inputs: readonly Tensor[], outputs: readonly Tensor[]): Float64Array {
    const saved = this.#toSave.filter((tensor) => tensor !== null);
    const packed = [
      ...[id, this.#materialize ? 1 : 0, inputs.length, ...inputs.map((tensor) => tensor.handle)],
      ...[
        outputs.length,
        ...outputs.flatMap((tensor) => [tensor.handle, this.#constant.has(tensor) ? 1 : 0]),
      ],
      ...[saved.length, ...saved.map((tensor) => tensor.handle)],
      ...[this.#dirty.length, ...this.#dirty.map((tensor) => tensor.handle)],
    ];
    // From here on only how many there were matters: the tensors themselves are held by the graph.
    this.#toSave = this.#toSave.map((tensor) => tensor && placeholder);
    this.#constant.clear();
    this.#dirty = [];
    return Float64Array.from(packed);
  }

  /** Runs `fn` as this call's backward. @internal */
  within<T>(fn: () => T): T {
    active.push(this);
    try {
      return fn();
    } finally {
      active.pop();
      this.#saved = null;
    }
  }
}

const placeholder = Object.create(null) as Tensor;

/** How `AutogradFunction.apply` sees the class. */
interface Definition {
  readonly name: string;
  readonly onceDifferentiable?: boolean;
  forward(...args: unknown[]): Outputs;
  setupContext?(context: FunctionContext, inputs: readonly unknown[], output: Outputs): void;
  backward(context: FunctionContext, ...gradients: (Tensor | null)[]): Gradients;
}

/**
 * A function with a backward of one's own (`torch.autograd.Function`). A subclass has
 * `static forward(ctx, ...args)`, which runs without recording gradients, and
 * `static backward(ctx, ...gradients)`, which gets a gradient for each output and gives one for each argument
 * (null for what is no tensor or needs none). It is called by `apply`. With
 * `static setupContext(ctx, inputs, output)` `forward` takes the arguments alone. With
 * `static onceDifferentiable = true` the backward is not recorded, and differentiating it is an error;
 * otherwise a backward made of torch's functions can be differentiated again with `createGraph`.
 *
 * Autograd's engine runs on a thread beside meanwhile: a call of `backward` costs a change of threads there
 * and back (about 20 µs) for each such function, on top of its own work. What `backward` makes is freed at
 * its end, but for what it gives back or keeps.
 *
 * Not within `checkpoint` and `torch.func`'s transforms: both would repeat or see the inside of `forward`.
 * @throws TorchError there.
 *
 * @example
 * class Square extends torch.autograd.Function {
 *   static forward(ctx: torch.autograd.FunctionContext, x: torch.Tensor) {
 *     ctx.saveForBackward(x);
 *     return x.mul(x);
 *   }
 *   static backward(ctx: torch.autograd.FunctionContext, gradient: torch.Tensor) {
 *     const [x] = ctx.savedTensors;
 *     return gradient.mul(x).mul(2);
 *   }
 * }
 * const y = Square.apply(torch.tensor([3], { requiresGrad: true }));
 */
// biome-ignore lint/complexity/noStaticOnlyClass: it is extended, as in PyTorch
export abstract class AutogradFunction {
  static apply<Args extends unknown[], Result extends Outputs>(
    this: {
      setupContext(context: FunctionContext, inputs: Args, output: Result): void;
      forward(...args: Args): Result;
    },
    ...args: Args
  ): Result;
  static apply<Args extends unknown[], Result extends Outputs>(
    this: { forward(context: FunctionContext, ...args: Args): Result },
    ...args: Args
  ): Result;
  static apply(this: unknown, ...args: unknown[]): unknown {
    // biome-ignore lint/complexity/noThisInStatic: the class that it is called on is a subclass
    return applyFunction(this as Definition, args);
  }
}

function applyFunction(definition: Definition, args: readonly unknown[]): Outputs {
  const { name } = definition;
  if (typeof definition.forward !== "function" || typeof definition.backward !== "function")
    throw new TypeError(`${name}.apply: the class needs static methods forward and backward`);
  check(shim.aamt_function_allowed(), `${name}.apply`);
  const context = new FunctionContext();
  const inputs = args.filter((value) => value instanceof Tensor);
  context.needsInputGrad = args.map((value) => value instanceof Tensor && value.requiresGrad);
  const result = noGrad(() => {
    if (!definition.setupContext) return definition.forward(context, ...args);
    const output = definition.forward(...args);
    definition.setupContext(context, args, output);
    return output;
  });
  const outputs: readonly Tensor[] = result instanceof Tensor ? [result] : result;
  if (!Array.isArray(outputs) || !outputs.every((output) => output instanceof Tensor))
    throw new TypeError(`${name}.forward: must give a tensor or an array of tensors`);
  const id = newAsker((given, wanted) => answer(definition, context, args, given, wanted));
  const results = new Float64Array(Math.max(outputs.length, 1));
  let made = 0;
  try {
    const packed = context.pack(id, inputs, outputs);
    if (beforeCall !== null) beforeCall();
    const title = encoder.encode(`${name}Backward`);
    const status = shim.aamt_function_apply(packed, packed.length, title, title.length, results);
    made = check(status, `${name}.apply`);
  } finally {
    if (made === 0) dropAsker(id);
  }
  const wrapped = outputs.map((_, i) => Tensor.fromHandle(results[i], 0));
  return result instanceof Tensor ? wrapped[0] : wrapped;
}

/** A call's answer to autograd: the gradients of its tensors, in their order. */
function answer(
  definition: Definition,
  context: FunctionContext,
  args: readonly unknown[],
  given: (Tensor | null)[],
  wanted: readonly boolean[],
): (Tensor | null)[] {
  const { name } = definition;
  const inner = scope();
  try {
    let next = 0;
    context.needsInputGrad = args.map((value) => value instanceof Tensor && wanted[next++]);
    for (const gradient of given) if (gradient) moveTo(inner, gradient);
    const run = () => context.within(() => definition.backward(context, ...given));
    const once = definition.onceDifferentiable === true;
    const result = once ? noGrad(run) : run();
    const found = result instanceof Tensor || result === null || result === undefined ? [result] : result;
    checkGradients(name, args, found);
    const gradients = args.flatMap((value, i) => (value instanceof Tensor ? [found[i] ?? null] : []));
    const answered =
      once && isGradEnabled() && given.some((gradient) => gradient?.requiresGrad)
        ? refuseSecond(name, gradients)
        : gradients;
    // The engine holds them by its own references once they are handed over, outside this scope.
    for (const gradient of answered) if (gradient?.scope === inner) gradient.keep();
    return answered;
  } finally {
    inner[Symbol.dispose]();
  }
}

function checkGradients(name: string, args: readonly unknown[], found: readonly unknown[]): void {
  if (!Array.isArray(found))
    throw new TypeError(
      `${name}.backward: must give a tensor, null or an array of them, at once (not a promise)`,
    );
  found.forEach((value: unknown, i) => {
    if (value === null || value === undefined) return;
    if (!(value instanceof Tensor))
      throw new TypeError(
        `${name}.backward: gradient ${i} must be a tensor or null, got ${describeValue(value)}`,
      );
    if (!(args[i] instanceof Tensor))
      throw new TypeError(
        i < args.length
          ? `${name}.backward: argument ${i} is no tensor, so its gradient must be null`
          : `${name}.backward: gave ${found.length} gradients for ${args.length} arguments`,
      );
  });
  if (found.length < args.length)
    throw new TypeError(`${name}.backward: gave ${found.length} gradients for ${args.length} arguments`);
}

function refuseSecond(name: string, gradients: readonly (Tensor | null)[]): (Tensor | null)[] {
  const text = encoder.encode(
    `${name} is marked as onceDifferentiable: its backward cannot be differentiated again`,
  );
  const handles = Float64Array.from(gradients, (gradient) => (gradient ? gradient.handle : 0));
  const results = new Float64Array(Math.max(handles.length, 1));
  check(shim.aamt_refuse_second_derivative(handles, handles.length, text, text.length, results), name);
  return gradients.map((_, i) => (results[i] === 0 ? null : Tensor.fromHandle(results[i], 0)));
}
