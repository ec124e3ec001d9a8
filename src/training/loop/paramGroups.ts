import * as torch from "../../torch/index.ts";

/** Parameters with settings of their own, as the optimizers take them. */
export interface NamedGroup {
  readonly name: string;
  readonly params: torch.Tensor[];
  readonly weightDecay: number;
  readonly lr?: number;
}

export interface GroupOptions {
  readonly weightDecay: number;
  /** Decay norms, biases and embeddings too. Default false. */
  readonly decayAll?: boolean;
  /** Own learning rate of what processes categories; null for that of all. */
  readonly categoricalRate?: number | null;
}

/** Parts of a predictor that process categories. */
const categoricalParts = [
  "categorical_embedder",
  "categorical_projection",
  "gmu",
  "cross_attn_fusion",
  "perceiver_fusion",
  "output_scales",
  "output_biases",
];

const categoricalPrefix = "categorical_";

/** Is a group one of those that have the categories' own learning rate? */
export function isCategorical(group: { name?: string }): boolean {
  return group.name?.startsWith(categoricalPrefix) ?? false;
}

/**
 * Splits a model's trainable parameters into those that decay (weight matrices) and those that do not: norms,
 * biases and embedding tables, whose size says nothing about overfitting; and by learning rate, where
 * categories have one of their own.
 */
export function parameterGroups(model: torch.nn.Module, options: GroupOptions): NamedGroup[] {
  const { weightDecay, decayAll = false, categoricalRate = null } = options;
  const plain = new Set<torch.Tensor>();
  for (const module of model.modules()) {
    if (module instanceof torch.nn.Embedding) plain.add(module.weight);
  }
  const groups = new Map<string, NamedGroup>();
  for (const [path, value] of model.namedParameters()) {
    if (!value.requiresGrad) continue;
    const decays = decayAll || (value.ndim >= 2 && !plain.has(value));
    const ofCategories = categoricalRate !== null && categoricalParts.includes(path.split(".")[0]);
    const name = `${ofCategories ? categoricalPrefix : ""}${decays ? "decay" : "no_decay"}`;
    const group = groups.get(name) ?? {
      name,
      params: [],
      weightDecay: decays ? weightDecay : 0,
      ...(ofCategories && { lr: categoricalRate }),
    };
    group.params.push(value);
    groups.set(name, group);
  }
  return [...groups.values()];
}

/** The optimizer of a configuration; where `sharded`, its state is divided among the ranks. */
export function makeOptimizer(
  groups: readonly NamedGroup[],
  options: { optimizer: "adamw" | "adam" | "sgd"; lr: number; momentum: number },
  { sharded = false }: { sharded?: boolean } = {},
): torch.optim.Optimizer<{ lr: number }> {
  const { optimizer, lr, momentum } = options;
  const { ZeroRedundancyOptimizer } = torch.distributed.optim;
  if (optimizer === "sgd") {
    const { SGD } = torch.optim;
    return sharded
      ? new ZeroRedundancyOptimizer(groups, SGD, { lr, momentum })
      : new SGD(groups, { lr, momentum });
  }
  const Adam = optimizer === "adam" ? torch.optim.Adam : torch.optim.AdamW;
  return sharded ? new ZeroRedundancyOptimizer(groups, Adam, { lr }) : new Adam(groups, { lr });
}
