/** Arguments with which every typed operator can be called: what the leak test calls. */
import * as torch from "../../../src/torch/index.ts";

/** The tensors that calls are made of; drawn anew for each call, since some are changed. */
export interface Inputs {
  /** Floats in (0.1, 0.9), [3, 4]. */
  x: torch.Tensor;
  y: torch.Tensor;
  /** [4], [3] and [2, 4, 6, 6]. */
  v: torch.Tensor;
  w: torch.Tensor;
  image: torch.Tensor;
  /** [2, 4, 8]: batch, channels, length. */
  signal: torch.Tensor;
  /** [2, 3, 4] and [2, 4, 3]. */
  batch: torch.Tensor;
  batchT: torch.Tensor;
  /** Symmetric and positive definite, [4, 4]. */
  square: torch.Tensor;
  /** Integers 0 to 2, [3, 4], and a permutation of three. */
  n: torch.Tensor;
  order: torch.Tensor;
  mask: torch.Tensor;
  /** A single float. */
  one: torch.Tensor;
}

export function makeInputs(): Inputs {
  return torch.tidy(() => {
    const uniform = (shape: number[]) => torch.rand(shape).mul(0.8).add(0.1);
    const factor = torch.randn([4, 4]);
    return {
      x: uniform([3, 4]),
      y: uniform([3, 4]),
      v: uniform([4]),
      w: uniform([3]),
      image: uniform([2, 4, 6, 6]),
      signal: uniform([2, 4, 8]),
      batch: uniform([2, 3, 4]),
      batchT: uniform([2, 4, 3]),
      square: factor.matmul(factor.t()).add(torch.eye(4)),
      n: torch.randint(0, 3, [3, 4]),
      order: torch.randperm(3),
      mask: torch.rand([3, 4]).gt(0.5),
      one: torch.rand([1]),
    };
  });
}

/** PyTorch's names of operators -> how they are called. */
const groups: [string, (t: Inputs) => unknown[]][] = [
  [
    "neg neg_ abs abs_ sign sgn square square_ sqrt sqrt_ rsqrt rsqrt_ reciprocal reciprocal_ exp exp_ exp2 expm1 log log_ log2 " +
      "log10 log1p ceil floor round trunc frac fix erf erfc erfinv lgamma digamma sin cos tan asin acos atan sinh cosh tanh tanh_ " +
      "asinh acosh atanh sigmoid sigmoid_ logit nan_to_num nan_to_num_ deg2rad rad2deg sinc isnan isinf isfinite isposinf " +
      "isneginf logical_not sum mean prod amax amin max min argmax argmin std var std_mean var_mean all any norm nansum nanmean " +
      "median nanmedian mode count_nonzero aminmax diff trapezoid trace diag diagonal diag_embed triu tril triu_ tril_ linalg_norm " +
      "linalg_vector_norm linalg_matrix_norm corrcoef cov pdist flatten squeeze squeeze_ t fliplr flipud rot90 contiguous clone " +
      "detach detach_ atleast_1d atleast_2d atleast_3d ravel nonzero argwhere sort argsort msort unique_consecutive histc " +
      "zero_ uniform_ normal_ bernoulli_ random_ exponential_ bernoulli poisson relu relu_ gelu silu mish elu selu celu " +
      "leaky_relu leaky_relu_ hardtanh hardswish hardsigmoid softplus softshrink hardshrink rrelu glu log_sigmoid relu6 " +
      "is_floating_point is_complex is_pinned linalg_pinv linalg_matrix_rank linalg_qr linalg_svd",
    (t) => [t.x],
  ],
  [
    "add add_ sub sub_ mul mul_ div div_ pow pow_ remainder remainder_ fmod floor_divide true_divide logaddexp atan2 maximum " +
      "minimum fmax fmin hypot copysign xlogy heaviside eq ne lt le gt ge logical_and logical_or logical_xor isclose allclose " +
      "equal view_as expand_as type_as cdist cosine_similarity kron inner copy_ mse_loss l1_loss smooth_l1_loss huber_loss " +
      "binary_cross_entropy binary_cross_entropy_with_logits kl_div soft_margin_loss isin hinge_embedding_loss set_",
    (t) => [t.x, t.y],
  ],
  ["fill_ clamp clamp_ clamp_min clamp_min_ clamp_max clamp_max_ fill_diagonal_", (t) => [t.x, 0.5]],
  ["bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift", (t) => [t.n, t.n]],
  ["bitwise_not one_hot", (t) => [t.n]],
  ["addcmul addcmul_ addcdiv addcdiv_ lerp lerp_", (t) => [t.x, t.y, t.y]],
  ["is_nonzero", (t) => [t.one]],
  [
    "logsumexp cumsum cumprod cummax cummin logcumsumexp softmax log_softmax unbind unsqueeze unsqueeze_",
    (t) => [t.x, 0],
  ],
  ["quantile nanquantile", (t) => [t.x, 0.5]],
  ["matmul mm", (t) => [t.x, t.square]],
  ["bmm", (t) => [t.batch, t.batchT]],
  ["mv", (t) => [t.x, t.v]],
  ["dot vdot outer", (t) => [t.v, t.v]],
  ["addmm addmm_", (t) => [t.x, t.x, t.square]],
  ["baddbmm", (t) => [t.one, t.batch, t.batchT]],
  ["addmv", (t) => [t.w, t.x, t.v]],
  ["addmv_", (t) => [t.w, t.x, t.v]],
  ["addbmm", (t) => [t.one, t.batch, t.batchT]],
  ["baddbmm_", (t) => [t.batch, t.batch, t.square.expand([2, 4, 4])]],
  ["renorm", (t) => [t.x, 2, 0, 0.5]],
  ["moveaxis", (t) => [t.x, 0, 1]],
  ["linalg_lu_solve", (t) => [t.square, torch.ones([4], { dtype: "int32" }), t.square]],
  ["linalg_householder_product", (t) => [t.square, t.v]],
  ["select_scatter", (t) => [t.x, t.v, 0, 1]],
  ["diagonal_scatter", (t) => [t.square, t.v]],
  ["index_reduce", (t) => [t.x, 0, t.order, t.y, "mean"]],
  ["conv_transpose3d", (t) => [t.image.unsqueeze(2), torch.ones([4, 2, 1, 1, 1])]],
  ["addr", (t) => [t.x, t.w, t.v]],
  ["einsum", (t) => ["ij,kj->ik", [t.x, t.y]]],
  ["tensordot", (t) => [t.x, t.square, [1], [0]]],
  ["cross", (t) => [t.batchT, t.batchT, 2]],
  ["linalg_inv linalg_eigh linalg_cholesky linalg_det linalg_slogdet inverse matrix_exp", (t) => [t.square]],
  ["linalg_solve cholesky_solve linalg_lstsq", (t) => [t.square, t.square]],
  ["linalg_matrix_power", (t) => [t.square, 2]],
  ["chain_matmul", (t) => [[t.x, t.square]]],
  ["reshape", (t) => [t.x, [4, 3]]],
  ["expand broadcast_to", (t) => [t.v, [3, 4]]],
  ["unflatten", (t) => [t.x, 1, [2, 2]]],
  ["transpose transpose_ swapaxes movedim", (t) => [t.x, 0, 1]],
  ["permute", (t) => [t.x, [1, 0]]],
  ["cat concat stack hstack vstack dstack block_diag broadcast_tensors", (t) => [[t.x, t.y]]],
  ["meshgrid cartesian_prod", (t) => [[t.v, t.w]]],
  ["split chunk tensor_split", (t) => [t.x, 2, 1]],
  ["split_with_sizes", (t) => [t.x, [1, 2]]],
  ["narrow", (t) => [t.x, 0, 0, 2]],
  ["select", (t) => [t.x, 0, 1]],
  ["slice", (t) => [t.x, 0, 1, 3]],
  ["repeat tile", (t) => [t.x, [2, 1]]],
  ["repeat_interleave", (t) => [t.x, 2, 0]],
  ["roll", (t) => [t.x, [1], [0]]],
  ["flip", (t) => [t.x, [0]]],
  ["unfold", (t) => [t.x, 1, 2, 1]],
  ["as_strided", (t) => [t.x, [2, 2], [4, 1]]],
  ["combinations", (t) => [t.v]],
  ["index_select", (t) => [t.x, 0, t.order]],
  ["index_add index_add_ index_copy index_copy_", (t) => [t.x, 0, t.order, t.y]],
  ["index_fill index_fill_", (t) => [t.x, 0, t.order, 0]],
  ["index_put index_put_", (t) => [t.x, [t.order], t.y]],
  ["gather", (t) => [t.x, 0, t.n]],
  ["take_along_dim", (t) => [t.x, t.n, 0]],
  ["scatter scatter_ scatter_add scatter_add_", (t) => [t.x, 0, t.n, t.y]],
  ["scatter_reduce scatter_reduce_", (t) => [t.x, 0, t.n, t.y, "sum"]],
  ["masked_select", (t) => [t.x, t.mask]],
  ["masked_fill masked_fill_", (t) => [t.x, t.mask, 0]],
  ["masked_scatter masked_scatter_", (t) => [t.x, t.mask, t.y]],
  ["where", (t) => [t.mask, t.x, t.y]],
  ["take", (t) => [t.x, t.n]],
  ["put_", (t) => [t.x, t.order, t.w]],
  ["tril_indices triu_indices", () => [3, 3]],
  ["topk kthvalue", (t) => [t.x, 2]],
  ["searchsorted", (t) => [t.v, t.x]],
  ["bucketize", (t) => [t.x, t.v]],
  ["unique_dim", (t) => [t.x, 0]],
  ["bincount", (t) => [t.order]],
  ["resize_", (t) => [t.x, [2, 2]]],
  ["multinomial", (t) => [t.x, 2]],
  ["normal", (t) => [t.x, t.y]],
  ["linear", (t) => [t.x, t.square, t.v]],
  ["bilinear", (t) => [t.x, t.x, t.image.flatten().narrow(0, 0, 32).view([2, 4, 4])]],
  ["embedding", (t) => [t.x, t.n]],
  ["embedding_bag", (t) => [t.x, t.order, t.order.narrow(0, 0, 1).mul(0)]],
  ["layer_norm rms_norm", (t) => [t.x, [4]]],
  ["group_norm", (t) => [t.signal, 2]],
  ["batch_norm", (t) => [t.x, null, null, null, null, true, 0.1, 1e-5, false]],
  ["instance_norm", (t) => [t.signal, null, null, null, null, true, 0.1, 1e-5, false]],
  ["dropout dropout_ alpha_dropout", (t) => [t.x, 0.5, true]],
  ["prelu", (t) => [t.x, t.one]],
  ["threshold", (t) => [t.x, 0.5, 0]],
  ["scaled_dot_product_attention", (t) => [t.batch, t.batch, t.batch]],
  ["cross_entropy_loss", (t) => [t.x, t.order]],
  ["nll_loss nll_loss_nd", (t) => [t.x, t.order]],
  ["poisson_nll_loss", (t) => [t.x, t.y, true, false, 1e-8, 1]],
  ["margin_ranking_loss triplet_margin_loss", (t) => [t.x, t.y, t.x]],
  ["cosine_embedding_loss", (t) => [t.x, t.y, t.w]],
  ["conv1d conv_transpose1d", (t) => [t.signal, t.image.flatten().narrow(0, 0, 32).view([4, 4, 2])]],
  ["conv2d", (t) => [t.image, t.image]],
  ["conv_transpose2d", (t) => [t.image, t.image.transpose(0, 1)]],
  [
    "conv3d",
    (t) => [t.image.unsqueeze(0), t.image.unsqueeze(0).transpose(1, 0).transpose(1, 2).narrow(1, 0, 2)],
  ],
  ["max_pool1d avg_pool1d adaptive_avg_pool1d", (t) => [t.signal, 2]],
  ["max_pool2d avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d", (t) => [t.image, [2, 2]]],
  ["pad constant_pad_nd", (t) => [t.x, [1, 1]]],
  ["pixel_shuffle", (t) => [t.image, 2]],
  ["upsample_nearest2d", (t) => [t.image, [12, 12]]],
  ["grid_sampler", (t) => [t.image, t.image.narrow(1, 0, 2).permute([0, 2, 3, 1]), 0, 0, true]],
  ["pin_memory", (t) => [t.x]],
  ["stft", (t) => [t.signal.flatten(), 16, { returnComplex: true }]],
  [
    "istft",
    (t) => [torch.stft(t.signal.flatten(), 16, { center: true, returnComplex: true }), 16, { center: true }],
  ],
  ["sparse_coo_tensor", (t) => [torch.stack([t.order, t.order]), t.w]],
  ["sparse_csr_tensor", (t) => [torch.tensor([0n, 1n, 2n, 3n]), torch.zerosLike(t.order), t.w]],
];

/** How an operator is called, by PyTorch's name. */
export const operatorArguments: ReadonlyMap<string, (t: Inputs) => unknown[]> = new Map(
  groups.flatMap(([names, make]) => names.split(" ").map((name) => [name, make] as const)),
);
