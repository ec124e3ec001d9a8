import type * as torch from "../../torch/index.ts";

/**
 * Is told of every call of a module's `forward` in the order in which they end: inner
 * modules before outer ones.
 */
export type ForwardListener = (path: string, module: torch.nn.Module, result: unknown) => void;

/**
 * Calls `listener` after each forward call of a model and of all modules in it, until it is disposed. The
 * model itself has the path `""`. Layers whose weights their owner uses without calling them
 * (`self_attn`, say) do not appear.
 */
export function onForward(model: torch.nn.Module, listener: ForwardListener): Disposable {
  const hooked = new Map<torch.nn.Module, PropertyDescriptor | undefined>();
  for (const [path, module] of model.namedModules()) {
    if (hooked.has(module)) continue;
    hooked.set(module, Object.getOwnPropertyDescriptor(module, "forward"));
    const original = module.forward;
    Object.defineProperty(module, "forward", {
      configurable: true,
      enumerable: false,
      value(...args: never[]): unknown {
        const result = original.apply(module, args);
        listener(path, module, result);
        return result;
      },
    });
  }
  return {
    [Symbol.dispose]() {
      for (const [module, own] of hooked) {
        if (own) Object.defineProperty(module, "forward", own);
        else Reflect.deleteProperty(module, "forward");
      }
    },
  };
}
