import { readableNumber } from "../../display/numberText.ts";

/** Contributions that fail to add up to predictions by more than this share of the largest are warned of. */
export const toleratedGap = 1e-3;

/**
 * By how much contributions fail to add up to predictions, as a share of the largest difference between a
 * prediction and its base. Predictions that differ by rounding alone are no measure.
 * @param missing the most that a sum is off.
 * @param largest the largest of these differences.
 * @param size of the largest prediction.
 */
export function gapOf(missing: number, largest: number, size: number): number {
  return missing / (Math.max(largest, 1e-9 * size) || 1);
}

/** @param of the predictor, or whose predictions they are. */
export function gapWarning(of: string, gap: number): string {
  return `The contributions of ASVs to ${of} fail to add up to its predictions by ${readableNumber(100 * gap, 2)} % of the largest: they are rough.`;
}
