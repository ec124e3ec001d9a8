import { bases } from "../common/tokens.ts";
import * as torch from "../torch/index.ts";

export type MaskStrategy = "random" | "span";
export const maskStrategies: readonly MaskStrategy[] = ["random", "span"];

const spanLengths = { shortest: 3, longest: 5 };
const spanAttempts = 100;

/** Where a token is a definite base: [..] bool. Only these are masked. */
export function isBase(tokens: torch.Tensor): torch.Tensor {
  return tokens.ge(1).logicalAnd(tokens.le(bases.length));
}

/**
 * Chooses positions to hide in tokens [U, L]: [U, L] bool, from the device's default generator and without
 * waiting for it. `random` takes each base with probability `ratio`; `span` takes runs of 3 to 5 bases at
 * random starts until floor(bases * ratio) are taken.
 */
export function chooseMask(tokens: torch.Tensor, ratio: number, strategy: MaskStrategy): torch.Tensor {
  const bases = isBase(tokens);
  if (strategy === "span") return spanMask(bases, ratio);
  return torch.rand(tokens.shape, { device: tokens.device }).lt(ratio).logicalAnd(bases);
}

/**
 * The runs of each row are laid one after the other; a position's time is the step at which the first run
 * reaches it, and the mask is the bases of the earliest times. That equals taking them one by one.
 */
function spanMask(bases: torch.Tensor, ratio: number): torch.Tensor {
  const [rows, length] = bases.shape;
  const { device } = bases;
  const { shortest, longest } = spanLengths;
  const count = bases.sum(-1, true);
  const wanted = count.to("float64").mul(ratio).floor().to("int64");
  const starts = torch
    .rand([rows, spanAttempts], { device })
    .mul(count)
    .to("int64")
    .minimum(count.sub(1).clampMin(0));
  const order = bases.logicalNot().to("uint8").sort({ stable: true, dim: -1 })[1];
  const first = order.gather(1, starts).unsqueeze(-1);
  const lengths = torch.randint(shortest, longest + 1, [rows, spanAttempts, 1], { device });
  const offset = torch.arange(longest, { device });
  const reached = first.add(offset);
  const never = spanAttempts * longest;
  const time = torch.arange(never, { device }).view([1, spanAttempts, longest]);
  const inside = offset.lt(lengths).logicalAnd(reached.lt(length));
  const times = torch
    .full([rows, length], never, { dtype: "int64", device })
    .scatterReduce(
      1,
      reached.clampMax(length - 1).flatten(1),
      torch.where(inside, time, never).flatten(1),
      "amin",
    )
    .maskedFill(bases.logicalNot(), never);
  const last = times.sort(-1)[0].gather(1, wanted.sub(1).clampMin(0));
  return times.le(last).logicalAnd(times.lt(never)).logicalAnd(wanted.gt(0));
}

/**
 * How many positions of [rows, length] tokens a mask can have at most: exact for spans; for random masks a
 * bound that is passed less than once in 10^9 batches (mean and six standard deviations).
 */
export function maskCapacity(rows: number, length: number, ratio: number, strategy: MaskStrategy): number {
  const bases = length;
  if (strategy === "span") return rows * Math.floor(bases * ratio);
  const mean = rows * bases * ratio;
  return Math.min(rows * bases, Math.ceil(mean + 6 * Math.sqrt(mean * (1 - ratio)) + 6));
}

/** Places of a fixed number, found without waiting for the device. */
export interface Selection {
  /** [capacity] int64, flat; 0 where fewer were true. */
  readonly positions: torch.Tensor;
  /** [capacity] bool: which of the places are real. */
  readonly filled: torch.Tensor;
}

/** The flat positions at which `mask` is true, the first `capacity` of them. */
export function selectPositions(mask: torch.Tensor, capacity: number): Selection {
  const found = torch.ops.aten.nonzero_static(mask.flatten(), {
    size: capacity,
    fillValue: -1,
  }) as torch.Tensor;
  const positions = found.squeeze(1);
  return { positions: positions.clampMin(0), filled: positions.ge(0) };
}
