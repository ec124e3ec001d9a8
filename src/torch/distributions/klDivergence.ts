import type { Tensor } from "../core/tensor.ts";
import { softplus } from "../dispatch/ops.gen.ts";
import { TorchError } from "../native/errors.ts";
import { Beta, Dirichlet, Gamma, Normal, Uniform } from "./continuous.ts";
import { Bernoulli, Categorical, Poisson } from "./discrete.ts";
import type { Distribution } from "./distribution.ts";

const normal = (p: Normal, q: Normal): Tensor => {
  const ratio = p.scale.div(q.scale).square();
  return ratio.add(p.loc.sub(q.loc).div(q.scale).square()).sub(1).sub(ratio.log()).mul(0.5);
};

const uniform = (p: Uniform, q: Uniform): Tensor => {
  const outside = q.low.gt(p.low).logicalOr(q.high.lt(p.high));
  return q.high.sub(q.low).div(p.high.sub(p.low)).log().maskedFill(outside, Number.POSITIVE_INFINITY);
};

const gamma = (p: Gamma, q: Gamma): Tensor =>
  q.concentration
    .mul(p.rate.div(q.rate).log())
    .add(q.concentration.lgamma().sub(p.concentration.lgamma()))
    .add(p.concentration.sub(q.concentration).mul(p.concentration.digamma()))
    .add(q.rate.sub(p.rate).mul(p.concentration.div(p.rate)));

const shares = (p: Tensor, q: Tensor): Tensor => {
  const [total, other] = [p.sum([-1]), q.sum([-1])];
  const logs = p.digamma().sub(total.digamma().unsqueeze(-1));
  return total
    .lgamma()
    .sub(other.lgamma())
    .sub(p.lgamma().sub(q.lgamma()).sum([-1]))
    .add(p.sub(q).mul(logs).sum([-1]));
};

/** p (log p - log q) as it is where p or q is 0. */
const term = (p: Tensor, q: Tensor, difference: Tensor): Tensor =>
  p.mul(difference).maskedFill(q.eq(0), Number.POSITIVE_INFINITY).maskedFill(p.eq(0), 0);

const bernoulli = (p: Bernoulli, q: Bernoulli): Tensor => {
  const rest = (one: Tensor) => one.neg().add(1);
  const ones = term(p.probs, q.probs, softplus(q.logits.neg()).sub(softplus(p.logits.neg())));
  const zeros = term(rest(p.probs), rest(q.probs), softplus(q.logits).sub(softplus(p.logits)));
  return ones.add(zeros);
};

const categorical = (p: Categorical, q: Categorical): Tensor =>
  term(p.probs, q.probs, p.logits.sub(q.logits)).sum([-1]);

const poisson = (p: Poisson, q: Poisson): Tensor =>
  p.rate.mul(p.rate.log().sub(q.rate.log())).sub(p.rate.sub(q.rate));

type Kind<D extends Distribution> = abstract new (...args: never[]) => D;
type Formula = (p: Distribution, q: Distribution) => Tensor | null;
const between =
  <D extends Distribution>(kind: Kind<D>, formula: (p: D, q: D) => Tensor): Formula =>
  (p, q) =>
    p instanceof kind && q instanceof kind ? formula(p, q) : null;

const formulas: readonly Formula[] = [
  between(Normal, normal),
  between(Uniform, uniform),
  between(Gamma, gamma),
  between(Beta, (p, q) => shares(p.concentrations, q.concentrations)),
  between(Dirichlet, (p, q) => shares(p.concentration, q.concentration)),
  between(Bernoulli, bernoulli),
  between(Categorical, categorical),
  between(Poisson, poisson),
];

/**
 * The Kullback-Leibler divergence of two distributions of the same kind, in nats: `kl_divergence`.
 * @throws TorchError for different kinds, and for kinds without a formula (Multinomial).
 * @example torch.distributions.klDivergence(posterior, new torch.distributions.Normal(0, 1)).sum();
 */
export function klDivergence(p: Distribution, q: Distribution): Tensor {
  for (const formula of formulas) {
    const found = formula(p, q);
    if (found) return found;
  }
  const names = `${p.constructor.name} and ${q.constructor.name}`;
  throw new TorchError(`klDivergence: there is no formula for ${names}`, "not-implemented");
}
