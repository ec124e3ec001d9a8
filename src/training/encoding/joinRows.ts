import * as torch from "../../torch/index.ts";

/**
 * Joins parts [n, ...] of a result whose rows were computed in another order: row i of them
 * all belongs at `places[i]`.
 */
export function joinRows(parts: readonly torch.Tensor[], places: readonly number[]): torch.Tensor {
  const whole = torch.cat(parts);
  if (places.every((place, i) => place === i)) return whole;
  const rowAt = new BigInt64Array(places.length);
  places.forEach((place, i) => {
    rowAt[place] = BigInt(i);
  });
  return whole.indexSelect(0, torch.tensor(rowAt).to(whole.device));
}
