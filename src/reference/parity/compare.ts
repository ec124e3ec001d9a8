import * as torch from "../../torch/index.ts";

/** How far one tensor is from the expected one. */
export interface Comparison {
  readonly name: string;
  /** Largest absolute difference; infinite where shapes differ or a value is not finite. */
  readonly error: number;
  /** Largest absolute expected value. */
  readonly largest: number;
  /** The error as a share of what is allowed. */
  readonly share: number;
  readonly within: boolean;
  /** What is wrong besides the numbers. */
  readonly problem?: string;
}

export interface Tolerance {
  readonly atol: number;
  readonly rtol: number;
}

function failed(name: string, problem: string): Comparison {
  return {
    name,
    error: Number.POSITIVE_INFINITY,
    largest: 0,
    share: Number.POSITIVE_INFINITY,
    within: false,
    problem,
  };
}

/** Compares by max|x - y| <= atol + rtol * max|y|. `actual` undefined is a failure. */
export function compareTensor(
  name: string,
  actual: torch.Tensor | null | undefined,
  expected: torch.Tensor,
  { atol, rtol }: Tolerance,
): Comparison {
  if (!actual) return failed(name, "is missing");
  return torch.tidy(() => {
    const [own, other] = [actual.shape.join(), expected.shape.join()];
    if (own !== other) return failed(name, `has shape [${own}], expected [${other}]`);
    if (expected.numel === 0) return { name, error: 0, largest: 0, share: 0, within: true };
    const wide = actual.detach().to({ dtype: "float64", device: "cpu" });
    const reference = expected.to({ dtype: "float64", device: "cpu" });
    const error = wide.sub(reference).abs().max().item();
    const largest = reference.abs().max().item();
    if (!Number.isFinite(error)) return failed(name, "has values that are not finite");
    const share = error / (atol + rtol * largest);
    return { name, error, largest, share, within: share <= 1 };
  });
}

/** Compares every expected tensor with the one of the same name. */
export function compareAll(
  prefix: string,
  actual: ReadonlyMap<string, torch.Tensor | null | undefined>,
  expected: ReadonlyMap<string, torch.Tensor>,
  tolerance: Tolerance,
): Comparison[] {
  return [...expected].map(([name, value]) =>
    compareTensor(`${prefix}${name}`, actual.get(name), value, tolerance),
  );
}

/**
 * Gradients of all parameters: one that is not expected must be absent or zero, and one that is expected
 * to be zero may be absent.
 */
export function compareGradients(
  model: torch.nn.Module,
  expected: ReadonlyMap<string, torch.Tensor>,
  tolerance: Tolerance,
): Comparison[] {
  const known = new Set<string>();
  const compared: Comparison[] = [];
  for (const [name, parameter] of model.namedParameters()) {
    known.add(name);
    const gradient = parameter.grad;
    const reference = expected.get(name);
    if (!reference && gradient)
      compared.push(compareTensor(`grads/${name}`, gradient, torch.zerosLike(gradient), tolerance));
    if (reference)
      compared.push(
        compareTensor(`grads/${name}`, gradient ?? torch.zerosLike(parameter), reference, tolerance),
      );
  }
  for (const name of expected.keys()) {
    if (!known.has(name)) compared.push(failed(`grads/${name}`, "belongs to no parameter of the model"));
  }
  return compared;
}
