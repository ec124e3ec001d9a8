import * as torch from "../../torch/index.ts";

/** The parts of the loss, under the original AAM's names. */
export const lossTerms = ["target_loss", "count_loss", "unifrac_loss", "nuc_loss"] as const;
export type LossTerm = (typeof lossTerms)[number];

/** How much each part weighs; default 1. */
export type LossWeights = { readonly [term in LossTerm]?: number };

export type Losses = { readonly [term in LossTerm | "total_loss"]: torch.Tensor };

/**
 * The weighted sum of the parts that there are; the others are 0. A total without any part is 0 and requires
 * a gradient, so that `backward` works all the same.
 */
export function totalLoss(
  parts: { readonly [term in LossTerm]?: torch.Tensor | null },
  weights: LossWeights = {},
): Losses {
  const given = lossTerms.filter((term) => parts[term]);
  const first = given.map((term) => parts[term]!)[0];
  const zero = torch.zeros([], { device: first?.device ?? "cpu", requiresGrad: true });
  const weighted = given.map((term) => {
    const weight = weights[term] ?? 1;
    return weight === 1 ? parts[term]! : parts[term]!.mul(weight);
  });
  const total = weighted.length > 0 ? weighted.reduce((sum, part) => sum.add(part)) : zero.clone();
  const all = Object.fromEntries(lossTerms.map((term) => [term, parts[term] ?? zero]));
  return { ...all, total_loss: total } as Losses;
}
