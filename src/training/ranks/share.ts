import * as torch from "../../torch/index.ts";

const { distributed } = torch;

/** This process among those that train together. */
export interface Share {
  readonly rank: number;
  /** At least 2. */
  readonly size: number;
}

/** Null where this process trains alone. */
export function currentShare(): Share | null {
  if (!distributed.isInitialized() || distributed.getWorldSize() === 1) return null;
  return { rank: distributed.getRank(), size: distributed.getWorldSize() };
}

/** Whether this process writes and shows: rank 0, or the only one. */
export function isMainRank(): boolean {
  return (currentShare()?.rank ?? 0) === 0;
}

/**
 * The part of `total` things in a row that a rank has; parts differ by one at most, and are empty
 * where there are too few.
 */
export function partOf(total: number, { rank, size }: Share): { from: number; to: number } {
  return { from: Math.floor((total * rank) / size), to: Math.floor((total * (rank + 1)) / size) };
}

/**
 * Rows that each rank computed of its own part (see `partOf`), [n, ...], as those of all ranks: [total, ...].
 * The rows of others are values; gradients go into one's own. These count `size` times, which the mean of
 * parameters' gradients over ranks divides by again: so a loss of all rows, computed by every rank, has its
 * exact gradient in that mean, and so has what lies behind this function, whose gradient is complete on every
 * rank. Where a part is empty, `own` may hold a row all the same.
 */
export function gatherRows(own: torch.Tensor, total: number, share: Share): torch.Tensor {
  const { rank, size } = share;
  const countOf = (other: number) => {
    const { from, to } = partOf(total, { rank: other, size });
    return to - from;
  };
  const most = Math.ceil(total / size);
  const mine = own.narrow(0, 0, countOf(rank));
  const all = torch.noGrad(() => {
    const [, ...rest] = own.shape;
    const { dtype, device } = own;
    const padded = torch.zeros([most, ...rest], { dtype, device });
    padded.narrow(0, 0, countOf(rank)).copy_(mine);
    const gathered = torch.empty([size * most, ...rest], { dtype, device });
    distributed.allGatherIntoTensor(gathered, padded);
    return gathered;
  });
  const parts = Array.from({ length: size }, (_, other) =>
    other === rank ? timesInGradient(mine, size) : all.narrow(0, other * most, countOf(other)),
  );
  const joined = torch.cat(parts);
  // Without a row of its own, a rank's loss is joined to its graph all the same.
  return countOf(rank) === 0 && own.requiresGrad ? joined.add(own.sum().mul(0)) : joined;
}

/** The value of a tensor, with `factor` times its gradient. */
export function timesInGradient(value: torch.Tensor, factor: number): torch.Tensor {
  return value.requiresGrad ? value.add(value.sub(value.detach()).mul(factor - 1)) : value;
}

/** The sums over ranks of some tensors of one element each; values without gradients. */
export function sumOverRanks(values: readonly torch.Tensor[]): torch.Tensor[] {
  return torch.noGrad(() => {
    const joined = torch.stack(values.map((value) => value.detach().reshape([]).to("float64")));
    distributed.allReduce(joined);
    return values.map((value, i) => joined.select(0, i).to(value.dtype));
  });
}

/** Numbers of rank 0, on all ranks, NaN and infinities included; the names must be the same everywhere. */
export function numbersOfRankZero(numbers: Record<string, number>): Record<string, number> {
  const names = Object.keys(numbers);
  return torch.tidy(() => {
    const values = torch.tensor(Float64Array.from(names, (name) => numbers[name]));
    if (names.length > 0) distributed.broadcast(values, 0);
    const settled = values.toFloat64Array();
    return Object.fromEntries(names.map((name, i) => [name, settled[i]]));
  });
}

/** Gives all ranks the parameters and buffers of rank 0. */
export function spreadWeights(model: torch.nn.Module): void {
  torch.noGrad(() =>
    torch.tidy(() => {
      for (const value of [...model.parameters(), ...model.buffers()]) {
        const dense = value.detach().contiguous();
        distributed.broadcast(dense, 0);
        value.copy_(dense);
      }
    }),
  );
}
