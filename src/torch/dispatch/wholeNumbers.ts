import { isComplexDtype, isFloatingDtype } from "../core/dtype.ts";
import { Tensor } from "../core/tensor.ts";
import { TorchError } from "../native/errors.ts";

/** From here on no number can be meant as an int64. */
const beyondInt64 = 2 ** 63;

/** Operators that write a number into elements of a known dtype: nothing is promoted by it. */
const fills = new Set(["aten::fill_", "aten::fill", "aten::full", "aten::full_like", "aten::new_full"]);

/** Whether a number may mean two things, an integer or a float, so that the tensors beside it decide. */
export function needsTensors(value: number): boolean {
  if (value === 0) return Object.is(value, -0);
  return Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < beyondInt64;
}

const tensorsIn = (args: readonly unknown[]): Tensor[] =>
  args.flatMap((one) => (one instanceof Tensor ? [one] : Array.isArray(one) ? tensorsIn(one) : []));

/**
 * Whether a number beside these arguments of an operator is an integer to LibTorch, which promotes dtypes by
 * it. -0 is one beside integers alone, as floats have a zero with a sign. Of a whole number beyond 2^53,
 * Python knows which it is; here it would turn integers into float32.
 * @throws TorchError for such a number beside integers alone.
 */
export function isWhole(value: number, operator: string, args: readonly unknown[]): boolean {
  if (!needsTensors(value)) return Number.isSafeInteger(value);
  const tensors = tensorsIn(args);
  const areIntegers =
    tensors.length > 0 && !tensors.some(({ dtype }) => isFloatingDtype(dtype) || isComplexDtype(dtype));
  if (value === 0) return areIntegers;
  if (areIntegers && !fills.has(operator))
    throw new TorchError(
      `${operator}: ${value} is beyond what a number holds exactly (2^53), and beside integers it could mean an ` +
        `integer or a float: say which by torch.tensor(${BigInt(value)}n), or convert the tensor with x.double()`,
      "argument",
      operator,
    );
  return false;
}
