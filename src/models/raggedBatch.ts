import * as torch from "../torch/index.ts";
import { type Packing, packingOf } from "./packing.ts";

/**
 * B samples as tensors, each of the U distinct ASVs once. The flags are what is known of the values
 * on the host, so that no mask is made where none is needed and nothing waits for the device;
 * `true` is always allowed.
 */
export interface RaggedBatch {
  /** [U, L] uint8 or int64; 0 is padding or an unknown base. No row is all 0. */
  readonly asvTokens: torch.Tensor;
  /** [U, W] int32 each: words of ASVs as those of `AsvCodes.compared` number them, where known already. */
  readonly asvWords?: readonly torch.Tensor[];
  /** [U] int64: columns of ASVs that `AsvBlocks` knows, 0 of others, where known already. */
  readonly asvColumns?: torch.Tensor;
  /** [B, S] int64: 1 + the row of `asvTokens`, 0 where a slot is empty. */
  readonly asvIndex: torch.Tensor;
  /** [B, S] float32; 0 where a slot is empty. */
  readonly counts: torch.Tensor;
  /** [U] float32: how many slots hold the ASV. */
  readonly multiplicity: torch.Tensor;
  /** Whether `asvTokens` has a 0. */
  readonly hasAsvPadding: boolean;
  /** Whether `asvIndex` has a 0. */
  readonly hasSamplePadding: boolean;
  /** The padding of both in numbers, where the host has them: computing then leaves it out. */
  readonly asvPacking?: Packing | null;
  readonly samplePacking?: Packing | null;
}

/** A dense batch in ragged form, with what is needed to spread results over the dense form again. */
export interface RaggedFromDense extends RaggedBatch {
  /** [U, L] bool: which positions are masked; null where the dense batch named none. */
  readonly mask: torch.Tensor | null;
}

/**
 * The ragged form of tokens [B, S, L] padded with all-zero rows, counts [B, S] or [B, S, 1] (default 0) and
 * perhaps a mask [B, S, L] bool of the positions to hide. Rows with equal tokens and equal masks become
 * one. Reads the values on the host: for comparisons and tests, not for training. Slots stay where they
 * are, also behind empty ones.
 */
export function denseToRagged(
  tokens: torch.Tensor,
  counts: torch.Tensor | null = null,
  mask: torch.Tensor | null = null,
): RaggedFromDense {
  const [samples, slots, length] = tokens.shape;
  const values = Uint8Array.from(tokens.toFloat64Array());
  const masked = mask ? Uint8Array.from(mask.toFloat64Array()) : null;
  const rowOf = new Map<string, number>();
  const starts: number[] = [];
  const multiplicity: number[] = [];
  const index = new BigInt64Array(samples * slots);
  for (let slot = 0; slot < index.length; slot++) {
    const start = slot * length;
    const row = values.subarray(start, start + length);
    if (row.every((token) => token === 0)) continue;
    const key = `${row.join()} ${masked?.subarray(start, start + length).join() ?? ""}`;
    let number = rowOf.get(key);
    if (number === undefined) {
      number = starts.push(start);
      rowOf.set(key, number);
      multiplicity.push(0);
    }
    multiplicity[number - 1]++;
    index[slot] = BigInt(number);
  }
  const distinct = new Uint8Array(starts.length * length);
  const distinctMask = masked && new Uint8Array(distinct.length);
  starts.forEach((start, row) => {
    distinct.set(values.subarray(start, start + length), row * length);
    distinctMask?.set(masked!.subarray(start, start + length), row * length);
  });
  const shape = [starts.length, length];
  return {
    asvTokens: torch.tensor(distinct, { shape, dtype: "int64" }),
    asvIndex: torch.tensor(index, { shape: [samples, slots] }),
    counts: counts?.reshape([samples, slots]) ?? torch.zeros([samples, slots]),
    multiplicity: torch.tensor(Float32Array.from(multiplicity)),
    hasAsvPadding: distinct.includes(0),
    hasSamplePadding: index.includes(0n),
    asvPacking: packingOf(distinct, starts.length, length),
    samplePacking: packingOf(Float64Array.from(index, Number), samples, slots),
    mask: distinctMask && torch.tensor(distinctMask, { shape, dtype: "bool" }),
  };
}
