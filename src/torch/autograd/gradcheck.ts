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

/** The elements at which gradients and differences do not agree, as texts. */
function differences(
  fn: Differentiable,
  inputs: readonly Tensor[],
  { eps = 1e-6, atol = 1e-5, rtol = 1e-3 }: GradcheckOptions,
): string[] {
  using _s = scope();
  const run = (given: readonly Tensor[]): readonly Tensor[] => {
    const result = fn(...given);
    return result instanceof Tensor ? [result] : result;
  };
  for (const input of inputs) {
    if (input.dtype !== "float64") throw new TypeError(`gradcheck needs float64, got ${input.dtype}`);
    if (!input.requiresGrad) throw new TypeError("gradcheck needs inputs that require a gradient");
  }
  const outputs = run(inputs);
  const weights = outputs.map(randomLike);
  const analytic = grad(weighted(outputs, weights), inputs, { allowUnused: true });
  const wrong: string[] = [];
  const value = () => tidy(() => noGrad(() => weighted(run(inputs), weights).item()));
  inputs.forEach((input, which) => {
    const found = analytic[which]?.toFloat64Array() ?? new Float64Array(input.numel);
    const flat = noGrad(() => input.detach().view([-1]));
    for (let i = 0; i < input.numel; i++) {
      const element = flat.select(0, i);
      const at = element.item();
      element.fill_(at + eps);
      const above = value();
      element.fill_(at - eps);
      const below = value();
      element.fill_(at);
      const numeric = (above - below) / (2 * eps);
      if (!(Math.abs(found[i] - numeric) <= atol + rtol * Math.abs(numeric)))
        wrong.push(`input ${which}, element ${i}: ${found[i]}, by differences ${numeric}`);
    }
  });
  return wrong;
}

/**
 * Compares the gradients of `fn` at float64 inputs, which need gradients, with central differences, element
 * by element, for random weights of its outputs: `torch.autograd.gradcheck` (its fast mode asks the same of
 * one random direction alone). `fn` must give the same values whenever it is called.
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
