import { afterBackward } from "../../autograd/autograd.ts";
import { isGradEnabled, noGrad } from "../../autograd/modes.ts";
import type { Tensor } from "../../core/tensor.ts";
import { allGatherObject, broadcast } from "../../distributed/ranks/collectives.ts";
import { GradientBuckets } from "../../distributed/ranks/gradientBuckets.ts";
import { Module } from "../base/module.ts";

type Forwarding = Module & { forward(...args: never[]): unknown };

export interface DistributedDataParallelOptions {
  /** Of a bucket of gradients, in MiB. Default 25. */
  readonly bucketCapMb?: number;
  /** Give every rank the buffers of rank 0 before each forward pass in training mode. Default true. */
  readonly broadcastBuffers?: boolean;
}

/**
 * Trains one model on several ranks, each with a batch of its own: at the end of a backward pass the
 * gradients become the mean over all ranks, so that the same optimizer makes the same step everywhere. All
 * ranks start with the weights of rank 0.
 *
 * A parameter that a rank's loss does not depend on counts as zeros there. For losses of pairs across
 * ranks see docs/cluster.md.
 * @throws TypeError if the ranks have different models.
 * @example
 * torch.distributed.initProcessGroup();
 * const model = new torch.nn.parallel.DistributedDataParallel(new torch.nn.Linear(8, 1));
 * model.forward(ownBatch).square().mean().backward(); // gradients are averaged here
 */
export class DistributedDataParallel<M extends Forwarding> extends Module {
  readonly #buckets: GradientBuckets;
  readonly #broadcastBuffers: boolean;
  #synchronizes = true;
  readonly #reduce = () => this.#buckets.reduce();

  constructor(
    readonly module: M,
    options: DistributedDataParallelOptions = {},
  ) {
    super();
    const { bucketCapMb, broadcastBuffers = true } = options;
    checkModels(module);
    for (const value of [...module.parameters(), ...module.buffers()]) broadcastValue(value);
    this.#broadcastBuffers = broadcastBuffers;
    this.#buckets = new GradientBuckets(module.parameters(), { megabytes: bucketCapMb });
  }

  /** What the model itself gives. */
  forward(...args: Parameters<M["forward"]>): ReturnType<M["forward"]> {
    if (this.training && this.#broadcastBuffers)
      for (const value of this.module.buffers()) broadcastValue(value);
    if (isGradEnabled() && this.#synchronizes) afterBackward(this.#reduce);
    return this.module.forward(...args) as ReturnType<M["forward"]>;
  }

  /**
   * Gradients of forward passes in `fn` stay on their rank and add up; the first backward pass
   * outside averages them all.
   */
  noSync<T>(fn: () => T): T {
    const before = this.#synchronizes;
    this.#synchronizes = false;
    try {
      return fn();
    } finally {
      this.#synchronizes = before;
    }
  }
}

function broadcastValue(value: Tensor): void {
  noGrad(() => {
    using dense = value.detach().contiguous();
    broadcast(dense, 0);
    if (!value.isContiguous) value.copy_(dense);
  });
}

function checkModels(module: Module): void {
  const own = [...module.namedParameters(), ...module.namedBuffers()].map(
    ([name, { dtype, shape }]) => `${name} ${dtype} [${shape.join(", ")}]`,
  );
  const [first, ...others] = allGatherObject(own);
  others.forEach((theirs, i) => {
    const place = Array.from({ length: Math.max(first.length, theirs.length) }).findIndex(
      (_, k) => first[k] !== theirs[k],
    );
    if (place < 0) return;
    throw new TypeError(
      `DistributedDataParallel: the models differ: rank 0 has ${first[place] ?? "nothing more"}, rank ${i + 1} ${theirs[place] ?? "nothing more"}`,
    );
  });
}
