/** What of `torch.nn.functional` looks up rows of a table: one by one, or bags of them at once. */
import { noGrad } from "../../autograd/modes.ts";
import type { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { ops as anyOp } from "../../dispatch/operators.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { arange, zeros } from "../../functions/creation.ts";
import { refuse, rowNumber, shown } from "./checks.ts";

export interface EmbeddingLookup {
  /** The row that gets no gradient. */
  readonly paddingIdx?: number | null;
  /**
   * Rows with a larger norm (of order `normType`, 2) are scaled down in the table itself before they are
   * looked up.
   */
  readonly maxNorm?: number | null;
  readonly normType?: number;
  /** Divide gradients by how often a row occurs in the batch. */
  readonly scaleGradByFreq?: boolean;
  /** The table's gradient holds only the rows that were looked up: for SparseAdam, SGD and Adagrad. */
  readonly sparse?: boolean;
}

/**
 * Rows of a table by integer: indices [...] and weight [rows, width] -> [..., width].
 * @throws RangeError for a `paddingIdx` outside the table.
 */
export function embedding(
  input: Tensor,
  weight: Tensor,
  {
    paddingIdx = null,
    maxNorm = null,
    normType = 2,
    scaleGradByFreq = false,
    sparse = false,
    ...others
  }: EmbeddingLookup = {},
): Tensor {
  refuseOthers("embedding", others, "paddingIdx, maxNorm, normType, scaleGradByFreq, sparse");
  const rows = weight.size(0);
  const padding = rowNumber("embedding", paddingIdx, rows);
  if (maxNorm !== null) renormalize(weight, input, maxNorm, normType);
  return ops.embedding(weight, input, padding ?? -1, scaleGradByFreq, sparse);
}

/** Scales the rows that are looked up down to a norm, in the table itself. */
function renormalize(weight: Tensor, input: Tensor, maxNorm: number, normType: number): void {
  tidy(() => {
    noGrad(() => anyOp.aten.embedding_renorm_(weight.detach(), input.contiguous(), maxNorm, normType));
  });
}

const modes = ["sum", "mean", "max"] as const;
export type BagMode = (typeof modes)[number];

export interface EmbeddingBagLookup extends EmbeddingLookup {
  /** Where each bag starts in a flat list of indices [n]; indices [bags, n] have none. */
  readonly offsets?: Tensor | null;
  /** What becomes of a bag's rows. Default "mean". */
  readonly mode?: BagMode;
  /** A factor for each index, of its shape; for mode "sum". */
  readonly perSampleWeights?: Tensor | null;
  /** `offsets` has one number more: the end of the last bag. */
  readonly includeLastOffset?: boolean;
}

/**
 * Sums, means or largest values of bags of rows, without the rows in between: indices [n] with offsets
 * [bags], or [bags, n], and weight [rows, width] -> [bags, width]. Rows of `paddingIdx` are left out; an
 * empty bag gives zeros.
 * @throws TorchError for shapes that do not fit, TypeError for options that do not go together.
 */
export function embeddingBag(input: Tensor, weight: Tensor, options: EmbeddingBagLookup = {}): Tensor {
  const {
    offsets = null,
    mode = "mean",
    perSampleWeights = null,
    includeLastOffset = false,
    paddingIdx = null,
    maxNorm = null,
    normType = 2,
    scaleGradByFreq = false,
    sparse = false,
    ...others
  } = options;
  refuseOthers(
    "embeddingBag",
    others,
    "offsets, mode, perSampleWeights, includeLastOffset, paddingIdx, maxNorm, normType, scaleGradByFreq, sparse",
  );
  if (!modes.includes(mode))
    throw new TypeError(`embeddingBag: mode must be one of ${modes.join(", ")}, got ${JSON.stringify(mode)}`);
  if (mode === "max" && scaleGradByFreq)
    throw new TypeError('embeddingBag: scaleGradByFreq does not go with mode "max"');
  if (mode === "max" && sparse) throw new TypeError('embeddingBag: sparse does not go with mode "max"');
  if (perSampleWeights && mode !== "sum")
    throw new TypeError(`embeddingBag: perSampleWeights goes with mode "sum", not "${mode}"`);
  if (perSampleWeights && shown(perSampleWeights.shape) !== shown(input.shape))
    refuse(
      "embeddingBag",
      `perSampleWeights has the shape ${shown(perSampleWeights.shape)}, the indices ${shown(input.shape)}`,
    );
  if (weight.ndim !== 2) refuse("embeddingBag", `takes a table [rows, width], got ${shown(weight.shape)}`);
  if (input.ndim !== 1 && input.ndim !== 2)
    refuse("embeddingBag", `takes indices [n] or [bags, n], got ${shown(input.shape)}`);
  if (input.ndim === 2 ? offsets !== null : offsets?.ndim !== 1)
    refuse(
      "embeddingBag",
      input.ndim === 2
        ? `indices ${shown(input.shape)} are bags already, so offsets must be left out`
        : `indices ${shown(input.shape)} need offsets [bags]`,
    );
  const padding = rowNumber("embeddingBag", paddingIdx, weight.size(0));
  if (maxNorm !== null) renormalize(weight, input, maxNorm, normType);
  return tidy(() => {
    const starts = offsets ?? startsOf(input);
    const [bags] = ops.embeddingBag(
      weight,
      input.reshape([-1]),
      starts,
      scaleGradByFreq,
      modes.indexOf(mode),
      sparse,
      perSampleWeights?.reshape([-1]) ?? null,
      includeLastOffset && offsets !== null,
      padding,
    );
    return bags;
  });
}

/** Where rows of indices [bags, n] start when they lie one after the other. */
function startsOf(input: Tensor): Tensor {
  const [bags, length] = input.shape;
  const like = { dtype: input.dtype, device: input.device };
  return length === 0 ? zeros([bags], like) : arange(0, bags * length, length, like);
}
