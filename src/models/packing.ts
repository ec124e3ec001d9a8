import * as torch from "../torch/index.ts";

/**
 * Where the filled positions of padded rows [n, T] are, known on the host: what needs no
 * padding can do without it.
 */
export interface Packing {
  /** [N] int64: the filled positions, flat, in their order. */
  readonly positions: torch.Tensor;
  /** Filled positions of each row. */
  readonly lengths: Int32Array;
  /** The rows as pairs: so many in succession of such a length. */
  readonly runs: readonly number[];
}

/**
 * The packing of values [rows, width] of which those that are 0 are empty. Null where none is, and where a
 * whole row is: what is computed for such a row rests on its empty positions.
 */
export function packingOf(values: ArrayLike<number>, rows: number, width: number): Packing | null {
  const positions = new BigInt64Array(values.length);
  const lengths = new Int32Array(rows);
  let filled = 0;
  for (let row = 0; row < rows; row++) {
    const before = filled;
    for (let at = row * width; at < (row + 1) * width; at++) {
      if (values[at] !== 0) positions[filled++] = BigInt(at);
    }
    lengths[row] = filled - before;
    if (filled === before) return null;
  }
  if (filled === values.length) return null;
  return { positions: torch.tensor(positions.slice(0, filled)), lengths, runs: runsOf(lengths) };
}

/** The packing for a device: null for all but the CPU, where padding costs less than leaving it out. */
export function packingOn(
  device: torch.Device,
  values: ArrayLike<number>,
  rows: number,
  width: number,
): Packing | null {
  return device === "cpu" ? packingOf(values, rows, width) : null;
}

/** The packing of rows `start` to `start + count` alone, of rows of `width`. */
export function slicePacking(packing: Packing, start: number, count: number, width: number): Packing {
  const sum = (lengths: Int32Array) => lengths.reduce((total, length) => total + length, 0);
  const lengths = packing.lengths.subarray(start, start + count);
  const before = sum(packing.lengths.subarray(0, start));
  const positions = packing.positions.narrow(0, before, sum(lengths)).sub(start * width);
  return { positions, lengths, runs: runsOf(lengths) };
}

/** Puts packed values [N, D] back to their places among `size` rows, zeros elsewhere. */
export function unpack(packed: torch.Tensor, packing: Packing, size: number): torch.Tensor {
  const empty = torch.zeros([size, packed.size(1)], { dtype: packed.dtype, device: packed.device });
  return empty.indexCopy(0, packing.positions, packed);
}

function runsOf(lengths: Int32Array): number[] {
  const runs: number[] = [];
  for (const length of lengths) {
    if (runs.length > 0 && runs[runs.length - 1] === length) runs[runs.length - 2]++;
    else runs.push(1, length);
  }
  return runs;
}
