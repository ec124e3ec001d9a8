"""Activations, normalizations, embeddings, attention, convolutions, pooling and losses."""

from spec import (
    ALL_FLOATS,
    FLOATS,
    HALVES,
    Dtype,
    Registry,
    T,
    bools,
    call,
    data,
    ints,
    positive,
    spaced,
    unit,
)

NONE, MEAN, SUM = 0, 1, 2


def register(registry: Registry) -> None:
    activations(registry)
    layers(registry)
    attention(registry)
    convolutions(registry)
    losses(registry)


def activations(r: Registry) -> None:
    r.add(
        "relu silu mish selu hardswish hardsigmoid log_sigmoid relu6",
        call(T("ab")),
        call(T("abc")),
        dtypes=ALL_FLOATS,
    )
    r.add("relu_", call(T("ab")))
    r.add("gelu", call(T("ab")), call(T("ab"), approximate="tanh"), dtypes=ALL_FLOATS)
    r.add("elu celu", call(T("ab")), call(T("ab"), 0.5))
    r.add("leaky_relu leaky_relu_", call(T("ab")), call(T("ab"), 0.2))
    r.add("hardtanh", call(T("ab")), call(T("ab"), -0.5, 0.7))
    r.add("softplus", call(T("ab")), call(T("ab"), 2.0, 1.5))
    r.add("softshrink hardshrink", call(T("ab")), call(T("ab"), 0.3))
    r.add("threshold", call(T("ab"), 0.1, 0.7))
    r.add("prelu", call(T("abc"), T("b")), call(T("ab"), T("1")))
    r.add("glu", call(T("a6")), call(T("4b"), 0))
    r.add("softmax log_softmax", call(T("abc"), -1), call(T("abc"), 1), dtypes=ALL_FLOATS)
    r.add("softmax log_softmax", call(T("ab"), 0, Dtype("float64")))


def layers(r: Registry) -> None:
    r.add("linear", call(T("abc"), T("dc")), call(T("abc"), T("dc"), T("d")), dtypes=ALL_FLOATS)
    r.add("bilinear", call(T("ab"), T("ac"), T("dbc"), T("d")))
    r.add("embedding", call(T("nd"), ints("ab", "n")), call(T("nd"), ints("ab", "n"), 0))
    r.add(
        "embedding_bag", call(T("nd"), ints("m", "n"), T("", "offsets", "int64", grad=False)), compare="first"
    )
    r.add(
        "layer_norm",
        call(T("abc"), lambda s: [s["c"]], T("c"), T("c")),
        call(T("abc"), lambda s: [s["b"], s["c"]], None, None, 1e-6),
        dtypes=FLOATS + ("bfloat16",),
        tolerance=4,
    )
    r.add(
        "rms_norm",
        call(T("abc"), lambda s: [s["c"]], T("c")),
        call(T("abc"), lambda s: [s["c"]]),
        tolerance=4,
    )
    r.add("group_norm", call(T("a6c"), 3, T("6"), T("6")), call(T("a6cd"), 2), tolerance=4)
    statistics = (positive("b", grad=False), positive("b", grad=False))
    r.add("batch_norm", call(T("nbc"), T("b"), T("b"), *statistics, False, 0.1, 1e-5, False), tolerance=4)
    r.add("batch_norm", call(T("nb"), T("b"), T("b"), None, None, True, 0.1, 1e-5, False), tolerance=8)
    r.add("instance_norm", call(T("abm"), T("b"), T("b"), None, None, True, 0.1, 1e-5, False), tolerance=8)


def attention(r: Registry) -> None:
    q, k, v = T("e4nd"), T("e4md"), T("e4md")
    square = (T("e4nd"), T("e4nd"), T("e4nd"))
    r.add(
        "scaled_dot_product_attention",
        call(q, k, v),
        call(q, k, v, T("nm")),
        call(q, k, v, T("e1nm", "sparse_mask", "bool", grad=False)),
        call(*square, None, 0.0, True),
        call(q, k, v, scale=0.3),
        dtypes=FLOATS + ("bfloat16",),
        tolerance=4,
    )


def convolutions(r: Registry) -> None:
    r.add(
        "conv1d", call(T("abm"), T("cb3"), T("c")), call(T("abm"), T("cb3"), None, [2], [1], [2]), tolerance=4
    )
    r.add("conv1d", call(T("a4m"), T("423"), T("4"), [1], [0], [1], 2), tolerance=4)
    r.add(
        "conv2d",
        call(T("abmm"), T("cb33"), T("c"), [2, 2], [1, 1]),
        call(T("abmm"), T("cb12"), None),
        tolerance=4,
    )
    r.add("conv3d", call(T("ab666"), T("cb222"), T("c")), tolerance=4)
    r.add(
        "conv_transpose1d",
        call(T("abm"), T("bc3"), T("c")),
        call(T("abm"), T("bc3"), None, [2], [1], [1]),
        tolerance=4,
    )
    r.add("conv_transpose2d", call(T("ab55"), T("bc33"), T("c"), [2, 2], [1, 1]), tolerance=4)
    r.add("max_pool1d", call(spaced("abm"), 3), call(spaced("abm"), 2, 1, 1))
    r.add("max_pool2d", call(spaced("abmm"), 2), call(spaced("abmm"), [3, 2], [1, 2], [1, 0]))
    r.add("avg_pool1d", call(T("abm"), 3), call(T("abm"), 2, 1, 1))
    r.add("avg_pool2d", call(T("abmm"), 2), call(T("abmm"), [3, 2], 1, 1, False, False))
    r.add("adaptive_avg_pool1d", call(T("abm"), 3))
    r.add("adaptive_avg_pool2d", call(T("abmm"), [2, 3]))
    r.add("adaptive_max_pool2d", call(spaced("abmm"), [2, 3]))
    r.add("pad", call(T("ab"), [1, 2], "constant", 0.5), call(T("abm"), [2, 1], "reflect"))
    r.add("pad", call(T("abm"), [1, 2], "replicate"), call(T("abm"), [2, 2], "circular"))
    r.add("constant_pad_nd", call(T("ab"), [1, 2, 0, 1]), call(T("ab"), [-1, 0], 2.0))
    r.add("conv_transpose3d", call(T("ab333"), T("bc222"), T("c"), [2, 1, 2], [1, 0, 1]), tolerance=4)
    r.add("channel_shuffle", call(data("a6bc"), 3))
    r.add("pixel_shuffle", call(T("a855"), 2))
    r.add("upsample_nearest2d", call(T("ab33"), [6, 6]), call(T("ab33"), None, [2.0, 3.0]))
    r.add("grid_sampler", call(T("ab55"), unit("a442"), 0, 0, True), tolerance=8)


def losses(r: Registry) -> None:
    both = FLOATS + HALVES[:1]
    for reduction in (NONE, MEAN, SUM):
        pair = (T("ab"), T("ab"), reduction)
        r.add("mse_loss l1_loss", call(*pair), dtypes=both)
        r.add("soft_margin_loss", call(T("ab"), T("ab", "signs", grad=False), reduction))
        r.add("smooth_l1_loss huber_loss", call(*pair, 0.7), dtypes=both)
        r.add(
            "binary_cross_entropy",
            call(T("ab", "probabilities"), T("ab", "probabilities", grad=False), None, reduction),
        )
        r.add(
            "binary_cross_entropy_with_logits",
            call(T("ab"), T("ab", "probabilities", grad=False), positive("b", grad=False), None, reduction),
            call(T("ab"), T("ab", "probabilities", grad=False), None, positive("b", grad=False), reduction),
        )
        r.add(
            "kl_div",
            call(T("ab"), T("ab", "probabilities"), reduction),
            call(T("ab"), T("ab"), reduction, log_target=True),
        )
        r.add(
            "cross_entropy_loss",
            call(T("nc"), ints("n", "c"), None, reduction),
            call(T("nc"), ints("n", "c"), positive("c", grad=False), reduction, 1),
            call(T("nca"), ints("na", "c"), None, reduction, -100, 0.2),
            call(T("nc"), T("nc", "rows_of_probabilities"), None, reduction),
            dtypes=both,
            tolerance=2,
        )
        r.add(
            "nll_loss nll_loss_nd",
            call(T("nc"), ints("n", "c"), None, reduction),
            call(T("nc"), ints("n", "c"), positive("c", grad=False), reduction, 1),
        )
        r.add("nll_loss_nd", call(T("nca"), ints("na", "c"), None, reduction))
        r.add("poisson_nll_loss", call(T("ab"), positive("ab", grad=False), True, False, 1e-8, reduction))
        r.add("hinge_embedding_loss", call(positive("ab"), T("ab", "signs", grad=False), 1.0, reduction))
        r.add("margin_ranking_loss", call(T("a"), T("a"), T("a", "signs", grad=False), 0.3, reduction))
        r.add("cosine_embedding_loss", call(T("ab"), T("ab"), T("a", "signs", grad=False), 0.1, reduction))
        r.add("triplet_margin_loss", call(T("ab"), T("ab"), T("ab"), 1.0, 2.0, 1e-6, False, reduction))
    r.add("smooth_l1_loss huber_loss", call(T("ab"), data("ab")))
    r.add("masked_fill", call(T("ab"), bools("ab"), -1e9))
