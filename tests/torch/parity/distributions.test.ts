import { expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";
import { askPython, whyNoPython } from "./pythonCases.ts";

type Value = number | string | readonly Value[];
type Parameter = Value | Readonly<Record<string, Value>>;
interface Case {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly values: Value;
  readonly log_prob: Value;
  readonly mean: Value;
  readonly variance: Value;
  readonly entropy: Value | null;
  readonly sample: Value;
  readonly shapes: readonly number[][];
  readonly grads?: readonly Value[];
}
/** What lab/python/parity/distributions.py prints. */
interface Answer {
  readonly cases: readonly Case[];
  readonly divergences: readonly (readonly [string, readonly Parameter[], readonly Parameter[], Value])[];
}

const obstacle = whyNoPython();
if (obstacle) console.log(`distributions against Python's torch: skipped, ${obstacle}`);
const python = obstacle ? null : askPython<Answer>("distributions");

const classes = torch.distributions as unknown as Record<
  string,
  new (
    ...parameters: unknown[]
  ) => torch.distributions.Distribution
>;
const asTensor = (value: Value) =>
  Array.isArray(value) ? torch.tensor(value as never, { dtype: "float64" }) : value;

function make(name: string, parameters: readonly Parameter[], leaves?: torch.Tensor[]) {
  const argument = (value: Value) => {
    const made = asTensor(value);
    if (leaves && made instanceof torch.Tensor) leaves.push(made.requiresGrad_());
    return made;
  };
  const given = parameters.map((one) =>
    typeof one === "object" && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).map(([key, value]) => [key, argument(value)]))
      : argument(one as Value),
  );
  return new classes[name](...given);
}

/** The numbers of nested lists; `inf` is text there. */
const flatten = (value: Value): number[] =>
  Array.isArray(value) ? value.flatMap(flatten) : [Number(String(value).replace("inf", "Infinity"))];

/** Equal shapes, values within a tolerance. */
function expectClose(found: torch.Tensor, expected: Value, what: string, tolerance = 1e-10): void {
  const flat = flatten(expected);
  const shapeOf = (value: Value): number[] =>
    Array.isArray(value) ? [value.length, ...shapeOf(value[0])] : [];
  expect([what, found.shape]).toEqual([what, shapeOf(expected)]);
  found.toFloat64Array().forEach((one, i) => {
    if (!Number.isFinite(flat[i])) expect([what, one]).toEqual([what, flat[i]]);
    else expect([what, Math.abs(one - flat[i]) <= tolerance * (1 + Math.abs(flat[i]))]).toEqual([what, true]);
  });
}

test.skipIf(!python)("densities, moments, entropies, samples and their gradients are Python's", () => {
  for (const one of (python as Answer).cases) {
    using _s = torch.scope();
    const what = (part: string) => `${part} of ${one.name}(${JSON.stringify(one.parameters)})`;
    const found = make(one.name, one.parameters);
    expectClose(found.logProb(asTensor(one.values) as torch.Tensor), one.log_prob, what("logProb"));
    expectClose(found.mean, one.mean, what("mean"));
    expectClose(found.variance, one.variance, what("variance"));
    if (one.entropy === null) expect(() => found.entropy()).toThrow("Poisson has no entropy");
    // Of a Multinomial Python computes a part in float32.
    else
      expectClose(found.entropy(), one.entropy, what("entropy"), one.name === "Multinomial" ? 1e-6 : 1e-10);
    torch.manualSeed(7);
    expectClose(found.sample([2, 3]), one.sample, what("sample"));
    expect([found.batchShape, found.eventShape]).toEqual(one.shapes as number[][]);
    if (!one.grads) {
      expect(() => found.rsample()).toThrow(`${one.name} has no rsample`);
      continue;
    }
    const leaves: torch.Tensor[] = [];
    const reparametrized = make(one.name, one.parameters, leaves);
    torch.manualSeed(8);
    reparametrized.rsample([2]).square().sum().backward();
    leaves.forEach((leaf, i) => {
      expectClose(leaf.grad as torch.Tensor, (one.grads as Value[])[i], what(`gradient ${i}`));
    });
  }
});

test.skipIf(!python)("divergences are Python's", () => {
  for (const [name, p, q, expected] of (python as Answer).divergences) {
    using _s = torch.scope();
    const found = torch.distributions.klDivergence(make(name, p), make(name, q));
    expectClose(found, expected, `divergence of ${name}`);
  }
});

test("parameters and values outside their ranges are refused", () => {
  using _s = torch.scope();
  const d = torch.distributions;
  expect(() => new d.Normal(0, -1)).toThrow("Normal: scale must be above 0");
  expect(() => new d.Uniform(1, 1)).toThrow("Uniform: low must be below high");
  expect(() => new d.Gamma(1, 0)).toThrow("Gamma: rate must be above 0");
  expect(() => new d.Bernoulli({ probs: 1.5 })).toThrow("probs must lie between 0 and 1");
  expect(() => new d.Bernoulli({ probs: 0.5, logits: 0 })).toThrow("either probs or logits");
  expect(() => new d.Categorical({ probs: 1 })).toThrow("at least one dimension");
  expect(() => new d.Multinomial(1.5, { probs: torch.ones([2]) })).toThrow(
    "totalCount must be a whole number",
  );
  expect(() => new d.Beta(1, 1).logProb(2)).toThrow("values must lie between 0 and 1");
  expect(() => new d.Poisson(1).logProb(0.5)).toThrow("whole numbers of at least 0");
  expect(() => new d.Categorical({ probs: torch.ones([3]) }).logProb(3)).toThrow("whole numbers from 0 to 2");
  expect(new d.Normal(0, -1, { validateArgs: false }).mean.item()).toBe(0);
  expect(() => d.klDivergence(new d.Normal(0, 1), new d.Gamma(1, 1))).toThrow(
    "no formula for Normal and Gamma",
  );
});
