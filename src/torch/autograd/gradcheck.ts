import { Generator } from "../core/generator.ts";
import { scope } from "../core/scope.ts";
import { Tensor } from "../core/tensor.ts";
import { tidy } from "../core/tidy.ts";
import { randn } from "../functions/creation.ts";
import { TorchError } from "../native/errors.ts";
import { grad } from "./autograd.ts";
import { enableGrad, noGrad } from "./modes.ts";

export interface GradcheckOptions {
  /** The step of the differences. */
  readonly eps?: number;
  /** Allowed: |analytic - numeric| <= atol + rtol * |numeric|. */
  readonly atol?: number;
  readonly rtol?: number;
  /** Throw for gradients that differ (default), or give false. */
  readonly raiseException?: boolean;
}

type Differentiable = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

/** The same random numbers at each call, whatever `fn` does with the default generator. */
function randomLike(output: Tensor): Tensor {
  const generator = new Generator().manualSeed(17);
  return randn(output.shape, { dtype: "float64", generator }).to(output.device);
}

/** sum(output * weights) over all outputs. */
function weighted(outputs: readonly Tensor[], weights: readonly Tensor[]): Tensor {
  return outputs.map((output, i) => output.mul(weights[i]).sum()).reduce((sum, term) => sum.add(term));
}

/** @throws for inputs whose differences would be wrong, or that have no gradient to compare. */
function checkInputs(inputs: readonly Tensor[]): void {
  if (!inputs.some((input) => input.requiresGrad))
    throw new TypeError("gradcheck needs at least one input that requires a gradient, and none does");
  inputs.forEach((input, which) => {
    if (!input.requiresGrad) return;
    if (input.dtype !== "float64")
      throw new TypeError(`gradcheck needs float64, but input ${which} is ${input.dtype}`);
    const strides = input.stride();
    if (input.shape.some((size, dim) => size > 1 && strides[dim] === 0))
      throw new TorchError(
        `gradcheck: input ${which} has a dimension with stride 0, whose elements share their memory and cannot be changed one by one; give input.contiguous()`,
        "value",
      );
  });
}

/** Each element as a view without dimensions, in row-major order, whatever the strides. */
function* elementsOf(input: Tensor): IterableIterator<Tensor> {
  const { shape, numel } = input;
  const values = input.detach();
  for (let i = 0; i < numel; i++) {
    let rest = i;
    const place = shape.map(() => 0);
    for (let dim = shape.length - 1; dim >= 0; dim--) {
      place[dim] = rest % shape[dim];
      rest = Math.floor(rest / shape[dim]);
    }
    yield values.at(...place);
  }
}

/** The elements at which gradients and differences do not agree, as texts. */
function differences(
  fn: Differentiable,
  inputs: readonly Tensor[],
  { eps = 1e-6, atol = 1e-5, rtol = 1e-3 }: GradcheckOptions,
): string[] {
  using _s = scope();
  const run = (): readonly Tensor[] => {
    const result = fn(...inputs);
    return result instanceof Tensor ? [result] : result;
  };
  checkInputs(inputs);
  const outputs = run();
  // Integers and what is detached have no gradients to compare.
  const graded = outputs.flatMap((output, i) => (output.requiresGrad ? [i] : []));
  const compared = graded.length > 0 ? graded : outputs.map((_, i) => i);
  const of = (all: readonly Tensor[]) => compared.map((i) => all[i]);
  const weights = of(outputs).map(randomLike);
  const checked = inputs.filter((input) => input.requiresGrad);
  const analytic =
    graded.length > 0 ? grad(weighted(of(outputs), weights), checked, { allowUnused: true }) : [];
  const wrong: string[] = [];
  const value = () => tidy(() => noGrad(() => weighted(of(run()), weights).item()));
  checked.forEach((input, k) => {
    const which = inputs.indexOf(input);
    const found = analytic[k]?.toFloat64Array() ?? new Float64Array(input.numel);
    let i = 0;
    for (const element of elementsOf(input)) {
      const at = element.item();
      element.fill_(at + eps);
      const above = value();
      element.fill_(at - eps);
      const below = value();
      element.fill_(at);
      const numeric = (above - below) / (2 * eps);
      if (!(Math.abs(found[i] - numeric) <= atol + rtol * Math.abs(numeric)))
        wrong.push(`input ${which}, element ${i}: ${found[i]}, by differences ${numeric}`);
      i++;
    }
  });
  return wrong;
}

/**
 * Compares the gradients of `fn` with central differences, element by element, for random weights of its
 * outputs: `torch.autograd.gradcheck` (its fast mode asks the same of one random direction alone). Inputs
 * that require a gradient are checked; they are float64, with any strides. Elements that share their memory
 * change together, so their gradients differ; `expand` is refused. `fn` must give the same values whenever
 * it is called.
 * @throws TorchError with the elements that differ, unless `raiseException` is false.
 * @example torch.autograd.gradcheck((x) => x.sin(), [x]); // x: float64, with requiresGrad
 */
export function gradcheck(
  fn: Differentiable,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): boolean {
  const wrong = differences(fn, inputs, options);
  if (wrong.length === 0) return true;
  if (options.raiseException === false) return false;
  const more = wrong.length > 10 ? `\n... and ${wrong.length - 10} more` : "";
  throw new TorchError(`gradcheck: gradients differ\n${wrong.slice(0, 10).join("\n")}${more}`, "value");
}

/** `gradcheck` of the gradients themselves: the second derivatives of `fn`. */
export function gradgradcheck(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): boolean {
  return gradcheck(
    (...given) =>
      // Also where gradients are not recorded, as in the differences, the first derivative needs its graph.
      enableGrad(() => {
        const output = fn(...given);
        return grad(output.mul(randomLike(output)).sum(), given, { createGraph: true });
      }),
    inputs,
    options,
  );
}
