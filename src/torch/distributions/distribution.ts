import { noGrad } from "../autograd/modes.ts";
import { Tensor } from "../core/tensor.ts";
import { broadcastTensors } from "../dispatch/ops.gen.ts";
import { tensor } from "../functions/creation.ts";
import { TorchError } from "../native/errors.ts";

/** A parameter or a value: a number stands for a tensor without dimensions. */
export type Parameter = Tensor | number;

export interface DistributionOptions {
  /** Refuse parameters and values outside their ranges (default); each check waits for the device. */
  readonly validateArgs?: boolean;
}

/** What all distributions have, under PyTorch's names. */
export abstract class Distribution {
  protected readonly validates: boolean;

  /** @internal */
  constructor(
    /** Of the independent distributions that the parameters describe. */
    readonly batchShape: readonly number[],
    /** Of one sample: `[]` for numbers. */
    readonly eventShape: readonly number[],
    { validateArgs = true }: DistributionOptions,
  ) {
    this.validates = validateArgs;
  }

  abstract get mean(): Tensor;
  abstract get variance(): Tensor;

  get stddev(): Tensor {
    return this.variance.sqrt();
  }

  /** The natural logarithm of the density, or of the probability, at a value. */
  abstract logProb(value: Parameter): Tensor;

  /** In nats. @throws TorchError where no formula is known (Poisson), as in PyTorch. */
  entropy(): Tensor {
    throw this.#missing("entropy");
  }

  /** Samples of shape `[...sampleShape, ...batchShape, ...eventShape]`, without gradients. */
  sample(sampleShape: readonly number[] = []): Tensor {
    return noGrad(() => this.rsample(sampleShape));
  }

  /**
   * Samples through which gradients flow to the parameters.
   * @throws TorchError for distributions of whole numbers, which have none.
   */
  rsample(_sampleShape: readonly number[] = []): Tensor {
    throw this.#missing("rsample");
  }

  #missing(what: string): TorchError {
    const { name } = this.constructor;
    return new TorchError(`${name} has no ${what}, in PyTorch neither`, "not-implemented");
  }

  protected extended(sampleShape: readonly number[]): number[] {
    return [...sampleShape, ...this.batchShape, ...this.eventShape];
  }

  /** @throws TorchError where a condition does not hold everywhere; `conditions` says what must be. */
  protected check(conditions: Readonly<Record<string, Tensor>>): void {
    if (!this.validates) return;
    for (const [text, holds] of Object.entries(conditions)) {
      if (!holds.all().itemBool())
        throw new TorchError(
          `${this.constructor.name}: ${text} (validateArgs: false checks nothing)`,
          "value",
        );
    }
  }
}

/** Parameters as tensors of one shape; numbers take the dtype and the device of the tensors. */
export function broadcast(...parameters: readonly Parameter[]): Tensor[] {
  return broadcastTensors(asTensors(parameters)) as Tensor[];
}

function asTensors(parameters: readonly Parameter[]): Tensor[] {
  const like = parameters.find((one) => one instanceof Tensor);
  const options = like ? { dtype: like.dtype, device: like.device } : {};
  return parameters.map((one) => (one instanceof Tensor ? one : tensor(one, options)));
}

/** A value as a tensor beside a parameter. */
export const valueLike = (value: Parameter, parameter: Tensor): Tensor => asTensors([value, parameter])[0];
