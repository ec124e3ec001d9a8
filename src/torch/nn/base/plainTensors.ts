/** Plain tensors where a module's parameters belong: PyTorch refuses them when they are assigned. */
import { TorchError } from "../../native/errors.ts";

/** By module: the names under which parameters were found when it was looked through. */
const parameterNames = new WeakMap<object, Set<string>>();
/** Classes of which every tensor is a parameter or a buffer. */
const knownClasses = new WeakSet<object>();
let swapped = 0;

/** Says that every tensor of these classes is a parameter or a buffer; what is no class is passed over. */
export function everyTensorIsState(classes: readonly unknown[]): void {
  for (const one of classes) if (typeof one === "function") knownClasses.add(one);
}

/** Remembers that a module has a parameter of this name. */
export function rememberParameter(module: object, name: string): void {
  const known = parameterNames.get(module);
  if (known) known.add(name);
  else parameterNames.set(module, new Set([name]));
}

/**
 * @throws TorchError for a plain tensor of a module where a parameter was before, or of a layer that has no
 * plain ones: it would neither be trained nor saved.
 */
export function refusePlainTensor(module: object, name: string): void {
  if (swapped > 0) return;
  if (!parameterNames.get(module)?.has(name) && !knownClasses.has(module.constructor)) return;
  throw new TorchError(
    `${module.constructor.name} has a plain tensor as ${name}, where a parameter belongs: it would neither be trained nor saved. Assign torch.nn.parameter(tensor) (or torch.nn.buffer(tensor)), or copy values into the parameter: torch.noGrad(() => layer.${name}.copy_(tensor)).`,
    "type",
  );
}

/** Runs `fn`, in which modules may have plain tensors instead of parameters. */
export function withPlainTensors<T>(fn: () => T): T {
  swapped++;
  try {
    return fn();
  } finally {
    swapped--;
  }
}
