/**
 * What PyTorch checks in Python before it calls an operator; LibTorch would compute
 * something else in silence.
 */
import type { Tensor } from "../../core/tensor.ts";
import { warn } from "../../core/warn.ts";
import { broadcastTensors } from "../../dispatch/ops.gen.ts";
import { TorchError } from "../../native/errors.ts";

/** A shape as texts show it. */
export const shown = (shape: readonly number[]): string => `[${shape.join(", ")}]`;

/** @throws TorchError of the kind "value". */
export function refuse(name: string, what: string): never {
  throw new TorchError(`${name}: ${what}`, "value");
}

export function sameShape(a: Tensor, b: Tensor): boolean {
  const [x, y] = [a.shape, b.shape];
  return x.length === y.length && x.every((size, i) => size === y[i]);
}

/** @throws TorchError unless both have the same shape. */
export function needSameShape(name: string, input: Tensor, target: Tensor): void {
  if (!sameShape(input, target))
    refuse(
      name,
      `the target has the shape ${shown(target.shape)}, the input ${shown(input.shape)}; they must be the same`,
    );
}

/**
 * Input and target in one shape; with a warning where a loss would pair every element of
 * one with many of the other.
 */
export function broadcast(name: string, input: Tensor, target: Tensor): [Tensor, Tensor] {
  if (sameShape(input, target)) return [input, target];
  warn(
    `${name}: the target has the shape ${shown(target.shape)}, the input ${shown(input.shape)}: they are broadcast, which is seldom what is meant; give them the same shape`,
  );
  return broadcastTensors([input, target]) as [Tensor, Tensor];
}

/** @throws RangeError unless a probability lies between 0 and 1. */
export function needProbability(name: string, p: number): void {
  if (!(p >= 0 && p <= 1))
    throw new RangeError(`${name}: the probability must lie between 0 and 1, got ${p}`);
}

/**
 * @throws TorchError for [N, C, ...] that would be normalized over a single value: its
 * variance is 0 or no number.
 */
export function needSeveralValues(name: string, perChannel: number, shape: readonly number[]): void {
  if (perChannel === 1)
    refuse(
      name,
      `expected more than 1 value per channel when training, got an input of shape ${shown(shape)}; leave out the last, smaller batch (dropLast) or call eval()`,
    );
}

/** The product of sizes. */
export const product = (sizes: readonly number[]): number => sizes.reduce((all, size) => all * size, 1);

/** A row counted from the end too. @throws RangeError outside the table. */
export function rowNumber(name: string, row: number | null | undefined, rows: number): number | null {
  if (row === null || row === undefined) return null;
  if (!Number.isInteger(row) || row < -rows || row >= rows)
    throw new RangeError(`${name}: paddingIdx ${row} is outside the table of ${rows} rows`);
  return row < 0 ? rows + row : row;
}
