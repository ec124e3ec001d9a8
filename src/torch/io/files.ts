/** Files of tensors under PyTorch's names, and NumPy's arrays. */

import { UserError } from "../../common/userError.ts";
import { type NpyNumbers, readNpy, writeNpy } from "../../formats/npy/npy.ts";
import type { Device } from "../core/device.ts";
import { type DType, dtypes, isComplexDtype, isFloat8Dtype, type TypedArray } from "../core/dtype.ts";
import type { Tensor } from "../core/tensor.ts";
import { tensor } from "../functions/creation.ts";
import { type PickleInput, savePickle } from "./savePickle.ts";

export { loadPickle as load } from "./pickle.ts";

/**
 * `torch.save`: `savePickle` with PyTorch's order of arguments, for state dicts, tensors and plain values.
 */
export function save(value: PickleInput, path: string): void {
  savePickle(path, value);
}

/**
 * Reads a `.npy` file as a tensor of the same dtype.
 * @throws UserError for element types that LibTorch lacks here, such as text.
 */
export function loadNpy(path: string, options: { dtype?: DType; device?: Device } = {}): Tensor {
  const { dtype, shape, values } = readNpy(path);
  if (!(dtypes as readonly string[]).includes(dtype)) {
    throw new UserError(
      `${path} holds ${dtype} values, which no tensor can hold; save it as one of ${dtypes.join(", ")} (array.astype).`,
    );
  }
  const { dtype: wanted, ...others } = options;
  const isOpen = dtype === "bool" || dtype === "uint16";
  const stored = tensor(values as TypedArray, { ...others, shape, ...(isOpen ? { dtype } : {}) });
  if (wanted === undefined || wanted === stored.dtype) return stored;
  using _narrow = stored;
  return stored.to(wanted);
}

/**
 * Writes a tensor of any device as a `.npy` file, atomically.
 * @throws TypeError for bfloat16, which NumPy does not know.
 */
export function saveNpy(path: string, value: Tensor): void {
  if (value.dtype === "bfloat16" || isFloat8Dtype(value.dtype))
    throw new TypeError(`saveNpy: NumPy has no ${value.dtype}; convert the tensor with float() first`);
  if (isComplexDtype(value.dtype))
    throw new TypeError(
      "saveNpy: complex numbers are not written; save torch.viewAsReal(x), or use saveSafetensors",
    );
  writeNpy(path, value.data() as NpyNumbers, value.shape, { bool: value.dtype === "bool" });
}
