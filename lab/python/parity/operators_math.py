"""Arithmetic, comparison, reduction, sorting, linear algebra and random operators."""

from spec import (
    ALL_FLOATS,
    FLOATS,
    INTEGERS,
    NUMBERS,
    Dtype,
    Registry,
    T,
    above_one,
    bools,
    call,
    data,
    definite,
    ints,
    positive,
    regular,
    spaced,
    unit,
    with_nans,
)


def register(registry: Registry) -> None:
    arithmetic(registry)
    comparison(registry)
    reductions(registry)
    sorting(registry)
    linear_algebra(registry)
    more_linear_algebra(registry)
    random(registry)


def arithmetic(r: Registry) -> None:
    r.add("neg abs sign sgn square", call(T("ab")), call(T("")), dtypes=ALL_FLOATS + INTEGERS)
    r.add(
        "exp exp2 expm1 sin cos tanh sigmoid erf erfc sinh cosh asinh atan sinc deg2rad rad2deg tan",
        call(T("ab")),
        call(T("abc")),
        dtypes=ALL_FLOATS,
    )
    r.add("sqrt rsqrt log log2 log10 log1p reciprocal lgamma", call(positive("ab")), dtypes=ALL_FLOATS)
    r.add("log sqrt reciprocal exp tanh sigmoid", call(with_nans("ab"), grad=False))
    r.add("digamma", call(positive("ab")))
    r.add("erfinv asin acos atanh", call(unit("ab")))
    r.add("acosh", call(above_one("ab")))
    r.add("logit", call(unit("ab"), 0.05, grad=False), call(positive("ab"), 0.2, grad=False))
    r.add("ceil floor trunc fix frac", call(spaced("ab")), dtypes=ALL_FLOATS)
    r.add("round", call(spaced("ab")), call(T("ab"), decimals=2))
    r.add("nan_to_num nan_to_num_", call(with_nans("ab")), call(with_nans("ab"), 0.5, 9.0, -9.0))
    r.add("abs_ neg_ square_ exp_ tanh_ sigmoid_", call(T("ab")), dtypes=ALL_FLOATS)
    r.add("sqrt_ rsqrt_ log_ reciprocal_", call(positive("ab")))

    r.add("sin_ cos_ tan_ sinh_ cosh_ asinh_ atan_ erf_ erfc_ exp2_ expm1_", call(T("ab")))
    r.add("sinc_ deg2rad_ rad2deg_ sign_ sgn_", call(T("ab")))
    r.add("log2_ log10_ log1p_ lgamma_ digamma_", call(positive("ab")))
    r.add("erfinv_ asin_ acos_ atanh_", call(unit("ab")))
    r.add("acosh_", call(above_one("ab")))
    r.add("logit_", call(unit("ab"), 0.05, grad=False))
    r.add("ceil_ floor_ trunc_ fix_ frac_ round_", call(spaced("ab")))
    r.add("fmod_", call(T("ab"), 2), call(T("ab"), positive("b", grad=False)))
    r.add("true_divide_", call(T("ab"), positive("b")))
    r.add("floor_divide_", call(data("ab"), positive("b", grad=False)))
    r.add("atan2_ hypot_", call(positive("ab"), positive("b")))
    r.add("copysign_", call(T("ab"), T("b")))
    r.add("xlogy_", call(T("ab"), positive("b")))
    r.add("heaviside_", call(data("ab"), data("b")))
    r.add("logaddexp2", call(positive("ab"), positive("b")))
    r.add("float_power", call(positive("ab"), T("b")), call(positive("ab"), 0.5))
    r.add("ldexp", call(T("ab"), ints("b", 4)))
    r.add("frexp signbit", call(data("ab"), dtypes=FLOATS))
    r.add("gcd lcm", call(ints("ab", 30), ints("b", 12)), dtypes=("int64",))
    r.add("nextafter", call(data("ab"), data("b")))
    r.add("positive", call(T("ab")))
    r.add("rsub", call(T("ab"), T("b")), call(T("ab"), 2.5))
    r.add("polygamma", call(2, positive("ab")))
    r.add("mvlgamma", call(above_one("ab"), 2))

    two = (call(T("ab"), T("ab")), call(T("ab"), T("b")), call(T("a1c"), T("1bc")), call(T("ab"), T("")))
    r.add("add sub mul", *two, call(T("ab"), 3), dtypes=ALL_FLOATS + INTEGERS)
    r.add("add sub", call(T("ab"), T("b"), alpha=0.5), call(T("ab"), T("ab"), alpha=3))
    r.add("add_ sub_ mul_", call(T("ab"), T("b")), call(T("ab"), 2.5))
    r.add("div true_divide", call(T("ab"), positive("b")), call(T("ab"), 2.5), dtypes=ALL_FLOATS + INTEGERS)
    r.add(
        "div",
        call(T("ab"), positive("b"), rounding_mode="floor", dtypes=NUMBERS),
        call(T("ab"), 0.7, rounding_mode="trunc"),
    )
    r.add("div_", call(T("ab"), positive("b")), call(T("ab"), 2.5))
    r.add("remainder fmod", call(T("ab"), positive("ab"), grad=False), call(T("ab"), 2), dtypes=NUMBERS)
    r.add("floor_divide", call(data("ab"), positive("b", grad=False)), call(data("ab"), 2), dtypes=NUMBERS)
    r.add("remainder_", call(T("ab"), positive("b")))
    r.add(
        "pow",
        call(positive("ab"), T("b")),
        call(T("ab"), 3, dtypes=NUMBERS),
        call(positive("ab"), 0.5),
        call(2.5, T("ab")),
    )
    r.add("pow_", call(positive("ab"), T("b")), call(T("ab"), 2))
    r.add("maximum minimum fmax fmin", call(spaced("ab"), T("ab")), call(T("a1"), T("b")), dtypes=NUMBERS)
    r.add("atan2 hypot logaddexp", call(positive("ab"), positive("b")))
    r.add("copysign", call(T("ab"), T("b")), call(T("ab"), -1.5))
    r.add("xlogy", call(T("ab"), positive("b")), call(T("ab"), 2.5))
    r.add("heaviside", call(data("ab"), data("b")))
    for names in ("addcmul addcmul_", "addcdiv addcdiv_"):
        r.add(names, call(T("ab"), T("ab"), positive("b")), call(T("ab"), T("b"), positive("ab"), value=0.25))
    r.add("lerp lerp_", call(T("ab"), T("ab"), 0.3), call(T("ab"), T("ab"), T("b")))
    r.add(
        "clamp clamp_",
        call(T("ab"), -0.5, 0.5),
        call(T("ab"), None, 0.25),
        call(T("ab"), -0.25),
        call(T("ab"), data("b"), None),
    )
    r.add("clamp_min clamp_min_ clamp_max clamp_max_", call(T("ab"), 0.1), call(T("ab"), data("b")))
    masks = ("int64", "int32", "bool")
    r.add(
        "bitwise_and bitwise_or bitwise_xor",
        call(ints("ab", 16), ints("b", 16)),
        call(ints("ab", 16), 6),
        call(bools("ab"), bools("b")),
        dtypes=("int64",),
    )
    r.add("bitwise_and_ bitwise_or_ bitwise_xor_", call(ints("ab", 16), ints("b", 16)), dtypes=("int64",))
    r.add("bitwise_not bitwise_not_", call(ints("ab", 16)), call(bools("ab")), dtypes=masks[:1])
    r.add("bitwise_left_shift bitwise_right_shift", call(ints("ab", 16), ints("b", 4)), dtypes=masks[:1])


def comparison(r: Registry) -> None:
    small = (call(ints("ab", 3), ints("b", 3)), call(ints("ab", 3), 1), call(data("ab"), data("ab")))
    r.add("eq ne lt le gt ge", *small, call(data("a1"), data("b"), dtypes=ALL_FLOATS))
    r.add("isnan isinf isfinite isposinf isneginf", call(with_nans("ab")), dtypes=ALL_FLOATS)
    r.add(
        "logical_and logical_or logical_xor",
        call(bools("ab"), bools("b")),
        call(ints("ab", 2), ints("ab", 2)),
    )
    r.add("logical_not", call(bools("ab")), call(ints("ab", 2)))
    r.add("eq_ ne_ lt_ le_ gt_ ge_", *small)
    r.add("logical_and_ logical_or_ logical_xor_", call(bools("ab"), bools("b")))
    r.add("logical_not_", call(bools("ab")))
    r.add("isreal", call(data("ab")))
    r.add("isclose allclose", call(data("ab"), data("ab")), call(data("ab"), data("ab"), 0.5, 0.5, True))
    r.add(
        "equal", call(ints("2", 2), ints("2", 2)), call(data("ab"), data("ab")), call(data("ab"), data("cb"))
    )
    r.add("is_nonzero", call(data("1")), call(ints("", 2)))
    r.add("is_floating_point is_complex", call(data("ab"), dtypes=FLOATS + INTEGERS))


def reductions(r: Registry) -> None:
    shapes = (call(T("ab")), call(T("abc"), 1), call(T("abc"), -1, True))
    r.add("sum mean", *shapes, call(T("abc"), [0, 2]), call(T("abc"), [0, 2], True), dtypes=ALL_FLOATS)
    r.add(
        "sum", call(T("abc"), 1, dtypes=INTEGERS), call(bools("ab")), call(T("ab"), 0, dtype=Dtype("float64"))
    )
    r.add("nansum nanmean", call(T("ab")), call(T("abc"), 1, True), call(T("abc"), [0, 2]))
    r.add("prod", *shapes, dtypes=NUMBERS)
    r.add("cumsum_ cumprod_", call(T("ab"), 1))
    r.add("dist", call(T("ab"), T("ab")), call(T("ab"), T("b"), 1.5))
    r.add("renorm", call(T("ab"), 2, 0, 0.7))
    r.add("cumulative_trapezoid", call(T("ab")), call(T("ab"), spaced("b"), dim=1))
    r.add("amax amin", call(spaced("ab")), call(spaced("abc"), [0, 2]), call(spaced("abc"), 1, True))
    r.add(
        "max min",
        call(spaced("ab")),
        call(spaced("abc"), 1),
        call(spaced("abc"), 0, True),
        call(T("ab"), T("ab")),
    )
    r.add(
        "argmax argmin",
        call(spaced("ab")),
        call(spaced("abc"), 1),
        call(spaced("abc"), -1, True),
        dtypes=NUMBERS,
    )
    r.add("aminmax", call(spaced("ab")), call(spaced("ab"), dim=1, keepdim=True))
    r.add("std var", call(T("ab")), call(T("abc"), [1]), call(T("abc"), [0, 1], correction=0, keepdim=True))
    r.add("std_mean var_mean", call(T("ab")), call(T("abc"), [1], correction=0))
    r.add("all any", call(bools("ab")), call(bools("abc"), 1), call(ints("ab", 2), 0, True))
    r.add("norm", call(T("ab")), call(T("abc"), 2, [1], True), call(T("ab"), 1, 0))
    r.add("logsumexp", call(T("abc"), 1), call(T("abc"), [0, 2], True))
    r.add(
        "cumsum",
        call(T("abc"), 1),
        call(T("ab"), 0, dtypes=INTEGERS),
        call(T("ab"), -1, dtype=Dtype("float64")),
    )
    r.add("cumprod logcumsumexp", call(T("abc"), 1), call(T("ab"), -1))
    r.add("cummax cummin", call(spaced("abc"), 1), call(spaced("n"), 0))
    r.add("median nanmedian", call(spaced("ab")), call(spaced("abc"), 1), call(spaced("abc"), 0, True))
    r.add("mode", call(ints("an", 3), 1), call(ints("an", 3), 0, True))
    r.add(
        "quantile nanquantile",
        call(spaced("am"), 0.3),
        call(spaced("am"), 0.25, 1, True),
        call(spaced("am"), T("3", "unit_quantiles", grad=False), 1),
        call(spaced("am"), 0.6, 1, interpolation="nearest"),
    )
    r.add("count_nonzero", call(ints("ab", 2)), call(ints("abc", 2), 1), call(ints("abc", 2), [0, 2]))
    r.add("diff", call(T("ab")), call(T("an"), 2, 1), call(T("ab"), 1, 0, T("1b"), T("2b")))
    r.add("trapezoid", call(T("ab")), call(T("ab"), dx=0.5), call(T("ab"), spaced("b")))


def sorting(r: Registry) -> None:
    r.add("sort", call(spaced("an")), call(spaced("abc"), 1, True), dtypes=NUMBERS)
    r.add("sort", call(ints("m", 4), stable=True, dim=0, descending=False))
    r.add("argsort", call(spaced("an")), call(spaced("abc"), 0, True))
    r.add("topk", call(spaced("an"), 3), call(spaced("nb"), 2, 0, False), dtypes=NUMBERS)
    r.add("kthvalue", call(spaced("an"), 2), call(spaced("nb"), 3, 0, True))
    r.add("msort", call(spaced("nb")))
    sorted_edges = T("n", "edges", grad=False)
    r.add("searchsorted", call(sorted_edges, data("ab")), call(sorted_edges, data("ab"), right=True))
    r.add(
        "searchsorted", call(sorted_edges, 0.4), call(sorted_edges, data("a"), side="right", out_int32=True)
    )
    r.add("bucketize", call(data("ab"), sorted_edges), call(data("ab"), sorted_edges, right=True))
    r.add("unique_dim", call(ints("m2", 2), 0, True, True, True))
    r.add("unique_consecutive", call(ints("m", 2), True, True), call(ints("m2", 2), True, True, 0))
    r.add("bincount", call(ints("m", 4)), call(ints("m", 4), data("m")), call(ints("m", 4), None, 9))
    r.add("histc", call(data("ab"), 5, -2, 2), call(data("m")))


def linear_algebra(r: Registry) -> None:
    r.add(
        "matmul",
        call(T("ab"), T("bc")),
        call(T("b"), T("b")),
        call(T("ab"), T("b")),
        call(T("eab"), T("bc")),
        call(T("e1ab"), T("fbc")),
        dtypes=ALL_FLOATS,
    )
    r.add("mm", call(T("ab"), T("bc")), dtypes=ALL_FLOATS + INTEGERS)
    r.add("bmm", call(T("eab"), T("ebc")))
    r.add("mv", call(T("ab"), T("b")))
    r.add("dot vdot inner", call(T("a"), T("a")))
    r.add("inner", call(T("ab"), T("cb")))
    r.add("outer", call(T("a"), T("b")))
    r.add(
        "addmm addmm_", call(T("ac"), T("ab"), T("bc")), call(T("ac"), T("ab"), T("bc"), beta=0.5, alpha=2.0)
    )
    r.add("addmm", call(T("c"), T("ab"), T("bc")))
    r.add(
        "baddbmm", call(T("eac"), T("eab"), T("ebc")), call(T("eac"), T("eab"), T("ebc"), beta=0, alpha=0.5)
    )
    r.add("addmv", call(T("a"), T("ab"), T("b")), call(T("a"), T("ab"), T("b"), alpha=0.5))
    r.add("addr", call(T("ab"), T("a"), T("b")), call(T("ab"), T("a"), T("b"), beta=2.0))
    r.add(
        "einsum",
        call("ij,jk->ik", [T("ab"), T("bc")]),
        call("bij,bkj->bik", [T("eab"), T("ecb")]),
        call("ii->i", [T("aa")]),
        call("...d,d->...", [T("abc"), T("c")]),
        call("ij,ij,j->i", [T("ab"), T("ab"), T("b")]),
    )
    r.add("tensordot", call(T("abc"), T("bcd"), [1, 2], [0, 1]))
    r.add("cdist", call(T("ead"), T("ebd")), call(T("ad"), T("bd"), 1.0), call(T("nd"), T("md"), 2.0, 1))
    r.add("pdist", call(T("nd")), call(T("nd"), 1.0))
    r.add("cosine_similarity", call(T("ab"), T("ab")), call(T("abc"), T("abc"), 2, 1e-6))
    r.add("kron", call(T("ab"), T("cd")), call(T("a"), T("b")))
    r.add("cross", call(T("a3"), T("a3"), 1))
    r.add("trace", call(T("ab")))
    r.add("diag", call(T("a")), call(T("nn"), 1), call(T("nn"), -1))
    r.add("diagonal", call(T("nm")), call(T("anm"), 1, 1, 2))
    r.add("diag_embed", call(T("ab")), call(T("ab"), 1))
    r.add("triu tril", call(T("nm")), call(T("ann"), 1), call(T("nn"), -1))
    r.add("triu_ tril_", call(T("nn")), call(T("nn"), 1))
    r.add("linalg_norm", call(T("ab")), call(T("ab"), "fro"), call(T("ab"), 1), call(T("abc"), 2, [2]))
    r.add("linalg_vector_norm", call(T("ab")), call(T("abc"), 1, [1]), call(T("abc"), 3.5, [0, 2], True))
    r.add("linalg_matrix_norm", call(T("ab")), call(T("eab"), 1), call(T("ab"), "nuc", grad=False))
    r.add("linalg_inv inverse linalg_det", call(regular("nn")), call(regular("e33")), tolerance=20)
    r.add("linalg_slogdet", call(definite("nn")), tolerance=20)
    r.add("linalg_solve", call(regular("nn"), T("nb")), call(regular("e33"), T("e32")), tolerance=20)
    r.add("linalg_qr", call(T("mc")), call(T("nn"), "complete", grad=False), tolerance=20, compare="product")
    r.add("linalg_svd", call(T("nc"), False, grad=False), tolerance=20, compare="product")
    r.add("linalg_eigh", call(definite("nn"), grad=False), tolerance=20, compare="product")
    r.add("linalg_cholesky", call(definite("nn")), call(definite("e33")), tolerance=20)
    r.add("linalg_pinv", call(T("mc"), grad=False), tolerance=50)
    r.add("linalg_lstsq", call(T("m3"), T("m2"), grad=False), tolerance=50, compare="first")
    r.add("linalg_matrix_rank", call(data("ab")))
    r.add("linalg_matrix_power", call(T("nn"), 3), tolerance=20)
    r.add("matrix_exp", call(regular("33")), tolerance=50)
    r.add("cholesky_solve", call(T("nb"), regular("nn")), tolerance=50)
    r.add("corrcoef cov", call(T("am")))
    r.add("chain_matmul", call([T("ab"), T("bc"), T("cd")]))


def more_linear_algebra(r: Registry) -> None:
    r.add("logdet", call(definite("aa")))
    r.add("addbmm", call(T("bd"), T("abc"), T("acd")))
    r.add("baddbmm_", call(T("abd"), T("abc"), T("acd")))
    r.add("addmv_", call(T("a"), T("ab"), T("b")))
    r.add("linalg_lu", call(regular("aa")))
    r.add("linalg_lu_solve", call(regular("aa"), T("a", "pivots", "int32", grad=False), T("ab")))
    r.add("linalg_householder_product", call(unit("53"), unit("3")))
    r.add("cholesky_inverse", call(definite("aa")))
    r.add("vander", call(data("a")), call(data("a"), 3, True))


def random(r: Registry) -> None:
    """Equal seeds give equal numbers: the same generator draws them on both sides."""
    r.add("bernoulli", call(T("nm", "probabilities", grad=False), seed=1), call(data("nm"), 0.3, seed=2))
    r.add("multinomial", call(T("m", "probabilities", grad=False), 20, True, seed=3))
    r.add("multinomial", call(T("nm", "probabilities", grad=False), 3, seed=4))
    r.add("poisson", call(T("nm", "positive", grad=False), seed=5))
    r.add("normal", call(data("nm"), positive("nm", grad=False), seed=6), call(data("nm"), 0.5, seed=7))
    for name in ("uniform_", "normal_"):
        r.add(name, call(data("nm"), seed=8, dtypes=ALL_FLOATS), call(data("nm"), -2.0, 3.0, seed=9))
    r.add("bernoulli_", call(data("nm"), 0.3, seed=10))
    r.add("exponential_", call(data("nm"), seed=11), call(data("nm"), 2.5, seed=12))
    r.add("random_", call(data("nm"), 10, dtypes=INTEGERS, seed=13), call(data("nm"), 3, 9, seed=14))
    r.add("dropout", call(T("nm"), 0.3, True, seed=15), call(T("nm"), 0.3, False, seed=16))
    r.add("dropout_", call(T("nm"), 0.5, True, seed=17))
    r.add("alpha_dropout", call(T("nm"), 0.3, True, seed=18))
    r.add("rrelu", call(T("nm"), 0.1, 0.4, True, seed=19), call(T("nm")))
    r.add("scaled_dot_product_attention", call(T("e4nd"), T("e4md"), T("e4md"), None, 0.3, seed=20))
