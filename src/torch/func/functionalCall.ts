import { Tensor } from "../core/tensor.ts";
import { stack } from "../dispatch/ops.gen.ts";
import type { Module } from "../nn/base/module.ts";
import { withPlainTensors } from "../nn/base/plainTensors.ts";

/** Tensors by the names of a state dict. */
export type NamedTensors = ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>;

interface Slot {
  readonly module: Record<string, unknown>;
  readonly key: string;
  readonly value: Tensor;
}

/** Where a module and those below keep their parameters and buffers, by name. */
function slotsOf(module: Module): Map<string, Slot> {
  const slots = new Map<string, Slot>();
  for (const [path, one] of module.namedModules()) {
    const names = (one.constructor as typeof Module).names;
    const holder = one as unknown as Record<string, unknown>;
    for (const key of Object.keys(holder)) {
      const value = holder[key];
      if (!(value instanceof Tensor)) continue;
      const name = Object.hasOwn(names, key) ? names[key] : key;
      slots.set(path ? `${path}.${name}` : name, { module: holder, key, value });
    }
  }
  return slots;
}

/**
 * Calls a module with other parameters and buffers, by name; those not named are its own. Where several
 * layers share one tensor, a replacement of one of its names counts for all. The module is as before
 * afterwards, also when it throws.
 *
 * @throws TypeError for a name that the module does not have.
 * @example
 * const loss = (weights: Map<string, torch.Tensor>, x: torch.Tensor) =>
 *   torch.func.functionalCall(model, weights, x).sum();
 * const gradients = torch.func.grad(loss)(new Map(model.namedParameters()), x);
 */
export function functionalCall<M extends Module>(
  module: M,
  values: NamedTensors | readonly NamedTensors[],
  ...args: Parameters<M["forward"]>
): ReturnType<M["forward"]> {
  const groups = (Array.isArray(values) ? values : [values]) as readonly NamedTensors[];
  const slots = slotsOf(module);
  const replaced = new Map<Tensor, Tensor>();
  for (const group of groups) {
    for (const [name, tensor] of group instanceof Map ? group : Object.entries(group)) {
      const slot = slots.get(name);
      if (!slot)
        throw new TypeError(`functionalCall: ${module.constructor.name} has no parameter or buffer ${name}`);
      replaced.set(slot.value, tensor);
    }
  }
  try {
    for (const { module: holder, key, value } of slots.values()) {
      const other = replaced.get(value);
      if (other) holder[key] = other;
    }
    const forward = module.forward as (...all: unknown[]) => unknown;
    return withPlainTensors(() => forward.apply(module, args)) as ReturnType<M["forward"]>;
  } finally {
    for (const { module: holder, key, value } of slots.values()) holder[key] = value;
  }
}

/**
 * The parameters and buffers of models of the same structure, each stacked along a new first dimension: for
 * `vmap` over an ensemble.
 */
export function stackModuleState(
  models: readonly Module[],
): [parameters: Map<string, Tensor>, buffers: Map<string, Tensor>] {
  if (models.length === 0) throw new TypeError("stackModuleState: there are no models");
  const stacked = (maps: readonly Map<string, Tensor>[], leaf: boolean) =>
    new Map(
      [...maps[0].keys()].map((name) => {
        const parts = maps.map((map) => map.get(name)?.detach());
        if (parts.some((part) => part === undefined))
          throw new TypeError(`stackModuleState: not all models have ${name}`);
        return [name, stack(parts as Tensor[]).requiresGrad_(leaf)];
      }),
    );
  return [
    stacked(
      models.map((model) => new Map(model.namedParameters())),
      true,
    ),
    stacked(
      models.map((model) => new Map(model.namedBuffers())),
      false,
    ),
  ];
}
