import * as torch from "../../src/torch/index.ts";

export interface GradcheckOptions {
  /** The step of the differences. */
  eps?: number;
  /** Allowed: |analytic - numeric| <= atol + rtol * |numeric|. */
  atol?: number;
  rtol?: number;
}

/** The same random numbers at each call, whatever `fn` does with the default generator. */
function randomLike(output: torch.Tensor): torch.Tensor {
  const generator = new torch.Generator().manualSeed(17);
  return torch.randn(output.shape, { dtype: "float64", generator }).to(output.device);
}

/** sum(output * weights) over all outputs, as a number. */
function weighted(outputs: readonly torch.Tensor[], weights: readonly torch.Tensor[]): torch.Tensor {
  return outputs.map((output, i) => output.mul(weights[i]).sum()).reduce((sum, term) => sum.add(term));
}

/**
 * Compares the gradients of `fn` at float64 `inputs` with central differences, element by element, for
 * random weights of its outputs. `fn` must give the same values whenever it is called. Tells what differs;
 * an empty list is agreement.
 */
export function gradcheck(
  fn: (...inputs: torch.Tensor[]) => torch.Tensor | readonly torch.Tensor[],
  inputs: readonly torch.Tensor[],
  { eps = 1e-6, atol = 1e-7, rtol = 1e-5 }: GradcheckOptions = {},
): string[] {
  using _s = torch.scope();
  const run = (given: readonly torch.Tensor[]): readonly torch.Tensor[] => {
    const result = fn(...given);
    return result instanceof torch.Tensor ? [result] : result;
  };
  for (const input of inputs) {
    if (input.dtype !== "float64") throw new TypeError(`gradcheck needs float64, got ${input.dtype}`);
    if (!input.requiresGrad) throw new TypeError("gradcheck needs inputs that require a gradient");
  }
  const outputs = run(inputs);
  const weights = outputs.map(randomLike);
  const analytic = torch.grad(weighted(outputs, weights), inputs, { allowUnused: true });
  const wrong: string[] = [];
  const value = () => torch.tidy(() => torch.noGrad(() => weighted(run(inputs), weights).item()));
  inputs.forEach((input, which) => {
    const found = analytic[which]?.toFloat64Array() ?? new Float64Array(input.numel);
    const flat = torch.noGrad(() => input.detach().view([-1]));
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

/** `gradcheck` of the gradients themselves: the second derivatives of `fn`. */
export function gradgradcheck(
  fn: (...inputs: torch.Tensor[]) => torch.Tensor,
  inputs: readonly torch.Tensor[],
  options: GradcheckOptions = {},
): string[] {
  return gradcheck(
    (...given) =>
      // Also where gradients are not recorded, as in the differences, the first derivative needs its graph.
      torch.enableGrad(() => {
        const output = fn(...given);
        return torch.grad(output.mul(randomLike(output)).sum(), given, { createGraph: true });
      }),
    inputs,
    options,
  );
}
