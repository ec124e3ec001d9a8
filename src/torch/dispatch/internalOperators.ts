/**
 * LibTorch's internal operators: kernels that its public operators call after they have checked everything.
 * They trust their caller: an undefined tensor, or lists or sizes that do not fit, can end the process or
 * read memory that is not theirs, from Python as well.
 */
const internal = [
  // `_log_softmax_backward_data`, `_native_batch_norm_legit`, `_fused_adamw_` ...: PyTorch's own
  // mark of what is not public.
  /^_(?!foreach_)/,
  // The `_foreach_` operators check their lists, except for this one.
  /^_foreach_copy$/,
  // `threshold_backward` and the like take what the forward pass saved.
  /backward/,
  // Kernels of one library or of one kind of tensor.
  /^(cudnn|miopen|mkldnn|fbgemm|quantized)_/,
  // Public by name, yet unchecked: found by the fuzzer to end the process, some with LibTorch 2.11 only.
  // `linalg_lu`, `batch_norm` and `arange` are checked.
  /^(lu_unpack|native_batch_norm|range|slow_conv3d|slow_conv3d_forward|align_tensors|reflection_pad3d|choose_qparams_optimized|fused_moving_avg_obs_fake_quant)$/,
  // Sizes that are no numbers yet, which only a compiler makes.
  /^sym_/,
];

/** The namespaces whose operators check their arguments. */
const checkedNamespaces = ["aten", "aamt"];

/** Whether an operator must be asked for by `torch.ops.unsafe`. */
export function isInternalOperator(namespace: string, name: string): boolean {
  return !checkedNamespaces.includes(namespace) || internal.some((pattern) => pattern.test(name));
}
