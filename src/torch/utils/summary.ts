import type { RemovableHandle } from "../autograd/hooks.ts";
import { noGrad } from "../autograd/modes.ts";
import type { Tensor } from "../core/tensor.ts";
import { tidy } from "../core/tidy.ts";
import { tensorsIn } from "../func/tree.ts";
import type { Module } from "../nn/base/module.ts";

/** One layer of a module, as a forward pass met it. */
export interface LayerSummary {
  /** Its path; empty for the module itself. */
  readonly name: string;
  readonly type: string;
  /** The shapes of the tensors that it was called with and gave; empty if it was not called. */
  readonly inputShapes: readonly (readonly number[])[];
  readonly outputShapes: readonly (readonly number[])[];
  /** Its own parameters, without those below it. */
  readonly parameters: number;
  readonly trainable: number;
}

export interface ModuleSummary {
  readonly layers: readonly LayerSummary[];
  readonly parameters: number;
  readonly trainable: number;
  /** Bytes of all parameters and buffers. */
  readonly bytes: number;
  toString(): string;
}

const shapeText = (shapes: LayerSummary["inputShapes"]) =>
  shapes.map((shape) => `[${shape.join(", ")}]`).join(" ") || "-";

/**
 * A module's layers with the shapes of what goes in and out and their numbers of parameters, from one forward
 * pass (in evaluation mode, without gradients) with the given arguments. Printed, it is a table.
 * @example
 * console.log(String(torch.utils.summary(model, torch.zeros([1, 3, 32, 32]))));
 */
export function summary<M extends Module>(module: M, ...args: Parameters<M["forward"]>): ModuleSummary {
  const modules = [...module.namedModules()];
  const seen = new Map<Module, { inputs: number[][]; outputs: number[][] }>();
  const handles: RemovableHandle[] = [];
  const modes = modules.map(([, one]) => one.training);
  const shapes = (value: unknown) => tensorsIn(value).map((tensor) => tensor.shape);
  try {
    for (const [, one] of modules)
      handles.push(
        one.registerForwardHook((_, given, output) => {
          if (!seen.has(one)) seen.set(one, { inputs: shapes(given), outputs: shapes(output) });
        }),
      );
    module.eval();
    tidy(() => noGrad(() => void (module.forward as (...all: unknown[]) => unknown)(...args)));
  } finally {
    for (const handle of handles) handle.remove();
    modules.forEach(([, one], i) => {
      one.training = modes[i];
    });
  }
  const counted = new Set<Tensor>();
  const layers = modules.map(([name, one]): LayerSummary => {
    const below = new Set(one.children().flatMap((child) => child.parameters()));
    const own = one.parameters().filter((value) => !below.has(value) && !counted.has(value));
    for (const value of own) counted.add(value);
    const sum = (values: readonly Tensor[]) => values.reduce((total, value) => total + value.numel, 0);
    const found = seen.get(one);
    return {
      name,
      type: one.constructor.name,
      inputShapes: found?.inputs ?? [],
      outputShapes: found?.outputs ?? [],
      parameters: sum(own),
      trainable: sum(own.filter((value) => value.requiresGrad)),
    };
  });
  const total = (part: (layer: LayerSummary) => number) =>
    layers.reduce((sum, layer) => sum + part(layer), 0);
  const parameters = total((layer) => layer.parameters);
  const trainable = total((layer) => layer.trainable);
  const bytes = [...module.parameters(), ...module.buffers()].reduce((sum, value) => sum + value.nbytes, 0);
  return {
    layers,
    parameters,
    trainable,
    bytes,
    toString() {
      const rows = layers.map((layer) => [
        `${"  ".repeat(layer.name === "" ? 0 : layer.name.split(".").length)}${layer.type}${
          layer.name ? ` (${layer.name})` : ""
        }`,
        shapeText(layer.inputShapes),
        shapeText(layer.outputShapes),
        layer.parameters.toLocaleString("en-US"),
      ]);
      const head = ["Layer", "Input", "Output", "Parameters"];
      const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
      const line = (row: readonly string[]) =>
        row
          .map((cell, i) => (i === 3 ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
          .join("  ")
          .trimEnd();
      const rule = "-".repeat(widths.reduce((sum, width) => sum + width + 2, -2));
      const count = (value: number) => value.toLocaleString("en-US");
      return [
        ...[line(head), rule, ...rows.map(line), rule],
        `${count(parameters)} parameters, ${count(trainable)} of them trainable, ${(bytes / 2 ** 20).toFixed(2)} MiB`,
      ].join("\n");
    },
  };
}
