import * as torch from "../../torch/index.ts";

export type CountEmbeddingMethod = "add" | "concat" | "film";
export const countEmbeddingMethods: readonly CountEmbeddingMethod[] = ["add", "concat", "film"];

/** The layers that bring an ASV's abundance into its embedding; their owner names them in its state. */
export interface CountLayers {
  readonly embed: torch.nn.Linear | null;
  readonly project: torch.nn.Linear | null;
  readonly film: torch.nn.Linear | null;
}

/** @throws RangeError for an unknown method. */
export function makeCountLayers(method: CountEmbeddingMethod | null, dim: number): CountLayers {
  if (method !== null && !countEmbeddingMethods.includes(method)) {
    throw new RangeError(
      `Unknown count embedding "${method}"; expected ${countEmbeddingMethods.join(", ")} or none.`,
    );
  }
  const { Linear } = torch.nn;
  return {
    embed: method === "add" || method === "concat" ? new Linear(1, dim) : null,
    project: method === "concat" ? new Linear(2 * dim, dim) : null,
    film: method === "film" ? new Linear(1, 2 * dim) : null,
  };
}

/**
 * Embeddings [B, S, D] changed by log(1 + count) of counts [B, S]: by adding, by a joint
 * projection, or by scale and shift.
 */
export function embedCounts(layers: CountLayers, asvs: torch.Tensor, counts: torch.Tensor): torch.Tensor {
  const logCounts = counts.log1p().unsqueeze(-1).to(asvs.dtype);
  if (layers.film) {
    const [scale, shift] = layers.film.forward(logCounts).chunk(2, -1);
    return asvs.mul(scale.add(1)).add(shift);
  }
  const embedded = layers.embed!.forward(logCounts);
  return layers.project ? layers.project.forward(torch.cat([asvs, embedded], -1)) : asvs.add(embedded);
}
