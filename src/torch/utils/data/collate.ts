import { Tensor } from "../../core/tensor.ts";
import { stack } from "../../dispatch/ops.gen.ts";
import { mapTensors } from "../../func/tree.ts";
import { type NestedInput, tensor } from "../../functions/creation.ts";
import type { Batched } from "./dataset.ts";

const kindOf = (value: unknown): string => {
  if (value instanceof Tensor) return "a tensor";
  if (value === null) return "null";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === "object" ? `a ${value.constructor?.name ?? "object"}` : `a ${typeof value}`;
};

/**
 * One batch of several examples: tensors are stacked, numbers, bigints and booleans become a tensor (float32,
 * int64, bool), texts a list; arrays, Maps and objects are collated part by part.
 * @throws TypeError for other values and for examples that differ in structure.
 */
export function defaultCollate<Example>(examples: readonly Example[]): Batched<Example> {
  return collate(examples, "the example") as Batched<Example>;
}

function collate(examples: readonly unknown[], path: string): unknown {
  const first = examples[0];
  const differs = (other: unknown) =>
    new TypeError(
      `defaultCollate: ${path} is ${kindOf(first)} in one example and ${kindOf(other)} in another`,
    );
  const all = (test: (value: unknown) => boolean): void => {
    const other = examples.find((value) => !test(value));
    if (other !== undefined || !examples.every(test)) throw differs(other);
  };
  if (first instanceof Tensor) {
    all((value) => value instanceof Tensor);
    return stack(examples as Tensor[]);
  }
  if (typeof first === "number" || typeof first === "bigint" || typeof first === "boolean") {
    all((value) => typeof value === typeof first);
    return tensor(examples as NestedInput);
  }
  if (typeof first === "string") {
    all((value) => typeof value === "string");
    return [...examples];
  }
  if (Array.isArray(first)) {
    all((value) => Array.isArray(value) && value.length === first.length);
    return first.map((_, i) =>
      collate(
        examples.map((value) => (value as unknown[])[i]),
        `${path}[${i}]`,
      ),
    );
  }
  if (ArrayBuffer.isView(first)) {
    all((value) => ArrayBuffer.isView(value) && value.constructor === first.constructor);
    return stack(examples.map((value) => tensor(value as Float32Array)));
  }
  if (first instanceof Map) {
    all((value) => value instanceof Map);
    const part = (key: unknown) => examples.map((value) => (value as Map<unknown, unknown>).get(key));
    return new Map([...first.keys()].map((key) => [key, collate(part(key), `${path}.get(${String(key)})`)]));
  }
  if (typeof first === "object" && first !== null && Object.getPrototypeOf(first) === Object.prototype) {
    all((value) => typeof value === "object" && value !== null);
    const part = (key: string) => examples.map((value) => (value as Record<string, unknown>)[key]);
    return Object.fromEntries(Object.keys(first).map((key) => [key, collate(part(key), `${path}.${key}`)]));
  }
  throw new TypeError(
    `defaultCollate: ${path} is ${kindOf(first)}; takes tensors, numbers, bigints, booleans, texts, arrays, Maps and objects, or give a collateFn`,
  );
}

/** All tensors of a batch in page-locked memory. */
export function pinBatch<Batch>(batch: Batch): Batch {
  return mapTensors(batch, (value) => value.pinMemory());
}
