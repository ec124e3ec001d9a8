"""Complex numbers, Fourier transforms, special functions, the rest of linear algebra."""

from spec import FLOATS, KINDS, Dtype, Maker, Registry, T, above_one, call, data, definite, positive, regular, unit

import torch

BOTH = ("float64",)


def _complex(maker: Maker, shape: list[int], _spec: T) -> torch.Tensor:
    return torch.complex(maker.normal(shape), maker.normal(shape))


KINDS.update(complex=_complex)


def pairs(dims: str) -> T:
    """Complex numbers."""
    return T(dims, "complex", "complex128", grad=False)


def register(r: Registry) -> None:
    complex_numbers(r)
    fourier(r)
    special(r)
    linear_algebra(r)
    r.add("histogram", call(data("nm"), 5), call(data("n"), 3, range=[-1.0, 1.0]))


def complex_numbers(r: Registry) -> None:
    r.add("complex", call(T("ab"), T("ab")))
    r.add("polar", call(positive("ab"), T("ab")))
    r.add("view_as_complex", call(T("ab2")))
    r.add("view_as_real real imag conj resolve_conj resolve_neg angle is_conj", call(pairs("ab")), dtypes=BOTH)
    r.add("real conj resolve_neg", call(T("ab")))
    r.add("mul matmul", call(pairs("nn"), pairs("nn")), dtypes=BOTH, tolerance=20)
    r.add("abs exp sum mean", call(pairs("ab")), dtypes=BOTH, tolerance=20)


def fourier(r: Registry) -> None:
    r.add("hann_window hamming_window blackman_window bartlett_window", call(9), call(8, False), call(7, dtype=Dtype("float64")))
    r.add("kaiser_window", call(9), call(8, False, 3.5))
    one = "fft_fft fft_ifft"
    r.add(one, call(T("n")), call(T("ab"), 5, 0, "ortho"), call(T("am"), None, 1), tolerance=20)
    r.add(one, call(pairs("n")), call(pairs("am"), 4, -1, "forward"), dtypes=BOTH, tolerance=20)
    r.add("fft_rfft fft_ihfft", call(T("n")), call(T("am"), 5, -1, "ortho"), tolerance=20)
    r.add("fft_irfft fft_hfft", call(pairs("n")), call(pairs("am"), 6, -1, "ortho"), dtypes=BOTH, tolerance=20)
    r.add("fft_fft2 fft_ifft2 fft_fftn fft_ifftn fft_rfft2 fft_rfftn", call(T("anm")), tolerance=20)
    r.add("fft_irfft2 fft_irfftn", call(pairs("anm")), dtypes=BOTH, tolerance=20)
    r.add("fft_fftfreq fft_rfftfreq", call(7, 0.5), call(8), dtypes=("float32",))
    r.add("fft_fftshift fft_ifftshift", call(T("nm")), call(T("n"), [0]))
    r.add("stft", call(T("m"), 4, 2, 4, data("4"), False, True, True, grad=False), tolerance=20)
    r.add("istft", call(pairs("35"), 4, 1, 4), dtypes=BOTH, tolerance=50)


def special(r: Registry) -> None:
    names = "erf erfc erfcx exp2 expm1 expit i0 i0e i1 i1e log_ndtr ndtr sinc"
    r.add(" ".join(f"special_{name}" for name in names.split()), call(T("ab")), tolerance=20)
    names = "entr psi digamma gammaln log1p bessel_j0 bessel_j1 bessel_y0 bessel_y1 modified_bessel_i0"
    names += " modified_bessel_i1 modified_bessel_k0 modified_bessel_k1 airy_ai spherical_bessel_j0"
    r.add(" ".join(f"special_{name}" for name in names.split()), call(positive("ab")), tolerance=50)
    r.add("special_erfinv", call(unit("ab")), tolerance=50)
    r.add("special_ndtri special_logit", call(T("ab", "probabilities")), tolerance=50)
    r.add("special_polygamma", call(1, positive("ab")), call(2, positive("ab")), tolerance=50)
    r.add("special_multigammaln", call(above_one("ab"), 1), tolerance=50)
    r.add("special_round", call(T("ab")), call(T("ab"), decimals=2))
    r.add("special_logsumexp", call(T("ab"), [1]), call(T("abc"), [0, 2], True))
    r.add("special_softmax special_log_softmax", call(T("ab"), 1))
    r.add("special_xlogy special_xlog1py", call(T("ab"), positive("ab")))
    r.add("special_zeta", call(above_one("ab"), positive("ab"), grad=False), tolerance=50)
    r.add("special_gammainc special_gammaincc", call(positive("ab"), positive("ab"), grad=False), tolerance=50)


def linear_algebra(r: Registry) -> None:
    r.add("linalg_eig", call(T("nn"), grad=False), dtypes=FLOATS, tolerance=100, compare="first")
    r.add("linalg_eigvals", call(T("nn"), grad=False), tolerance=100)
    r.add("linalg_eigvalsh", call(definite("nn")), tolerance=50)
    r.add("linalg_svdvals", call(T("nc"), grad=False), tolerance=20)
    r.add("linalg_cond", call(definite("nn"), grad=False), tolerance=50)
    r.add("linalg_solve_triangular", call(regular("nn"), T("nb"), upper=True, grad=False), tolerance=50)
    r.add("linalg_lu_factor", call(regular("nn"), grad=False), tolerance=20)
    r.add("linalg_multi_dot", call([T("ab"), T("bc"), T("cd")]))
    r.add("linalg_cross", call(T("a3"), T("a3")), call(T("3a"), T("3a"), dim=0))
    r.add("linalg_cholesky_ex", call(definite("nn"), grad=False), tolerance=20)
    r.add("linalg_inv_ex", call(regular("nn"), grad=False), tolerance=50)
    r.add("linalg_matrix_exp", call(regular("33")), tolerance=50)
    r.add("linalg_tensorinv", call(T("224"), 2, grad=False), tolerance=2000)
    r.add("linalg_tensorsolve", call(T("224"), T("22"), grad=False), tolerance=2000)
    r.add("linalg_vander", call(T("a")), call(T("a"), N=3))
    r.add("linalg_vecdot", call(T("ab"), T("ab")), call(T("ab"), T("ab"), dim=0))
    r.add("linalg_diagonal", call(T("nm")), call(T("anm"), offset=1))
