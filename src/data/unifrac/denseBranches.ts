import * as torch from "../../torch/index.ts";
import type { BranchWalker } from "./branchWalker.ts";
import type { MetricForm } from "./metrics.ts";

/**
 * The amounts of the dense branches; for presence the square root of the branch's
 * length where a sample has it.
 */
export interface DenseData {
  /** A tensor `[branches, samples]`: see `Tensor.transfer` for how another thread gets at it. */
  readonly amounts: torch.Tensor;
  readonly lengths: Float64Array;
}

export interface DenseOptions {
  readonly form: MetricForm;
  readonly device: torch.Device;
  readonly precision: "float32" | "float64";
}

/** Samples that are handed over to the device together. */
const samplesPerUpload = 1024;

/**
 * Fills the matrix of the dense branches on its device, sample by sample, without a
 * second copy of it on the host.
 */
export class DenseBuilder {
  readonly #options: DenseOptions;
  readonly #samples: number;
  readonly #columnOf: Int32Array;
  readonly #lengths: Float64Array;
  readonly #tensor: torch.Tensor;
  #part: Float32Array | Float64Array;
  #from = 0;

  constructor(samples: number, walker: BranchWalker, branches: readonly number[], options: DenseOptions) {
    const { device, precision } = options;
    this.#options = options;
    this.#samples = samples;
    this.#columnOf = new Int32Array(walker.nodes).fill(-1);
    branches.forEach((branch, column) => {
      this.#columnOf[branch] = column;
    });
    this.#lengths = Float64Array.from(branches, (branch) => walker.length[branch]);
    const size = branches.length * Math.min(samples, samplesPerUpload);
    this.#part = precision === "float64" ? new Float64Array(size) : new Float32Array(size);
    this.#tensor = torch.empty([branches.length, samples], { dtype: precision, device }).detachFromScope();
  }

  /** Adds a sample, in ascending order, from the walker's place; `amounts` are those of its branches. */
  add(sample: number, { branches, size }: BranchWalker, amounts: Float64Array): void {
    while (sample >= this.#from + samplesPerUpload) this.#upload();
    const { isPresence } = this.#options.form;
    const width = this.#width();
    const offset = sample - this.#from;
    for (let k = 0; k < size; k++) {
      const column = this.#columnOf[branches[k]];
      if (column < 0) continue;
      this.#part[column * width + offset] = isPresence ? Math.sqrt(this.#lengths[column]) : amounts[k];
    }
  }

  finish(): DenseData {
    while (this.#from < this.#samples) this.#upload();
    return { amounts: this.#tensor, lengths: this.#lengths };
  }

  #width(): number {
    return Math.min(samplesPerUpload, this.#samples - this.#from);
  }

  #upload(): void {
    using _temporaries = torch.scope();
    const width = this.#width();
    const shape = [this.#lengths.length, width];
    const part = this.#part.subarray(0, this.#lengths.length * width);
    this.#tensor.narrow(1, this.#from, width).copy_(torch.tensor(part, { shape }));
    this.#part.fill(0);
    this.#from += width;
  }
}

/**
 * Sums of `MetricForm` over the dense branches for some rows and all samples from the first
 * of these on, row by row.
 */
export interface DenseSums {
  readonly low: Float32Array | Float64Array;
  /** Only for forms whose `high` does not follow from `low`. */
  readonly high: Float32Array | Float64Array | undefined;
}

/** Columns that are computed at once: on a CPU so many that the sums of 128 rows stay in a core's cache. */
const columnsPerTile = { cpu: 2048, accelerator: 1 << 15 };

/**
 * The dense branches' part of the distances of the samples `from` .. `to` to all from `from` on, as
 * matrix work: a matrix product for presence, else branch by branch a few elementwise operations into
 * sums that stay in the cache.
 */
export function denseSums(dense: DenseData, form: MetricForm, from: number, to: number): DenseSums {
  using _temporaries = torch.scope();
  const samples = dense.amounts.size(1);
  const width = samples - from;
  if (form.isPresence) {
    const rows = dense.amounts.narrow(1, from, to - from).t();
    return { low: read(rows.matmul(dense.amounts.narrow(1, from, width))), high: undefined };
  }
  const isDouble = dense.amounts.dtype === "float64";
  const make = () =>
    isDouble ? new Float64Array((to - from) * width) : new Float32Array((to - from) * width);
  const sums = { low: make(), high: form.exponent === 0 ? undefined : make() };
  const step = dense.amounts.device === "cpu" ? columnsPerTile.cpu : columnsPerTile.accelerator;
  for (let start = from; start < samples; start += step) {
    using _tile = torch.scope();
    const end = Math.min(samples, start + step);
    const tile = tileSums(dense, form, [from, to], [start, end]);
    place(read(tile.low), sums.low, end - start, start - from, width);
    if (tile.high && sums.high) place(read(tile.high), sums.high, end - start, start - from, width);
  }
  return sums;
}

type Range = readonly [start: number, end: number];

function tileSums({ amounts, lengths }: DenseData, { exponent }: MetricForm, rows: Range, columns: Range) {
  const part = ([start, end]: Range) => amounts.narrow(1, start, end - start);
  // One column of rows and one row of columns for each branch, which broadcast to all pairs.
  const ofRows = part(rows).unsqueeze(2).unbind(0);
  const ofColumns = part(columns).unsqueeze(1).unbind(0);
  const { dtype, device } = amounts;
  const low = torch.zeros([rows[1] - rows[0], columns[1] - columns[0]], { dtype, device });
  const high = exponent === 0 ? undefined : torch.zerosLike(low);
  for (let branch = 0; branch < lengths.length; branch++) {
    using _temporaries = torch.scope();
    const value = lengths[branch];
    const [x, y] = [ofRows[branch], ofColumns[branch]];
    if (!high) {
      low.add_(torch.minimum(x, y), { alpha: value });
      continue;
    }
    // A branch that neither sample has weighs nothing.
    const weight = powerInPlace(x.add(y), exponent).nanToNum_(0, 0, 0);
    low.addcmul_(torch.minimum(x, y), weight, { value });
    high.addcmul_(torch.maximum(x, y), weight, { value });
  }
  return { low, high };
}

function powerInPlace(sums: torch.Tensor, exponent: number): torch.Tensor {
  if (exponent === -0.5) return sums.rsqrt_();
  if (exponent === -1) return sums.reciprocal_();
  return sums.pow_(exponent);
}

/** Puts the rows of a tile into those of all sums, from a column on. */
function place(
  tile: Float32Array | Float64Array,
  sums: Float32Array | Float64Array,
  tileWidth: number,
  column: number,
  width: number,
): void {
  if (tileWidth === width) {
    sums.set(tile);
    return;
  }
  for (let row = 0; row * width < sums.length; row++) {
    sums.set(tile.subarray(row * tileWidth, (row + 1) * tileWidth), row * width + column);
  }
}

function read(values: torch.Tensor): Float32Array | Float64Array {
  return values.contiguous().data() as Float32Array | Float64Array;
}
