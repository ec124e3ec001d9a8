import { AutogradFunction, type FunctionContext } from "../autograd/function.ts";
import type { Tensor } from "../core/tensor.ts";
import { operator } from "../dispatch/operators.ts";
import { stack, xlogy } from "../dispatch/ops.gen.ts";
import { rand, randn } from "../functions/creation.ts";
import { finfo } from "../functions/dtypeInfo.ts";
import {
  broadcast,
  Distribution,
  type DistributionOptions,
  type Parameter,
  valueLike,
} from "./distribution.ts";

type Unary = (input: Tensor) => Tensor;
const standardGamma = operator("aten::_standard_gamma", [""], "Gamma.rsample") as unknown as Unary;
const sampleDirichlet = operator("aten::_sample_dirichlet", [""], "Dirichlet.rsample") as unknown as Unary;
const dirichletGrad = operator("aten::_dirichlet_grad", [""], "Dirichlet.rsample") as unknown as (
  x: Tensor,
  concentration: Tensor,
  total: Tensor,
) => Tensor;

const placeOf = ({ dtype, device }: Tensor) => ({ dtype, device });

/**
 * The normal distribution with mean `loc` and standard deviation `scale`.
 * @throws TorchError for a scale that is not above 0.
 * @example new torch.distributions.Normal(0, 1).logProb(0.5).item() // -1.0439
 */
export class Normal extends Distribution {
  readonly loc: Tensor;
  readonly scale: Tensor;

  constructor(loc: Parameter, scale: Parameter, options: DistributionOptions = {}) {
    const [mean, deviation] = broadcast(loc, scale);
    super(mean.shape, [], options);
    this.loc = mean;
    this.scale = deviation;
    this.check({ "scale must be above 0": deviation.gt(0), "loc must be a number": mean.eq(mean) });
  }

  get mean(): Tensor {
    return this.loc;
  }

  override get stddev(): Tensor {
    return this.scale;
  }

  get variance(): Tensor {
    return this.scale.square();
  }

  override rsample(sampleShape: readonly number[] = []): Tensor {
    const noise = randn(this.extended(sampleShape), placeOf(this.loc));
    return this.loc.add(noise.mul(this.scale));
  }

  logProb(value: Parameter): Tensor {
    const at = valueLike(value, this.loc);
    this.check({ "values must be numbers": at.eq(at) });
    const squares = at.sub(this.loc).square().div(this.variance.mul(2));
    return squares
      .neg()
      .sub(this.scale.log())
      .sub(0.5 * Math.log(2 * Math.PI));
  }

  override entropy(): Tensor {
    return this.scale.log().add(0.5 + 0.5 * Math.log(2 * Math.PI));
  }
}

/**
 * The uniform distribution from `low` to `high`.
 * @throws TorchError where `low` is not below `high`.
 * @example const start = new torch.distributions.Uniform(-1, 1).sample([3]);
 */
export class Uniform extends Distribution {
  readonly low: Tensor;
  readonly high: Tensor;

  constructor(low: Parameter, high: Parameter, options: DistributionOptions = {}) {
    const [from, to] = broadcast(low, high);
    super(from.shape, [], options);
    this.low = from;
    this.high = to;
    this.check({ "low must be below high": from.lt(to) });
  }

  get mean(): Tensor {
    return this.low.add(this.high).div(2);
  }

  get variance(): Tensor {
    return this.high.sub(this.low).square().div(12);
  }

  override rsample(sampleShape: readonly number[] = []): Tensor {
    const shares = rand(this.extended(sampleShape), placeOf(this.low));
    return this.low.add(shares.mul(this.high.sub(this.low)));
  }

  logProb(value: Parameter): Tensor {
    const at = valueLike(value, this.low);
    this.check({ "values must lie between low and high": at.ge(this.low).logicalAnd(at.le(this.high)) });
    const inside = this.low.le(at).logicalAnd(this.high.gt(at)).typeAs(this.low);
    return inside.log().sub(this.high.sub(this.low).log());
  }

  override entropy(): Tensor {
    return this.high.sub(this.low).log();
  }
}

/**
 * The gamma distribution with density proportional to x^(concentration - 1) e^(-rate x).
 * @throws TorchError for parameters that are not above 0.
 * @example const waiting = new torch.distributions.Gamma(2, 0.5).sample([100]);
 */
export class Gamma extends Distribution {
  readonly concentration: Tensor;
  readonly rate: Tensor;

  constructor(concentration: Parameter, rate: Parameter, options: DistributionOptions = {}) {
    const [shape, inverse] = broadcast(concentration, rate);
    super(shape.shape, [], options);
    this.concentration = shape;
    this.rate = inverse;
    this.check({ "concentration must be above 0": shape.gt(0), "rate must be above 0": inverse.gt(0) });
  }

  get mean(): Tensor {
    return this.concentration.div(this.rate);
  }

  get variance(): Tensor {
    return this.concentration.div(this.rate.square());
  }

  override rsample(sampleShape: readonly number[] = []): Tensor {
    const value = standardGamma(this.concentration.expand(this.extended(sampleShape))).div(this.rate);
    value.detach().clamp_(finfo(value.dtype).tiny);
    return value;
  }

  logProb(value: Parameter): Tensor {
    const at = valueLike(value, this.rate);
    this.check({ "values must not be below 0": at.ge(0) });
    const { concentration, rate } = this;
    return xlogy(concentration, rate)
      .add(xlogy(concentration.sub(1), at))
      .sub(rate.mul(at))
      .sub(concentration.lgamma());
  }

  override entropy(): Tensor {
    const { concentration, rate } = this;
    const last = concentration.neg().add(1).mul(concentration.digamma());
    return concentration.sub(rate.log()).add(concentration.lgamma()).add(last);
  }
}

/** Samples of a Dirichlet distribution with the gradient that LibTorch knows (Figurnov et al. 2018). */
class DirichletSample extends AutogradFunction {
  static forward(context: FunctionContext, concentration: Tensor): Tensor {
    const sample = sampleDirichlet(concentration);
    context.saveForBackward(sample, concentration);
    return sample;
  }

  static onceDifferentiable = true;

  static backward(context: FunctionContext, gradient: Tensor): Tensor {
    const [sample, concentration] = context.savedTensors;
    const total = concentration.sum([-1], true).expandAs(concentration);
    const along = gradient.sub(sample.mul(gradient).sum([-1], true));
    return dirichletGrad(sample, concentration, total).mul(along);
  }
}

/**
 * The Dirichlet distribution of shares that add up to 1; the last dimension of `concentration` is the event.
 * @throws TorchError for a concentration without dimensions or not above 0.
 * @example const shares = new torch.distributions.Dirichlet(torch.tensor([1, 1, 1])).sample();
 */
export class Dirichlet extends Distribution {
  constructor(
    readonly concentration: Tensor,
    options: DistributionOptions = {},
  ) {
    const { shape } = concentration;
    if (shape.length === 0) throw new TypeError("Dirichlet: concentration needs at least one dimension");
    super(shape.slice(0, -1), shape.slice(-1), options);
    this.check({ "concentration must be above 0": concentration.gt(0) });
  }

  get mean(): Tensor {
    return this.concentration.div(this.concentration.sum([-1], true));
  }

  get variance(): Tensor {
    const { concentration } = this;
    const total = concentration.sum([-1], true);
    return concentration.mul(total.sub(concentration)).div(total.square().mul(total.add(1)));
  }

  override rsample(sampleShape: readonly number[] = []): Tensor {
    return DirichletSample.apply(this.concentration.expand(this.extended(sampleShape)));
  }

  logProb(value: Tensor): Tensor {
    const isOne = value.sum([-1]).sub(1).abs().lt(1e-6);
    this.check({ "values must be shares that add up to 1": value.ge(0).all(-1).logicalAnd(isOne) });
    const { concentration } = this;
    return xlogy(concentration.sub(1), value)
      .sum([-1])
      .add(concentration.sum([-1]).lgamma())
      .sub(concentration.lgamma().sum([-1]));
  }

  override entropy(): Tensor {
    const { concentration } = this;
    const count = concentration.size(-1);
    const total = concentration.sum([-1]);
    return concentration
      .lgamma()
      .sum([-1])
      .sub(total.lgamma())
      .sub(total.neg().add(count).mul(total.digamma()))
      .sub(concentration.sub(1).mul(concentration.digamma()).sum([-1]));
  }
}

/**
 * The beta distribution of a share: density proportional to
 * x^(concentration1 - 1) (1 - x)^(concentration0 - 1).
 * @throws TorchError for parameters that are not above 0.
 * @example const share = new torch.distributions.Beta(2, 5).sample([10]);
 */
export class Beta extends Distribution {
  readonly concentration1: Tensor;
  readonly concentration0: Tensor;
  readonly #shares: Dirichlet;

  constructor(concentration1: Parameter, concentration0: Parameter, options: DistributionOptions = {}) {
    const [one, zero] = broadcast(concentration1, concentration0);
    super(one.shape, [], options);
    this.concentration1 = one;
    this.concentration0 = zero;
    this.check({ "concentration1 must be above 0": one.gt(0), "concentration0 must be above 0": zero.gt(0) });
    this.#shares = new Dirichlet(stack([one, zero], -1), { validateArgs: false });
  }

  /** Both, in a last dimension. */
  get concentrations(): Tensor {
    return this.#shares.concentration;
  }

  get mean(): Tensor {
    return this.concentration1.div(this.concentration1.add(this.concentration0));
  }

  get variance(): Tensor {
    const total = this.concentration1.add(this.concentration0);
    return this.concentration1.mul(this.concentration0).div(total.square().mul(total.add(1)));
  }

  override rsample(sampleShape: readonly number[] = []): Tensor {
    return this.#shares.rsample(sampleShape).select(-1, 0);
  }

  logProb(value: Parameter): Tensor {
    const at = valueLike(value, this.concentration1);
    this.check({ "values must lie between 0 and 1": at.ge(0).logicalAnd(at.le(1)) });
    return this.#shares.logProb(stack([at, at.neg().add(1)], -1));
  }

  override entropy(): Tensor {
    return this.#shares.entropy();
  }
}
