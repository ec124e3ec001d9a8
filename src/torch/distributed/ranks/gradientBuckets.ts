import { noGrad } from "../../autograd/modes.ts";
import type { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { cat } from "../../dispatch/ops.gen.ts";
import { tensor, zeros } from "../../functions/creation.ts";
import { inBuckets } from "./buckets.ts";
import { allReduce, type ReduceOp, type Work } from "./collectives.ts";

/**
 * The gradients of some parameters, reduced over all ranks in buckets: flat tensors, large enough that the
 * network's latency does not count, and several, so that one is on its way while the next one is gathered.
 */
export class GradientBuckets {
  readonly #buckets: readonly Tensor[][];

  /**
   * All ranks must give the same parameters in the same order. The last ones, whose
   * gradients come first, go first.
   */
  constructor(parameters: Iterable<Tensor>, options: { megabytes?: number } = {}) {
    const trained = [...parameters].reverse().filter(({ requiresGrad }) => requiresGrad);
    const kindOf = ({ dtype, device }: Tensor) => `${dtype} ${device}`;
    this.#buckets = inBuckets(trained, { kindOf, bytesOf: ({ nbytes }) => nbytes, ...options });
  }

  /** How many there are. */
  get size(): number {
    return this.#buckets.length;
  }

  /**
   * Makes every parameter's `grad` the mean (or sum) of those of all ranks; a rank without one counts as
   * zeros, and where no rank has one there is none afterwards. The gradients are parts of the buckets then.
   */
  reduce(op: Extract<ReduceOp, "avg" | "sum"> = "avg"): void {
    noGrad(() =>
      tidy(() => {
        const flying = this.#buckets.map((bucket) => this.#send(bucket, op));
        for (const { bucket, flat, work } of flying) {
          work.wait();
          spread(bucket, flat);
        }
      }),
    );
  }

  /** A bucket's gradients and, behind them, for each whether this rank has it. */
  #send(bucket: readonly Tensor[], op: ReduceOp): { bucket: readonly Tensor[]; flat: Tensor; work: Work } {
    const { dtype, device } = bucket[0];
    const grads = bucket.map((parameter) => parameter.grad);
    const parts = bucket.map(
      (parameter, i) => grads[i]?.reshape([-1]) ?? zeros([parameter.numel], { dtype, device }),
    );
    const present = tensor(
      grads.map((gradient) => (gradient ? 1 : 0)),
      { dtype, device },
    );
    const flat = cat([...parts, present]).detachFromScope();
    return { bucket, flat, work: allReduce(flat, { op, asyncOp: true })! };
  }
}

function spread(bucket: readonly Tensor[], flat: Tensor): void {
  const present = flat.narrow(0, flat.numel - bucket.length, bucket.length).toFloat64Array();
  let start = 0;
  bucket.forEach((parameter, i) => {
    const part = flat.narrow(0, start, parameter.numel).view(parameter.shape);
    start += parameter.numel;
    parameter.grad = present[i] > 0 ? part : null;
  });
  flat.dispose();
}
