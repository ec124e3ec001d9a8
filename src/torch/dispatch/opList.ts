/**
 * The operators with a typed function in ops.gen.ts, under PyTorch's names; each is a function
 * (`torch.add(a, b)`) and, where its first argument is a tensor, a method (`a.add(b)`). After a change run
 * `bun scripts/generateOps.ts`. Everything else of LibTorch is reachable through `torch.ops.aten`, its
 * internal kernels through `torch.ops.unsafe.aten`.
 */
export const exposedOperators: Record<string, string> = {
  arithmetic:
    "add add_ sub sub_ mul mul_ div div_ pow pow_ remainder remainder_ fmod floor_divide true_divide neg neg_ abs abs_ sign sgn " +
    "square square_ sqrt sqrt_ rsqrt rsqrt_ reciprocal reciprocal_ exp exp_ exp2 expm1 log log_ log2 log10 log1p logaddexp " +
    "addcmul addcmul_ addcdiv addcdiv_ lerp lerp_ clamp clamp_ clamp_min clamp_min_ clamp_max clamp_max_ ceil floor round trunc " +
    "frac fix erf erfc erfinv lgamma digamma sin cos tan asin acos atan atan2 sinh cosh tanh tanh_ asinh acosh atanh sigmoid sigmoid_ " +
    "logit nan_to_num nan_to_num_ maximum minimum fmax fmin hypot copysign xlogy deg2rad rad2deg heaviside sinc " +
    "bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift " +
    "fmod_ floor_divide_ true_divide_ sign_ sgn_ exp2_ expm1_ log2_ log10_ log1p_ ceil_ floor_ round_ trunc_ frac_ fix_ erf_ erfc_ " +
    "erfinv_ lgamma_ digamma_ sin_ cos_ tan_ asin_ acos_ atan_ atan2_ sinh_ cosh_ asinh_ acosh_ atanh_ logit_ hypot_ copysign_ " +
    "xlogy_ deg2rad_ rad2deg_ heaviside_ sinc_ bitwise_and_ bitwise_or_ bitwise_xor_ bitwise_not_ logaddexp2 float_power ldexp " +
    "frexp gcd lcm nextafter signbit positive polygamma mvlgamma rsub",
  comparison:
    "eq ne lt le gt ge isnan isinf isfinite isposinf isneginf logical_and logical_or logical_xor logical_not isclose allclose equal " +
    "is_nonzero " +
    "eq_ ne_ lt_ le_ gt_ ge_ logical_and_ logical_or_ logical_xor_ logical_not_ isreal",
  reduction:
    "sum mean prod amax amin max min argmax argmin std var std_mean var_mean all any norm logsumexp cumsum cumprod cummax cummin " +
    "nansum nanmean median nanmedian mode quantile nanquantile count_nonzero aminmax logcumsumexp diff trapezoid " +
    "dist renorm cumulative_trapezoid cumsum_ cumprod_",
  linearAlgebra:
    "matmul mm bmm mv dot addmm addmm_ baddbmm addmv addr outer vdot inner einsum tensordot cdist cosine_similarity kron cross trace diag diagonal " +
    "diag_embed triu tril triu_ tril_ linalg_norm linalg_vector_norm linalg_matrix_norm linalg_inv linalg_solve linalg_qr linalg_svd " +
    "linalg_eigh linalg_cholesky linalg_det linalg_slogdet linalg_pinv linalg_lstsq linalg_matrix_rank linalg_matrix_power inverse " +
    "linalg_eig linalg_eigvals linalg_eigvalsh linalg_solve_triangular linalg_lu_factor linalg_multi_dot linalg_cond linalg_cross linalg_svdvals " +
    "linalg_cholesky_ex linalg_inv_ex linalg_matrix_exp linalg_tensorinv linalg_tensorsolve linalg_vander linalg_vecdot linalg_diagonal " +
    "cholesky_solve matrix_exp corrcoef cov pdist chain_matmul " +
    "logdet addbmm baddbmm_ addmv_ linalg_lu linalg_lu_solve linalg_householder_product cholesky_inverse vander",
  shape:
    "reshape view_as expand expand_as flatten unflatten squeeze squeeze_ unsqueeze unsqueeze_ transpose transpose_ t permute movedim " +
    "swapaxes cat concat stack hstack vstack dstack split split_with_sizes chunk tensor_split unbind narrow select slice repeat tile " +
    "repeat_interleave roll flip fliplr flipud rot90 broadcast_to broadcast_tensors meshgrid unfold contiguous clone detach detach_ as_strided " +
    "atleast_1d atleast_2d atleast_3d block_diag ravel cartesian_prod combinations " +
    "moveaxis adjoint diagflat column_stack hsplit vsplit dsplit",
  indexing:
    "index_select index_add index_add_ index_copy index_copy_ index_fill index_fill_ index_put index_put_ gather scatter scatter_ scatter_add " +
    "scatter_add_ scatter_reduce scatter_reduce_ masked_select masked_fill masked_fill_ masked_scatter masked_scatter_ where nonzero argwhere take " +
    "take_along_dim put_ tril_indices triu_indices isin " +
    "select_scatter slice_scatter diagonal_scatter index_reduce",
  sorting:
    "sort argsort topk kthvalue msort searchsorted bucketize unique_dim unique_consecutive bincount histc histogram",
  inPlace: "copy_ fill_ zero_ resize_ set_ uniform_ normal_ bernoulli_ random_ exponential_ fill_diagonal_",
  random: "bernoulli multinomial poisson normal",
  neural:
    "linear bilinear embedding embedding_bag layer_norm group_norm batch_norm rms_norm instance_norm dropout dropout_ alpha_dropout relu relu_ gelu silu mish elu selu celu leaky_relu " +
    "leaky_relu_ hardtanh hardswish hardsigmoid softplus softshrink hardshrink prelu rrelu glu log_sigmoid softmax log_softmax relu6 threshold one_hot " +
    "scaled_dot_product_attention mse_loss l1_loss smooth_l1_loss huber_loss cross_entropy_loss nll_loss nll_loss_nd " +
    "binary_cross_entropy binary_cross_entropy_with_logits kl_div poisson_nll_loss hinge_embedding_loss margin_ranking_loss cosine_embedding_loss triplet_margin_loss soft_margin_loss " +
    "conv1d conv2d conv3d conv_transpose1d conv_transpose2d max_pool1d max_pool2d avg_pool1d avg_pool2d adaptive_avg_pool1d adaptive_avg_pool2d " +
    "adaptive_max_pool2d pad constant_pad_nd pixel_shuffle upsample_nearest2d grid_sampler " +
    "conv_transpose3d channel_shuffle",
  complex: "complex polar real imag conj angle view_as_real view_as_complex resolve_conj resolve_neg is_conj",
  fourier:
    "fft_fft fft_ifft fft_fft2 fft_ifft2 fft_fftn fft_ifftn fft_rfft fft_irfft fft_rfft2 fft_irfft2 fft_rfftn fft_irfftn fft_hfft " +
    "fft_ihfft fft_fftfreq fft_rfftfreq fft_fftshift fft_ifftshift stft istft " +
    "hann_window hamming_window blackman_window bartlett_window kaiser_window",
  special:
    "special_entr special_psi special_digamma special_gammaln special_polygamma special_erf special_erfc special_erfcx special_erfinv special_exp2 " +
    "special_expm1 special_expit special_i0 special_i0e special_i1 special_i1e special_log1p special_log_ndtr special_logit special_logsumexp " +
    "special_log_softmax special_multigammaln special_ndtr special_ndtri special_round special_sinc special_softmax special_xlog1py special_xlogy " +
    "special_zeta special_bessel_j0 special_bessel_j1 special_bessel_y0 special_bessel_y1 special_modified_bessel_i0 special_modified_bessel_i1 " +
    "special_modified_bessel_k0 special_modified_bessel_k1 special_gammainc special_gammaincc special_airy_ai special_spherical_bessel_j0",
  sparse:
    "sparse_coo_tensor sparse_csr_tensor to_dense to_sparse to_sparse_csr coalesce is_coalesced indices values crow_indices col_indices",
  conversion: "type_as is_floating_point is_complex pin_memory is_pinned",
};
