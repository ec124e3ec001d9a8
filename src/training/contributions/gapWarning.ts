import { readableNumber } from "../../display/numberText.ts";

/** Contributions that fail to add up to predictions by more than this share of the largest are warned of. */
export const toleratedGap = 1e-3;

/** @param of the predictor, or whose predictions they are. */
export function gapWarning(of: string, gap: number): string {
  return `The contributions of ASVs to ${of} fail to add up to its predictions by ${readableNumber(100 * gap, 2)} % of the largest: they are rough.`;
}
