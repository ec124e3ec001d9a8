import { statSync } from "node:fs";
import { UserError } from "../../common/userError.ts";
import { type DType, itemSize } from "../core/dtype.ts";
import type { Tensor } from "../core/tensor.ts";
import { operator } from "../dispatch/operators.ts";
import { getDefaultDtype } from "../functions/creation.ts";

const map = operator("aten::from_file", [""], "fromFile") as unknown as (
  path: string,
  shared: boolean,
  size: number,
  options: { dtype: DType },
) => Tensor;

/** The first `size` bytes of a file, mapped into memory; changes stay private. */
export function mapBytes(path: string, size: number): Tensor {
  return map(path, false, size, { dtype: "uint8" });
}

export interface FromFileOptions {
  readonly dtype?: DType;
  /**
   * The shape of the tensor; without it all elements from `offset` to the end of the file in one dimension.
   */
  readonly shape?: readonly number[];
  /** Bytes before the first element: a multiple of the element's size. */
  readonly offset?: number;
  /** Write changes back to the file. Otherwise they stay private to this process. */
  readonly shared?: boolean;
}

/**
 * A tensor over the raw bytes of a file, mapped into memory: parts are read when they are used, so that the
 * file may be larger than the memory. Nobody may shorten the file meanwhile.
 * @throws UserError if the file cannot be read or is too small.
 */
export function fromFile(path: string, options: FromFileOptions = {}): Tensor {
  const { dtype = getDefaultDtype(), shape, offset = 0, shared = false } = options;
  const width = itemSize(dtype);
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % width !== 0)
    throw new RangeError(`fromFile: the offset must be a multiple of ${width} bytes, got ${offset}`);
  let bytes: number;
  try {
    bytes = statSync(path).size;
  } catch (cause) {
    throw new UserError(`Cannot read ${path}: ${cause instanceof Error ? cause.message : cause}.`);
  }
  const sizes = shape ?? [Math.max(Math.floor((bytes - offset) / width), 0)];
  const count = sizes.reduce((product, size) => product * size, 1);
  if (bytes < offset + count * width || count === 0) {
    throw new UserError(
      `${path} has ${bytes} bytes; ${dtype} values of shape [${sizes.join(", ")}] from byte ${offset} on need ${offset + Math.max(count, 1) * width}. Give another shape, dtype or file.`,
    );
  }
  using whole = map(path, shared, offset / width + count, { dtype });
  using part = whole.narrow(0, offset / width, count);
  return part.view(sizes);
}
