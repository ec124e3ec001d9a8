import { noGrad } from "../../autograd/modes.ts";
import type { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { ops } from "../../dispatch/operators.ts";
import { stack } from "../../dispatch/ops.gen.ts";
import { empty, full, tensor as tensorOf } from "../../functions/creation.ts";
import { currentGroup, groupName, rankFailure } from "./group.ts";

/** How values of several ranks become one. */
export type ReduceOp = "sum" | "avg" | "product" | "min" | "max";

/** A collective that is under way. */
export interface Work {
  /**
   * Waits for its end. With NCCL only what is computed after it on the device waits.
   * @throws RankFailure if a rank has failed.
   */
  wait(): void;
}

export interface CollectiveOptions {
  /** Return at once; what `wait` of the result is called for is done only then. Default false. */
  readonly asyncOp?: boolean;
}

export interface ReduceOptions extends CollectiveOptions {
  /** Default `sum`. */
  readonly op?: ReduceOp;
}

function collectives() {
  return ops.unsafe["_c10d_functional"];
}

function need(what: string, condition: boolean, expected: string): void {
  if (!condition) throw new RangeError(`torch.distributed.${what}: ${expected}`);
}

/**
 * Starts one operator, and makes a `Work` of its result: `tensor` itself, or a new one
 * that belongs to the work.
 */
function run(
  tensor: Tensor,
  start: () => Tensor,
  finish: (result: Tensor) => void,
  options: CollectiveOptions,
): Work | null {
  const begun = attempt(start);
  if (begun !== tensor) begun.detachFromScope();
  let done = false;
  const work: Work = {
    wait() {
      if (done) return;
      done = true;
      try {
        attempt(() => tidy(() => void collectives()["wait_tensor"](begun)));
        noGrad(() => tidy(() => finish(begun)));
      } finally {
        if (begun !== tensor) begun.dispose();
      }
    },
  };
  if (options.asyncOp) return work;
  work.wait();
  return null;
}

function attempt<T>(call: () => T): T {
  try {
    return noGrad(call);
  } catch (error) {
    throw rankFailure(error);
  }
}

/** gloo has no mean: the sum, divided afterwards. */
function plainOp(op: ReduceOp): ReduceOp {
  return op === "avg" ? "sum" : op;
}

/**
 * Every rank's `tensor` becomes the sum (or mean, product, smallest, largest) of all of them, element by
 * element. Shapes and types must be the same on all ranks; the tensor must be contiguous.
 * @example torch.distributed.allReduce(gradient, { op: "avg" });
 */
export function allReduce(tensor: Tensor, options: ReduceOptions = {}): Work | null {
  const { op = "sum" } = options;
  const { worldSize } = currentGroup();
  need("allReduce", tensor.isContiguous, "the tensor must be contiguous");
  return run(
    tensor,
    () => collectives()["all_reduce_"](tensor, plainOp(op), groupName) as Tensor,
    () => void (op === "avg" && tensor.div_(worldSize)),
    options,
  );
}

/**
 * Gathers every rank's `input` [n, ...] into `output` [worldSize x n, ...], in the order of ranks. Shapes
 * must be the same on all ranks.
 * @example torch.distributed.allGatherIntoTensor(torch.empty([worldSize * 2, 8]), torch.ones([2, 8]));
 */
export function allGatherIntoTensor(
  output: Tensor,
  input: Tensor,
  options: CollectiveOptions = {},
): Work | null {
  const { worldSize } = currentGroup();
  const what = "allGatherIntoTensor";
  need(what, output.isContiguous && input.isContiguous, "the tensors must be contiguous");
  need(
    what,
    output.numel === worldSize * input.numel && output.dtype === input.dtype,
    `the output must have the input's type and ${worldSize} times its elements`,
  );
  return run(
    output,
    () => collectives()["all_gather_into_tensor"](input, worldSize, groupName) as Tensor,
    (result) => void output.copy_(result.view(output.shape)),
    options,
  );
}

/** Copies the `tensor` of rank r into `outputs[r]`, on all ranks. Shapes must be the same on all ranks. */
export function allGather(outputs: readonly Tensor[], tensor: Tensor): void {
  const { worldSize } = currentGroup();
  need("allGather", outputs.length === worldSize, `one output for each of the ${worldSize} ranks is needed`);
  noGrad(() =>
    tidy(() => {
      const gathered = empty([worldSize, ...tensor.shape], { dtype: tensor.dtype, device: tensor.device });
      allGatherIntoTensor(gathered, tensor.contiguous());
      outputs.forEach((output, rank) => {
        output.copy_(gathered.select(0, rank));
      });
    }),
  );
}

/**
 * Gives every rank the `tensor` of rank `src`. Shapes and types must be the same on all ranks; the
 * tensor must be contiguous.
 */
export function broadcast(tensor: Tensor, src: number, options: CollectiveOptions = {}): Work | null {
  const { worldSize } = currentGroup();
  need("broadcast", tensor.isContiguous, "the tensor must be contiguous");
  need(
    "broadcast",
    Number.isInteger(src) && src >= 0 && src < worldSize,
    `there is no rank ${src} among ${worldSize}`,
  );
  return run(
    tensor,
    () => collectives()["broadcast_"](tensor, src, groupName) as Tensor,
    () => {},
    options,
  );
}

/**
 * Reduces every rank's `input` [worldSize x n, ...], and gives rank r the r-th part of the result
 * as its `output` [n, ...].
 * @example
 * torch.distributed.reduceScatterTensor(own, gradients); // own is this rank's share of the summed gradients
 */
export function reduceScatterTensor(output: Tensor, input: Tensor, options: ReduceOptions = {}): Work | null {
  const { op = "sum" } = options;
  const { worldSize } = currentGroup();
  const what = "reduceScatterTensor";
  need(what, output.isContiguous && input.isContiguous, "the tensors must be contiguous");
  need(
    what,
    input.numel === worldSize * output.numel && output.dtype === input.dtype,
    `the input must have the output's type and ${worldSize} times its elements`,
  );
  // gloo divides the first dimension.
  const parts = input.view([worldSize * output.numel]);
  return run(
    output,
    () => collectives()["reduce_scatter_tensor"](parts, plainOp(op), worldSize, groupName) as Tensor,
    (result) => {
      output.copy_(result.view(output.shape));
      if (op === "avg") output.div_(worldSize);
    },
    options,
  );
}

/** Reduces `inputs[r]` of all ranks into the `output` of rank r. Shapes must be the same on all ranks. */
export function reduceScatter(
  output: Tensor,
  inputs: readonly Tensor[],
  options: Pick<ReduceOptions, "op"> = {},
): void {
  const { worldSize } = currentGroup();
  need(
    "reduceScatter",
    inputs.length === worldSize,
    `one input for each of the ${worldSize} ranks is needed`,
  );
  noGrad(() => tidy(() => void reduceScatterTensor(output, stack([...inputs]), options)));
}

/** Waits until all ranks have come here. */
export function barrier(): void {
  tidy(() => void allReduce(empty([1]).fill_(0)));
}

/** The `value` (plain JSON) of rank `src`, on all ranks. */
export function broadcastObject<T>(value: T, src = 0): T {
  return allGatherObject(currentGroup().rank === src ? value : null)[src] as T;
}

/** The values (plain JSON) of all ranks, in their order. */
export function allGatherObject<T>(value: T): T[] {
  const { worldSize } = currentGroup();
  return tidy(() => {
    const bytes = new TextEncoder().encode(JSON.stringify(value) ?? "null");
    const lengths = empty([worldSize], { dtype: "int64" });
    allGatherIntoTensor(lengths, full([1], bytes.length, { dtype: "int64" }));
    const sizes = Array.from(lengths.toFloat64Array());
    const padded = new Uint8Array(Math.max(...sizes));
    padded.set(bytes);
    const gathered = empty([worldSize * padded.length], { dtype: "uint8" });
    allGatherIntoTensor(gathered, tensorOf(padded));
    const all = Uint8Array.from(gathered.toFloat64Array());
    return sizes.map((size, rank) =>
      JSON.parse(new TextDecoder().decode(all.subarray(rank * padded.length, rank * padded.length + size))),
    ) as T[];
  });
}
