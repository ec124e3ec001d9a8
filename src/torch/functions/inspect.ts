import { type DType, isComplexDtype, isFloat8Dtype, isFloatingDtype } from "../core/dtype.ts";
import { scope as openScope } from "../core/scope.ts";
import type { Tensor } from "../core/tensor.ts";
import { ops } from "../dispatch/operators.ts";
import { cat } from "../dispatch/ops.gen.ts";
import { fixedText, scientificText } from "./decimals.ts";
import { printOptions } from "./printOptions.ts";

const special = (value: number): string => (Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf");

/**
 * How the values of one tensor are written: all with the same width, chosen from the values that are shown.
 */
function floatTexts(values: readonly number[]): string[] {
  const finite = values.filter((value) => Number.isFinite(value) && value !== 0);
  const sizes = finite.map(Math.abs);
  const largest = sizes.reduce((most, size) => Math.max(most, size), 0);
  const smallest = sizes.reduce((least, size) => Math.min(least, size), Number.POSITIVE_INFINITY);
  const whole = finite.every(Number.isInteger);
  const { precision, sciMode } = printOptions;
  const bySize = largest / smallest > 1000 || largest > 1e8 || (!whole && smallest < 1e-4);
  const scientific = finite.length > 0 && (sciMode ?? bySize);
  const format = (value: number): string => {
    if (!Number.isFinite(value)) return special(value);
    if (scientific) return scientificText(value, precision);
    return whole ? `${fixedText(value, 0)}.` : fixedText(value, precision);
  };
  // Zeros and values that are not finite do not widen the columns.
  const width = finite.reduce((most, value) => Math.max(most, format(value).length), 1);
  return values.map((value) => format(value).padStart(width));
}

/**
 * The elements' texts, and how wide a column is: of complex numbers not all are as wide as the widest can be.
 */
function texts(tensor: Tensor): { items: string[]; width: number } {
  const items = isComplexDtype(tensor.dtype) ? null : plainTexts(tensor);
  if (items) return { items, width: items[0]?.length ?? 0 };
  const pairs = tensor.data() as Float64Array;
  const count = pairs.length / 2;
  const real = floatTexts(Array.from({ length: count }, (_, i) => pairs[2 * i]));
  const imaginary = floatTexts(Array.from({ length: count }, (_, i) => pairs[2 * i + 1]));
  const joined = real.map((text, i) => {
    const other = `${imaginary[i].trimStart()}j`;
    return text + (/^[+-]/.test(other) ? other : `+${other}`);
  });
  return { items: joined, width: real[0].length + imaginary[0].length + 1 };
}

function plainTexts(tensor: Tensor): string[] {
  const values = tensor.data();
  if (isFloatingDtype(tensor.dtype)) return floatTexts([...tensor.toFloat64Array()]);
  const isBool = tensor.dtype === "bool";
  const plain = Array.from(values as ArrayLike<number | bigint>, (value) =>
    isBool ? (value ? "True" : "False") : String(value),
  );
  const width = plain.reduce((most, text) => Math.max(most, text.length), 1);
  return plain.map((text) => text.padStart(width));
}

/** The values in rows and blocks; `summarize` leaves out the middle of long dimensions. */
function layout(
  { items, width: column }: { items: readonly string[]; width: number },
  shape: readonly number[],
  summarize: boolean,
  start = prefix.length,
): string {
  let at = 0;
  const isCut = (size: number) => summarize && size > 2 * printOptions.edgeitems;
  const build = (level: number, indent: number): string => {
    if (level === shape.length) return items[at++];
    const size = shape[level];
    const shown = isCut(size) ? 2 * printOptions.edgeitems : size;
    const parts = Array.from({ length: shown }, () => build(level + 1, indent + 1));
    const remaining = shape.length - level;
    if (remaining > 1) {
      if (isCut(size)) parts.splice(printOptions.edgeitems, 0, "...");
      return `[${parts.join(`,${"\n".repeat(remaining - 1)}${" ".repeat(indent + 1)}`)}]`;
    }
    const width = column + 2;
    if (isCut(size)) parts.splice(printOptions.edgeitems, 0, " ...");
    const perLine = Math.max(1, Math.floor((printOptions.linewidth - indent) / width));
    const lines: string[] = [];
    for (let i = 0; i < parts.length; i += perLine) lines.push(parts.slice(i, i + perLine).join(", "));
    return `[${lines.join(`,\n${" ".repeat(indent + 1)}`)}]`;
  };
  return build(0, start);
}

const prefix = "tensor(";
const sizeText = (shape: readonly number[]) => `size=(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
const signed: Partial<Record<DType, DType>> = { uint16: "int16", uint32: "int32", uint64: "int64" };

function withSuffixes(text: string, suffixes: readonly string[]): string {
  let whole = text;
  let lastLine = text.length - text.lastIndexOf("\n") + 1;
  for (const suffix of suffixes) {
    if (lastLine + suffix.length + 2 > printOptions.linewidth) {
      whole += `,\n${" ".repeat(prefix.length)}${suffix}`;
      lastLine = prefix.length + suffix.length;
    } else {
      whole += `, ${suffix}`;
      lastLine += suffix.length + 2;
    }
  }
  return `${whole})`;
}

/** The text that `console.log` shows: PyTorch's own, to the letter. */
export function inspectTensor(tensor: Tensor): string {
  if (tensor.isDisposed) return "tensor(disposed)";
  if (tensor.layout === "mkldnn") {
    using detached = tensor.detach();
    using dense = detached.toDense();
    return `${inspectTensor(dense).slice(0, -1)}, layout=torch._mkldnn)`;
  }
  if (tensor.layout !== "strided") return inspectSparse(tensor);
  const { shape, dtype, device, numel } = tensor;
  const size = sizeText(shape);
  const suffixes: string[] = [];
  if (device !== "cpu") suffixes.push(`device='${device}'`);
  let body = "...";
  if (device === "meta") suffixes.push(size);
  else if (numel === 0) {
    if (shape.length !== 1) suffixes.push(size);
    body = "[]";
  } else {
    const summarize = numel > printOptions.threshold;
    using detached = tensor.detach();
    const corners = summarize ? cornersOf(detached) : detached;
    body = layout(texts(corners), shape, summarize);
    if (corners !== detached) corners.dispose();
  }
  if (!isPlainDtype(dtype, numel)) suffixes.push(`dtype=torch.${dtype}`);
  const made = tensor.gradFn;
  if (made) suffixes.push(`grad_fn=<${made}>`);
  else if (tensor.requiresGrad) suffixes.push("requires_grad=True");
  return withSuffixes(prefix + body, suffixes);
}

/** Whether a dtype goes without saying. */
function isPlainDtype(dtype: DType, numel: number): boolean {
  return numel === 0 ? dtype === "float32" : ["float32", "complex64", "int64", "bool"].includes(dtype);
}

/** PyTorch's text of a sparse tensor: its parts as tensors, its size and how many elements are stored. */
function inspectSparse(tensor: Tensor): string {
  const { layout: kind, shape, dtype, device } = tensor;
  const aten = ops.unsafe["aten"] as unknown as Readonly<Record<string, (tensor: Tensor) => Tensor>>;
  const byColumn = kind === "sparse_csc" || kind === "sparse_bsc";
  const names =
    kind === "sparse_coo"
      ? (["indices", "values"] as const)
      : byColumn
        ? (["ccol_indices", "row_indices", "values"] as const)
        : (["crow_indices", "col_indices", "values"] as const);
  using _scope = openScope();
  const detached = tensor.detach();
  const parts = names.map((name) => aten[kind === "sparse_coo" ? `_${name}` : name](detached));
  const stored = parts[parts.length - 1];
  const nonzeros = kind === "sparse_coo" ? stored.size(0) : parts[1].size(-1);
  const lines = names.map((name, i) => {
    const part = parts[i];
    const head = `${name}=tensor(`;
    const summarize = part.numel > printOptions.threshold;
    const shown = summarize ? cornersOf(part) : part;
    const indent = prefix.length + head.length;
    const body = part.numel === 0 ? "[]" : layout(texts(shown), part.shape, summarize, indent);
    const extra = part.numel === 0 ? [sizeText(part.shape)] : [];
    return `${head}${[body, ...extra].join(", ")})`;
  });
  const suffixes = [sizeText(shape), `nnz=${nonzeros}`];
  if (device !== "cpu") suffixes.unshift(`device='${device}'`);
  if (!isPlainDtype(dtype, 1)) suffixes.push(`dtype=torch.${dtype}`);
  suffixes.push(`layout=torch.${kind}`);
  const made = tensor.gradFn;
  if (made) suffixes.push(`grad_fn=<${made}>`);
  else if (tensor.requiresGrad) suffixes.push("requires_grad=True");
  const newLine = `,\n${" ".repeat(prefix.length)}`;
  // With coordinates the first suffix begins a line.
  if (kind === "sparse_coo") lines.push(suffixes.shift() as string);
  return withSuffixes(prefix + lines.join(newLine), suffixes);
}

/** Only what is shown of a large tensor: the first and last elements of each long dimension. */
function cornersOf(tensor: Tensor): Tensor {
  // Few operators take floats of 8 bits and the wider unsigned integers, but all move bits of the same size.
  const { dtype } = tensor;
  let part = isFloat8Dtype(dtype)
    ? tensor.to("float32")
    : signed[dtype]
      ? tensor.view(signed[dtype])
      : tensor.detach();
  tensor.shape.forEach((size, dim) => {
    if (size <= 2 * printOptions.edgeitems) return;
    using whole = part;
    using first = whole.narrow(dim, 0, printOptions.edgeitems);
    using last = whole.narrow(dim, size - printOptions.edgeitems, printOptions.edgeitems);
    part = cat([first, last], dim);
  });
  if (!signed[dtype]) return part;
  using bits = part;
  return bits.view(dtype);
}
