import { noGrad } from "../autograd/modes.ts";
import type { Tensor } from "../core/tensor.ts";
import {
  bernoulli,
  binaryCrossEntropyWithLogits,
  broadcastTensors,
  multinomial,
  poisson,
  xlogy,
} from "../dispatch/ops.gen.ts";
import { arange, onesLike, zeros } from "../functions/creation.ts";
import { finfo } from "../functions/dtypeInfo.ts";
import {
  broadcast,
  Distribution,
  type DistributionOptions,
  type Parameter,
  valueLike,
} from "./distribution.ts";

/** Probabilities, or what a sigmoid (a softmax, for several classes) makes probabilities of: one of them. */
export interface ProbsOrLogits extends DistributionOptions {
  readonly probs?: Parameter;
  readonly logits?: Parameter;
}

/** Away from 0 and 1, so that logarithms are finite. */
function clampProbs(probs: Tensor): Tensor {
  const { eps } = finfo(probs.dtype);
  return probs.clamp(eps, 1 - eps);
}

function oneOf(name: string, { probs, logits }: ProbsOrLogits): Tensor {
  if ((probs === undefined) === (logits === undefined))
    throw new TypeError(`${name}: give either probs or logits`);
  return broadcast((probs ?? logits) as Parameter)[0];
}

/**
 * 1 with probability `probs`, otherwise 0.
 * @throws TypeError unless one of `probs` and `logits` is given; TorchError for probabilities outside [0, 1].
 * @example const coins = new torch.distributions.Bernoulli({ probs: 0.3 }).sample([10]);
 */
export class Bernoulli extends Distribution {
  readonly probs: Tensor;
  readonly logits: Tensor;

  constructor(options: ProbsOrLogits) {
    const given = oneOf("Bernoulli", options);
    super(given.shape, [], options);
    if (options.probs !== undefined) {
      this.check({ "probs must lie between 0 and 1": given.ge(0).logicalAnd(given.le(1)) });
      const clamped = clampProbs(given);
      this.probs = given;
      this.logits = clamped.log().sub(clamped.neg().log1p());
    } else {
      this.check({ "logits must be numbers": given.eq(given) });
      this.probs = given.sigmoid();
      this.logits = given;
    }
  }

  get mean(): Tensor {
    return this.probs;
  }

  get variance(): Tensor {
    return this.probs.mul(this.probs.neg().add(1));
  }

  override sample(sampleShape: readonly number[] = []): Tensor {
    return noGrad(() => bernoulli(this.probs.expand(this.extended(sampleShape))));
  }

  logProb(value: Parameter): Tensor {
    const at = valueLike(value, this.logits);
    this.check({ "values must be 0 or 1": at.eq(0).logicalOr(at.eq(1)) });
    const [logits, target] = broadcast(this.logits, at);
    return binaryCrossEntropyWithLogits(logits, target, null, null, 0).neg();
  }

  override entropy(): Tensor {
    return binaryCrossEntropyWithLogits(this.logits, this.probs, null, null, 0);
  }
}

/** Normalized probabilities and their logarithms along the last dimension. */
function classes(
  distribution: string,
  options: ProbsOrLogits,
): { probs: Tensor; logits: Tensor; given: Tensor } {
  const given = oneOf(distribution, options);
  if (given.ndim === 0) throw new TypeError(`${distribution}: probs or logits need at least one dimension`);
  if (options.probs === undefined) {
    const logits = given.sub(given.logsumexp([-1], true));
    return { given, logits, probs: logits.softmax(-1) };
  }
  const probs = given.div(given.sum([-1], true));
  return { given, probs, logits: clampProbs(probs).log() };
}

/**
 * One of the classes 0, 1, 2 ...: the last dimension of `probs` (which need not add up to 1) or of `logits`.
 * @throws TypeError unless one of `probs` and `logits` is given; TorchError for negative probabilities.
 * @example const token = new torch.distributions.Categorical({ logits }).sample();
 */
export class Categorical extends Distribution {
  readonly probs: Tensor;
  readonly logits: Tensor;

  constructor(options: ProbsOrLogits) {
    const { given, probs, logits } = classes("Categorical", options);
    super(probs.shape.slice(0, -1), [], options);
    this.probs = probs;
    this.logits = logits;
    if (options.probs === undefined) this.check({ "logits must be numbers": given.eq(given) });
    else
      this.check({
        "probs must not be negative, and one must be above 0": given
          .ge(0)
          .all(-1)
          .logicalAnd(given.sum([-1]).gt(0)),
      });
  }

  /** Classes have no mean: NaN, as in PyTorch. */
  get mean(): Tensor {
    return this.probs.select(-1, 0).mul(Number.NaN);
  }

  get variance(): Tensor {
    return this.mean;
  }

  override sample(sampleShape: readonly number[] = []): Tensor {
    return noGrad(() => {
      const count = sampleShape.reduce((product, size) => product * size, 1);
      const rows = this.probs.reshape([-1, this.probs.size(-1)]);
      return multinomial(rows, count, true).t().reshape(this.extended(sampleShape));
    });
  }

  logProb(value: Parameter): Tensor {
    const at = valueLike(value, this.logits);
    const count = this.probs.size(-1);
    this.check({
      [`values must be whole numbers from 0 to ${count - 1}`]: at
        .ge(0)
        .logicalAnd(at.lt(count))
        .logicalAnd(at.eq(at.to("int64"))),
    });
    const [places, logits] = broadcastTensors([at.to("int64").unsqueeze(-1), this.logits]) as Tensor[];
    return logits.gather(-1, places.narrow(-1, 0, 1)).squeeze(-1);
  }

  override entropy(): Tensor {
    const finite = this.logits.clamp(finfo(this.logits.dtype).min);
    return finite.mul(this.probs).sum([-1]).neg();
  }
}

/**
 * How often each class comes in `totalCount` draws; the last dimension is the event.
 * @throws RangeError for a count that is no whole number of at least 0, and as `Categorical`.
 * @example const reads = new torch.distributions.Multinomial(1000, { probs: abundances }).sample();
 */
export class Multinomial extends Distribution {
  readonly #draw: Categorical;

  constructor(
    readonly totalCount: number,
    options: ProbsOrLogits,
  ) {
    if (!Number.isSafeInteger(totalCount) || totalCount < 0)
      throw new RangeError(`Multinomial: totalCount must be a whole number of at least 0, got ${totalCount}`);
    const draw = new Categorical(options);
    super(draw.batchShape, draw.probs.shape.slice(-1), options);
    this.#draw = draw;
  }

  get probs(): Tensor {
    return this.#draw.probs;
  }

  get logits(): Tensor {
    return this.#draw.logits;
  }

  get mean(): Tensor {
    return this.probs.mul(this.totalCount);
  }

  get variance(): Tensor {
    return this.mean.mul(this.probs.neg().add(1));
  }

  override sample(sampleShape: readonly number[] = []): Tensor {
    return noGrad(() => {
      const drawn = this.#draw.sample([this.totalCount, ...sampleShape]).movedim([0], [-1]);
      const counts = zeros(this.extended(sampleShape), { dtype: "int64", device: drawn.device });
      return counts.scatterAdd_(-1, drawn, onesLike(drawn)).typeAs(this.probs);
    });
  }

  logProb(value: Tensor): Tensor {
    const isCount = value.ge(0).logicalAnd(value.eq(value.floor())).all(-1);
    this.check({
      [`values must be counts that add up to ${this.totalCount}`]: isCount.logicalAnd(
        value.sum([-1]).eq(this.totalCount),
      ),
    });
    const [logits, counts] = broadcastTensors([this.logits, value]) as Tensor[];
    const never = counts.eq(0).logicalAnd(logits.eq(Number.NEGATIVE_INFINITY));
    const orders = counts
      .sum([-1])
      .add(1)
      .lgamma()
      .sub(counts.add(1).lgamma().sum([-1]));
    return orders.add(logits.maskedFill(never, 0).mul(counts).sum([-1]));
  }

  override entropy(): Tensor {
    const { probs, totalCount: n } = this;
    const { dtype, device } = probs;
    const one = new Array<number>(probs.ndim).fill(1);
    // Of each class the binomial distribution of its count.
    const counts = arange(1, n + 1, 1, { dtype, device }).view([n, ...one]);
    const orders = counts.add(1).lgamma();
    const whole = zeros([], { dtype, device })
      .add(n + 1)
      .lgamma();
    const choices = whole.sub(orders).sub(
      counts
        .neg()
        .add(n + 1)
        .lgamma(),
    );
    const logs = choices.add(xlogy(counts, probs)).add(xlogy(counts.neg().add(n), probs.neg().add(1)));
    return this.#draw
      .entropy()
      .mul(n)
      .sub(whole)
      .add(logs.exp().mul(orders).sum([0, -1]));
  }
}

/**
 * Counts of independent events with the mean `rate`.
 * @throws TorchError for a negative rate.
 * @example const visits = new torch.distributions.Poisson(4).sample([7]);
 */
export class Poisson extends Distribution {
  readonly rate: Tensor;

  constructor(rate: Parameter, options: DistributionOptions = {}) {
    const [given] = broadcast(rate);
    super(given.shape, [], options);
    this.rate = given;
    this.check({ "rate must not be negative": given.ge(0) });
  }

  get mean(): Tensor {
    return this.rate;
  }

  get variance(): Tensor {
    return this.rate;
  }

  override sample(sampleShape: readonly number[] = []): Tensor {
    return noGrad(() => poisson(this.rate.expand(this.extended(sampleShape))));
  }

  logProb(value: Parameter): Tensor {
    const at = valueLike(value, this.rate);
    this.check({ "values must be whole numbers of at least 0": at.ge(0).logicalAnd(at.eq(at.floor())) });
    return xlogy(at, this.rate).sub(this.rate).sub(at.add(1).lgamma());
  }
}
