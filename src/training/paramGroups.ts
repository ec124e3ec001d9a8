import * as torch from "../torch/index.ts";

/** Parameters with settings of their own, as the optimizers take them. */
export interface NamedGroup {
  name: string;
  params: torch.Tensor[];
  weightDecay: number;
}

/**
 * Splits a model's trainable parameters into those that decay (weight matrices) and those that do not: norms, biases and embedding
 * tables, whose size says nothing about overfitting.
 */
export function decayGroups(model: torch.nn.Module, weightDecay: number): NamedGroup[] {
  const plain = new Set<torch.Tensor>();
  for (const module of model.modules()) {
    if (module instanceof torch.nn.Embedding) plain.add(module.weight);
  }
  const trainable = model.parameters().filter((value) => value.requiresGrad);
  const decays = (value: torch.Tensor) => value.ndim >= 2 && !plain.has(value);
  return [
    { name: "decay", params: trainable.filter(decays), weightDecay },
    { name: "no_decay", params: trainable.filter((value) => !decays(value)), weightDecay: 0 },
  ].filter((group) => group.params.length > 0);
}
