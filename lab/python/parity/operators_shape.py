"""Shape, joining, splitting, indexing, scattering and filling operators."""

from spec import ALL_FLOATS, FLOATS, NUMBERS, Dtype, Registry, T, bools, call, data, ints, permutation, spaced


def register(registry: Registry) -> None:
    views(registry)
    more_views(registry)
    joining(registry)
    indexing(registry)
    filling(registry)
    creating(registry)
    python_indexing(registry)


def size(*letters: str):
    """The product of sizes, as an argument."""

    def compute(sizes: dict[str, int]) -> int:
        product = 1
        for letter in letters:
            product *= sizes[letter]
        return product

    return compute


def sizes_of(*letters: str | int):
    return lambda sizes: [letter if isinstance(letter, int) else sizes[letter] for letter in letters]


def views(r: Registry) -> None:
    r.add("reshape", call(T("abc"), [-1]), call(T("ab"), sizes_of("b", "a")), dtypes=NUMBERS + ("bfloat16",))
    r.add("view", call(T("abc"), lambda s: [s["a"], s["b"] * s["c"]]), call(T("ab"), [-1, 1]))
    r.add("view_as", call(T("ab"), data("ba")))
    r.add(
        "expand", call(T("a1"), sizes_of("a", "b")), call(T("b"), sizes_of("a", "b")), call(T("a1"), [-1, 3])
    )
    r.add("broadcast_to", call(T("a1"), sizes_of("a", "b")))
    r.add("expand_as", call(T("a1"), data("ab")))
    r.add("flatten", call(T("abc")), call(T("abcd"), 1, 2))
    r.add("unflatten", call(T("a6"), 1, [2, 3]), call(T("6b"), 0, [-1, 2]))
    r.add("squeeze", call(T("a1b1")), call(T("a1b"), 1), call(T("a1b1"), [1, 3]))
    r.add("squeeze_", call(T("1a1")), call(T("a1"), 1))
    r.add("unsqueeze unsqueeze_", call(T("ab"), 1), call(T("ab"), -1))
    r.add("transpose transpose_ swapaxes", call(T("abc"), 0, 2), call(T("abc"), -1, -2))
    r.add("t", call(T("ab")), call(T("a")))
    r.add("permute", call(T("abc"), [2, 0, 1]), call(T("abcd"), [0, -1, 1, 2]))
    r.add("movedim", call(T("abc"), 0, 2), call(T("abcd"), [0, 1], [-1, 0]))
    r.add("narrow", call(T("nb"), 0, 1, 2), call(T("an"), -1, -2, 2))
    r.add("select", call(T("abc"), 1, 0), call(T("abc"), -1, -1))
    r.add("slice", call(T("mb"), 0, 1, 5), call(T("am"), 1, 0, 6, 2), call(T("am"), -1, -3))
    r.add("unfold", call(T("m"), 0, 3, 2), call(T("am"), 1, 2, 1))
    r.add("as_strided", call(T("m"), [2, 3], [2, 1]), call(T("m"), [2, 2], [1, 1], 1))
    r.add("contiguous clone detach ravel", call(T("ab")))
    r.add("detach_", call(data("ab")))
    r.add("atleast_1d atleast_2d atleast_3d", call(T("")), call(T("a")), call(T("ab")))
    r.add("repeat", call(T("ab"), [2, 3]), call(T("b"), [2, 1, 3]))
    r.add("tile", call(T("ab"), [2]), call(T("ab"), [2, 1, 2]))
    r.add("repeat_interleave", call(T("ab"), 2), call(T("ab"), 3, 1), call(T("ab"), ints("a", 4, 1), 0))
    r.add("roll", call(T("ab"), [1]), call(T("abc"), [1, -2], [0, 2]))
    r.add("flip", call(T("abc"), [0, 2]))
    r.add("fliplr flipud", call(T("ab")))
    r.add("rot90", call(T("ab")), call(T("abc"), 2, [1, 2]))
    r.add("type_as", call(T("ab"), data("a")), call(T("ab"), ints("a")))


def more_views(r: Registry) -> None:
    r.add("moveaxis", call(T("abc"), 0, -1), call(T("abc"), [0, 1], [2, 0]))
    r.add("adjoint", call(T("abc")))
    r.add("diagflat", call(T("ab")), call(T("a"), -1))


def joining(r: Registry) -> None:
    r.add("cat concat", call([T("ab"), T("cb")]), call([T("ab"), T("ac"), T("ad")], 1), dtypes=ALL_FLOATS)
    r.add("cat", call([ints("ab"), T("cb")], grad=False))
    r.add("stack", call([T("ab"), T("ab")]), call([T("ab"), T("ab"), T("ab")], -1))
    r.add("hstack vstack dstack", call([T("a"), T("a")]), call([T("ab"), T("ab")]))
    r.add("block_diag", call([T("ab"), T("cd"), T("2")]))
    r.add("cartesian_prod", call([T("a"), T("b")]))
    r.add("combinations", call(T("n")), call(T("a"), 2, True))
    r.add("meshgrid", call([T("a"), T("b")]), call([T("a"), T("b"), T("c")], indexing="xy"))
    r.add("broadcast_tensors", call([T("a1"), T("b")]))
    r.add("split", call(T("mb"), 3), call(T("am"), 2, 1), call(T("6b"), [1, 2, 3]))
    r.add("split_with_sizes", call(T("6b"), [2, 4]), call(T("a6"), [1, 5], 1))
    r.add("chunk", call(T("mb"), 3), call(T("am"), 2, -1))
    r.add("vsplit", call(T("4b"), 2), call(T("6b"), [1, 3]))
    r.add("hsplit", call(T("a4"), 2), call(T("6"), [1, 3]))
    r.add("dsplit", call(T("ab4"), 2))
    r.add("column_stack", call([T("a"), T("ab"), T("a")]))
    r.add("tensor_split", call(T("mb"), 3), call(T("am"), [1, 4], 1))
    r.add("unbind", call(T("ab")), call(T("abc"), 1))


def indexing(r: Registry) -> None:
    r.add("select_scatter", call(T("abc"), T("ac"), 1, -1))
    r.add("slice_scatter", call(T("6b"), T("2b"), 0, 1, 5, 2))
    r.add("diagonal_scatter", call(T("44"), T("3"), 1))
    r.add("index_reduce", call(T("mb"), 0, ints("4", "m"), T("4b"), "mean"), call(T("mb"), 0, ints("4", "m"), spaced("4b"), "amax"))
    r.add(
        "index_select", call(T("nb"), 0, ints("m", "n")), call(T("an"), 1, ints("2", "n")), dtypes=ALL_FLOATS
    )
    r.add("gather", call(T("an"), 1, ints("am", "n")), call(T("nb"), 0, ints("2b", "n")))
    r.add("take", call(T("ab"), ints("m", 4)))
    r.add("take_along_dim", call(T("an"), ints("a3", "n"), 1), call(T("ab"), ints("m", 4)))
    r.add("masked_select", call(T("ab"), bools("ab")), call(T("ab"), bools("b")))
    r.add("masked_fill masked_fill_", call(T("ab"), bools("ab"), 0.5), call(T("ab"), bools("b"), T("")))
    r.add("masked_scatter masked_scatter_", call(T("nm"), bools("nm"), T("99")))
    for name in ("index_add", "index_add_"):
        r.add(name, call(T("nb"), 0, ints("m", "n"), T("mb")))
        r.add(name, call(T("an"), 1, ints("m", "n"), T("am"), alpha=0.5))
    r.add("index_copy index_copy_", call(T("nb"), 0, permutation("n"), T("nb")))
    r.add(
        "index_fill index_fill_",
        call(T("nb"), 0, ints("2", "n"), 0.5),
        call(T("an"), 1, ints("2", "n"), T("")),
    )
    for name in ("index_put", "index_put_"):
        r.add(name, call(T("nm"), [permutation("n"), None], T("nm")))
        r.add(name, call(T("nm"), [ints("3", "n"), ints("3", "m")], T("3"), True))
        r.add(name, call(T("nm"), [bools("nm")], T("")))
    r.add(
        "index",
        call(T("nm"), [ints("4", "n")]),
        call(T("nmb"), [None, ints("3", "m")]),
        call(T("nm"), [bools("nm")]),
    )
    for name in ("scatter", "scatter_"):
        r.add(name, call(T("an"), 1, permutation("an"), T("an")))
        r.add(name, call(T("an"), 1, permutation("an"), 0.5))
    r.add("scatter", call(data("an"), 1, ints("an", "n"), data("an"), reduce="add"))
    r.add(
        "scatter_add scatter_add_",
        call(T("an"), 1, ints("am", "n"), T("am")),
        call(T("nb"), 0, ints("nb", "n"), T("nb")),
    )
    for how in ("sum", "mean", "amax", "amin", "prod"):
        r.add(
            "scatter_reduce", call(spaced("an"), 1, ints("an", "n"), T("an"), how, include_self=how != "mean")
        )
    r.add("scatter_reduce_", call(T("an"), 1, ints("an", "n"), T("an"), "sum"))
    r.add("put_", call(T("nm"), ints("3", 20), T("3"), True))
    r.add(
        "where",
        call(bools("ab"), T("ab"), T("b")),
        call(bools("ab"), T("ab"), 0.5),
        call(bools("ab"), 0.5, T("b")),
    )
    r.add("where", call(bools("ab")))
    r.add("nonzero argwhere", call(bools("ab")), call(ints("abc", 2)))
    r.add("tril_indices triu_indices", call(5, 4), call(4, 6, 1))
    r.add(
        "isin",
        call(ints("ab", 6), ints("3", 6)),
        call(ints("ab", 6), 2),
        call(ints("ab", 6), ints("3", 6), invert=True),
    )


def filling(r: Registry) -> None:
    r.add("copy_", call(T("ab"), T("b")), call(T("ab"), ints("ab")), dtypes=FLOATS + ("bfloat16",))
    r.add("fill_", call(T("ab"), 0.5), call(T("ab"), T("")))
    r.add("zero_", call(T("ab")))
    r.add("fill_diagonal_", call(T("nm"), 0.5), call(T("mc"), 2.0, True))
    r.add("one_hot", call(ints("ab", 4), 4), call(ints("a", 3)))


def creating(r: Registry) -> None:
    """Operators that make tensors; a `dtype` is always named, since the defaults differ between languages."""
    f32, f64, i64 = Dtype("float32"), Dtype("float64"), Dtype("int64")
    once = ("float32",)
    r.add("zeros ones", call([2, 3], dtype=f64), call([], dtype=i64), call([0, 4], dtype=f32), dtypes=once)
    r.add("full", call([2, 2], 0.25, dtype=f64), call([3], True, dtype=Dtype("bool")), dtypes=once)
    r.add("eye", call(3, dtype=f32), call(2, 4, dtype=f64), dtypes=once)
    r.add("arange", call(5, dtype=i64), call(1, 4, 0.5, dtype=f64), call(6, -3, -2, dtype=f32), dtypes=once)
    r.add("linspace logspace", call(-1, 2, 7, dtype=f64), call(0.5, 3, 1, dtype=f32), dtypes=once)
    r.add("rand randn", call([3, 5], dtype=f32, seed=21), call([40], dtype=f64, seed=22), dtypes=once)
    r.add("randint", call(-3, 9, [4, 6], dtype=i64, seed=23), dtypes=once)
    r.add("randperm", call(17, dtype=i64, seed=24), dtypes=once)
    r.add("zeros_like ones_like", call(data("ab")), call(ints("ab"), dtype=f64))
    r.add("full_like", call(data("ab"), 0.5))
    r.add("rand_like randn_like", call(data("nm"), seed=25))


def refused(r: Registry) -> None:
    """Calls that PyTorch answers with an error; the other side must answer with one too, and live on."""
    r.add("mm", call(data("34"), data("34")))
    r.add("add", call(data("34"), data("5")))
    r.add("cat", call([data("34"), data("35")]))
    r.add("reshape", call(data("34"), [5, -1]))
    r.add("view", call(data("34"), [7]))
    r.add("select", call(data("34"), 0, 3))
    r.add("index_select", call(data("34"), 0, ints("2", 9, 8)))
    r.add("embedding", call(data("34"), ints("2", 9, 8)))
    r.add("sum", call(data("34"), 2))
    r.add("permute", call(data("34"), [0, 0]))
    r.add("expand", call(data("34"), [3, 5]))
    r.add("squeeze", call(data("34"), 5))
    r.add("layer_norm", call(data("34"), [5]))
    r.add("linear", call(data("34"), data("53")))
    r.add("linalg_cholesky", call(T("33", "negative", grad=False)))
    r.add("linalg_inv", call(T("33", "zero", grad=False)))
    r.add("cross_entropy_loss", call(data("34"), ints("3", 9, 8)))
    r.add("scatter", call(data("34"), 1, ints("34", 9, 8), data("34")))
    r.add("topk", call(data("34"), 9))
    r.add("split_with_sizes", call(data("34"), [1, 1]))
    r.add("einsum", call("ij,jk->ik", [data("34"), data("34")]))
    r.add("bitwise_and", call(data("34"), data("34")))
    r.add("multinomial", call(T("3", "negative_vector", grad=False), 2))


def python_indexing(r: Registry) -> None:
    """Square brackets: `{"slice": [start, stop, step]}`, `"..."`, null (a new dimension), lists, tensors."""

    def cut(start=None, stop=None, step=None):
        return {"slice": [start, stop, step]}

    r.add(
        "__getitem__",
        call(T("nmb"), [0]),
        call(T("nmb"), [-1, 2]),
        call(T("nmb"), [cut(1, 3)]),
        call(T("nmb"), [cut(), cut(None, None, 2), 0]),
        call(T("nmb"), ["...", 0]),
        call(T("nmb"), [None, 1, "...", None]),
        call(T("nmb"), [[0, 2, 2]]),
        call(T("nmb"), [cut(), ints("3", "m")]),
        call(T("nmb"), [ints("3", "n"), ints("3", "m")]),
        call(T("nmb"), [ints("3", "n"), cut(), ints("3", "b")]),
        call(T("nmb"), [bools("nm")]),
        call(T("nmb"), [bools("n"), 0]),
        call(T("nmb"), [cut(-3), cut(None, -1), 1]),
    )
    r.add(
        "__setitem__",
        call(T("nm"), [0], T("m")),
        call(T("nm"), [cut(), 1], 0.5),
        call(T("nm"), [cut(1, 3), cut(0, 4, 2)], T("2")),
        call(T("nm"), [permutation("n")], T("nm")),
        call(T("nm"), [bools("nm")], 0.25),
        call(T("nm"), ["...", -1], T("n")),
    )
