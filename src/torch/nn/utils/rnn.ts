/** `torch.nn.utils.rnn`: sequences of different lengths in one tensor. */
import { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { ops } from "../../dispatch/operators.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { tensor } from "../../functions/creation.ts";

/**
 * Sequences one step after the other, each step's values of those that are as long: what recurrent layers
 * compute without padding. Made by `packPaddedSequence` and `packSequence`.
 */
export class PackedSequence {
  constructor(
    /** [sum of lengths, ...]. */
    readonly data: Tensor,
    /** int64 on the CPU: how many sequences have each step. */
    readonly batchSizes: Tensor,
    /** Which sequence of the batch lies at each place, longest first; null where they were in that order. */
    readonly sortedIndices: Tensor | null = null,
    /** At which place each sequence lies. */
    readonly unsortedIndices: Tensor | null = null,
  ) {}

  /** The same packing with other values. @internal */
  withData(data: Tensor): PackedSequence {
    return new PackedSequence(data, this.batchSizes, this.sortedIndices, this.unsortedIndices);
  }
}

export interface PackOptions {
  /** [batch, length, ...] rather than [length, batch, ...]. */
  readonly batchFirst?: boolean;
  /** The sequences are in the order of their lengths, longest first; false sorts them. */
  readonly enforceSorted?: boolean;
}

/**
 * Packs padded sequences [length, batch, ...] of the given lengths (longest first).
 * @throws TorchError for lengths that are below 1, not sorted, or not as many as sequences.
 * @example const packed = nn.utils.rnn.packPaddedSequence(x, [5, 3, 2], { batchFirst: true });
 */
export function packPaddedSequence(
  input: Tensor,
  lengths: Tensor | readonly number[],
  { batchFirst = false, enforceSorted = true, ...others }: PackOptions = {},
): PackedSequence {
  refuseOthers("packPaddedSequence", others, "batchFirst, enforceSorted");
  const packed = tidy(() => {
    const counts =
      lengths instanceof Tensor
        ? lengths.to({ device: "cpu", dtype: "int64" })
        : tensor(lengths.map(BigInt), { dtype: "int64" });
    const pack = (values: Tensor, sorted: Tensor) =>
      ops.unsafe.aten._pack_padded_sequence(values, sorted, batchFirst) as [Tensor, Tensor];
    if (enforceSorted) return pack(input, counts);
    const [sorted, order] = counts.sort(-1, true);
    const indices = order.to(input.device);
    const [data, sizes] = pack(input.indexSelect(batchFirst ? 0 : 1, indices), sorted);
    return [data, sizes, indices, indices.argsort()];
  });
  return new PackedSequence(packed[0], packed[1], packed[2] ?? null, packed[3] ?? null);
}

export interface PadOptions {
  readonly batchFirst?: boolean;
  readonly paddingValue?: number;
  /** The length to pad to; that of the longest unless given. */
  readonly totalLength?: number | null;
}

/**
 * The other way round: padded sequences and their lengths (int64), in the order in which they were packed.
 * @throws RangeError for a shorter `totalLength`.
 */
export function padPackedSequence(
  packed: PackedSequence,
  { batchFirst = false, paddingValue = 0, totalLength = null, ...others }: PadOptions = {},
): [Tensor, Tensor] {
  refuseOthers("padPackedSequence", others, "batchFirst, paddingValue, totalLength");
  const longest = packed.batchSizes.size(0);
  if (totalLength !== null && totalLength < longest)
    throw new RangeError(
      `padPackedSequence: totalLength ${totalLength} is below the longest sequence's ${longest}`,
    );
  return tidy(() => {
    const [padded, lengths] = ops.unsafe.aten._pad_packed_sequence(
      packed.data,
      packed.batchSizes,
      batchFirst,
      paddingValue,
      totalLength ?? longest,
    ) as [Tensor, Tensor];
    const back = packed.unsortedIndices;
    if (!back) return [padded, lengths];
    return [padded.indexSelect(batchFirst ? 0 : 1, back), lengths.indexSelect(0, back.cpu())];
  });
}

export interface PadSequenceOptions {
  readonly batchFirst?: boolean;
  readonly paddingValue?: number;
  readonly paddingSide?: "left" | "right";
}

/**
 * Sequences [length, ...] of different lengths as one tensor, [longest, batch, ...] or [batch, longest, ...].
 */
export function padSequence(
  sequences: readonly Tensor[],
  { batchFirst = false, paddingValue = 0, paddingSide = "right", ...others }: PadSequenceOptions = {},
): Tensor {
  refuseOthers("padSequence", others, "batchFirst, paddingValue, paddingSide");
  return ops.aten.pad_sequence(sequences, batchFirst, paddingValue, paddingSide) as Tensor;
}

/** Packs sequences [length, ...]. */
export function packSequence(
  sequences: readonly Tensor[],
  { enforceSorted = true }: Omit<PackOptions, "batchFirst"> = {},
): PackedSequence {
  using padded = padSequence(sequences);
  return packPaddedSequence(
    padded,
    sequences.map((one) => one.size(0)),
    { enforceSorted },
  );
}

/** The sequences of a padded tensor, without their padding. */
export function unpadSequence(
  padded: Tensor,
  lengths: Tensor | readonly number[],
  { batchFirst = false }: { batchFirst?: boolean } = {},
): Tensor[] {
  const counts = lengths instanceof Tensor ? [...lengths.toFloat64Array()] : lengths;
  return tidy(() => counts.map((count, i) => padded.select(batchFirst ? 0 : 1, i).narrow(0, 0, count)));
}
