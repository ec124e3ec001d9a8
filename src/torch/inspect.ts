import { type DType, isFloatingDtype } from "./dtype.ts";
import { cat } from "./ops.gen.ts";
import type { Tensor } from "./tensor.ts";

/** Larger tensors show this many items at either end of each dimension, as PyTorch does. */
const edgeItems = 3;
const threshold = 1000;

function formatter(values: readonly number[], dtype: DType): (value: number) => string {
  if (dtype === "bool") return (value) => (value ? "True" : "False");
  if (!isFloatingDtype(dtype)) return (value) => String(value);
  const finite = values.filter((value) => Number.isFinite(value) && value !== 0).map(Math.abs);
  const special = (value: number) => (Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf");
  const largest = Math.max(0, ...finite);
  const smallest = Math.min(Number.POSITIVE_INFINITY, ...finite);
  if (finite.every(Number.isInteger)) {
    return (value) => (Number.isFinite(value) ? `${value === 0 ? 0 : value}.` : special(value));
  }
  const scientific = largest / smallest > 1000 || largest > 1e8 || smallest < 1e-4;
  return (value) => {
    if (!Number.isFinite(value)) return special(value);
    return scientific ? value.toExponential(4).replace(/e([+-])(\d)$/, "e$10$2") : value.toFixed(4);
  };
}

/** Indices shown of a dimension; -1 stands for the dots. */
function shownIndices(size: number, summarize: boolean): number[] {
  if (!summarize || size <= 2 * edgeItems) return Array.from({ length: size }, (_, i) => i);
  const head = Array.from({ length: edgeItems }, (_, i) => i);
  return [...head, -1, ...head.map((i) => size - edgeItems + i)];
}

/** The text that `console.log` shows: values in PyTorch's layout, then shape, dtype, device where they are not the defaults. */
export function inspectTensor(tensor: Tensor): string {
  if (tensor.isDisposed) return "tensor(disposed)";
  const { shape, dtype, device, numel } = tensor;
  const facts: string[] = [];
  if (numel === 0) facts.push(`size=[${shape.join(", ")}]`);
  if (device !== "cpu") facts.push(`device='${device}'`);
  if (!["float32", "int64", "bool"].includes(dtype)) facts.push(`dtype=${dtype}`);
  if (tensor.requiresGrad) facts.push("requiresGrad=true");
  const tail = facts.length ? `, ${facts.join(", ")}` : "";
  if (numel === 0) return `tensor([]${tail})`;
  const summarize = numel > threshold;
  const picked = shape.map((size) => shownIndices(size, summarize));
  const values = summarize ? cornerValues(tensor, picked) : [...tensor.toFloat64Array()];
  const format = formatter(values, dtype);
  const texts = values.map(format);
  const width = Math.max(...texts.map((text) => text.length));
  let at = 0;
  const build = (level: number): string => {
    if (level === shape.length) return texts[at++].padStart(shape.length > 0 ? width : 0);
    const indent = " ".repeat(8 + level);
    const innermost = level === shape.length - 1;
    const items = picked[level].map((i) => (i < 0 ? "..." : build(level + 1)));
    if (!innermost) return `[${items.join(`,${"\n".repeat(shape.length - level - 1)}${indent}`)}]`;
    const perLine = Math.max(1, Math.floor((80 - 8 - level) / (width + 2)));
    const lines: string[] = [];
    for (let i = 0; i < items.length; i += perLine) lines.push(items.slice(i, i + perLine).join(", "));
    return `[${lines.join(`,\n${indent}`)}]`;
  };
  return `tensor(${build(0)}${tail})`;
}

/** Only the shown elements are copied from the tensor. */
function cornerValues(tensor: Tensor, picked: readonly number[][]): number[] {
  const kept: Tensor[] = [];
  let part = tensor.detach();
  kept.push(part);
  picked.forEach((indices, dim) => {
    const wanted = indices.filter((i) => i >= 0);
    if (wanted.length === part.size(dim)) return;
    const narrowed = [
      part.narrow(dim, 0, edgeItems),
      part.narrow(dim, part.size(dim) - edgeItems, edgeItems),
    ];
    kept.push(...narrowed);
    part = cat(narrowed, dim);
    kept.push(part);
  });
  const values = [...part.toFloat64Array()];
  for (const item of kept) item.dispose();
  return values;
}
