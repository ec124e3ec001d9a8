import type { Scalar } from "../core/dtype.ts";
import { type Index, type SliceIndex, Tensor } from "../core/tensor.ts";
import { operator } from "../dispatch/operators.ts";
import * as ops from "../dispatch/ops.gen.ts";
import { TorchError } from "../native/errors.ts";
import { tensor } from "./creation.ts";

const index = operator("aten::index", ["Tensor"], "at") as unknown as (
  self: Tensor,
  indices: (Tensor | null)[],
) => Tensor;

const isMask = (item: Tensor): boolean => item.dtype === "bool" || item.dtype === "uint8";

/** Dimensions that an index uses up. */
function consumes(item: Index): number {
  if (item === null || item === "..." || typeof item === "boolean") return 0;
  return item instanceof Tensor && isMask(item) ? item.ndim : 1;
}

interface BasicPart {
  readonly view: Tensor;
  readonly advanced: (Tensor | null)[];
  /** Frees what was made on the way. */
  dispose(): void;
}

/**
 * Applies numbers, slices, null and "..." as views; what needs copying (tensors, arrays) is left for `index`.
 */
function basicPart(self: Tensor, indices: readonly Index[]): BasicPart {
  const used = indices.reduce<number>((sum, item) => sum + consumes(item), 0);
  if (indices.filter((item) => item === "...").length > 1)
    throw new TorchError('at: "..." may stand only once', "index");
  if (used > self.ndim) {
    throw new TorchError(`at: ${used} indices for a tensor of ${self.ndim} dimensions`, "index");
  }
  let view = self;
  /** Views of views: the one before is not needed any more. */
  const narrowTo = (next: Tensor): void => {
    if (view !== self) view.dispose();
    view = next;
  };
  let dim = 0;
  const advanced: (Tensor | null)[] = [];
  let hasAdvanced = false;
  const temporary: Tensor[] = [];
  const made = (index: Tensor): Tensor => {
    temporary.push(index);
    return index;
  };
  const advance = (count: number) => {
    dim += count;
    for (let i = 0; i < count; i++) advanced.push(null);
  };
  for (const item of indices) {
    if (item === "...") advance(self.ndim - used);
    else if (item === null) {
      narrowTo(ops.unsqueeze(view, dim));
      advance(1);
    } else if (typeof item === "number") {
      narrowTo(ops.select(view, dim, item));
    } else if (typeof item === "boolean") {
      narrowTo(ops.unsqueeze(view, dim));
      advanced.push(made(tensor([item], { device: self.device })));
      hasAdvanced = true;
      dim++;
    } else if (item instanceof Tensor && item.ndim === 0 && isMask(item)) {
      // As `true` and `false`: a new dimension of size 1 or 0.
      narrowTo(ops.unsqueeze(view, dim));
      using mask = item.to("bool");
      advanced.push(made(mask.unsqueeze(0)));
      hasAdvanced = true;
      dim++;
    } else if (item instanceof Tensor) {
      advanced.push(item);
      hasAdvanced = true;
      dim += consumes(item);
    } else if (Array.isArray(item)) {
      advanced.push(made(tensor(item as number[], { dtype: "int64", device: self.device })));
      hasAdvanced = true;
      dim++;
    } else {
      const { start = null, stop = null, step = 1 } = item as SliceIndex;
      narrowTo(ops.slice(view, dim, start, stop, step));
      advance(1);
    }
  }
  const dispose = () => {
    if (view !== self) view.dispose();
    for (const index of temporary) index.dispose();
  };
  return { view, advanced: hasAdvanced ? advanced : [], dispose };
}

/**
 * Indexing as in PyTorch: `x.at(0)`, `x.at({}, 1)` for `x[:, 1]`, `x.at({ start: 1, stop: 5, step: 2 })`,
 * `x.at("...", 0)`, `x.at(null)` for a new dimension, `x.at(mask)`, `x.at([0, 2])`, `x.at(rows, columns)`.
 * Numbers and slices give views.
 */
export function at(self: Tensor, ...indices: Index[]): Tensor {
  const { view, advanced, dispose } = basicPart(self, indices);
  if (advanced.length === 0) return view === self ? ops.viewAs(view, view) : view;
  const picked = index(view, advanced);
  dispose();
  return picked;
}

/** Assigns to the part that `at` names: `x.setAt([{}, 1], 0)` is PyTorch's `x[:, 1] = 0`. Returns `self`. */
export function setAt(self: Tensor, indices: readonly Index[], values: Tensor | Scalar): Tensor {
  const { view, advanced, dispose } = basicPart(self, indices);
  const source =
    values instanceof Tensor ? values : tensor(values as number, { dtype: self.dtype, device: self.device });
  if (advanced.length > 0) ops.indexPut_(view, advanced, source);
  else ops.copy_(view, source);
  dispose();
  if (source !== values) source.dispose();
  return self;
}
