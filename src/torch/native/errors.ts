/** What kind of failure LibTorch reported; the counterpart of Python's exception classes. */
export type TorchErrorKind =
  | "runtime"
  | "index"
  | "value"
  | "type"
  | "not-implemented"
  | "out-of-memory"
  | "disposed"
  | "argument";

/** By status: -1 is "runtime" and so on (native/aam_torch.h). */
const kinds: readonly TorchErrorKind[] = [
  "runtime",
  "index",
  "value",
  "type",
  "not-implemented",
  "out-of-memory",
  "disposed",
  "argument",
];

/** An error of LibTorch's or of the binding's. The message names the operator and what it was called with. */
export class TorchError extends Error {
  override name = "TorchError";
  constructor(
    message: string,
    readonly kind: TorchErrorKind,
    /** The operator's name, e.g. `aten::add.Tensor`; empty where the failure is not an operator's. */
    readonly op: string = "",
    /** LibTorch's own message with the native backtrace, where TORCH_SHOW_CPP_STACKTRACES=1 asks for it. */
    readonly nativeStack: string = "",
  ) {
    super(message);
  }
}

/** The kind that a native status (less than 0) stands for. */
export function kindOfStatus(status: number): TorchErrorKind {
  return kinds[-status - 1] ?? "runtime";
}
