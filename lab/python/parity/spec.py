"""A small language for operator calls on random tensors, whose sizes are drawn anew for each case."""

from collections.abc import Callable
from dataclasses import dataclass, field

from store import DEVICE

import torch

FLOATS = ("float32", "float64")
HALVES = ("bfloat16", "float16")
ALL_FLOATS = FLOATS + HALVES
INTEGERS = ("int64", "int32")
NUMBERS = FLOATS + INTEGERS

Sizes = dict[str, int]


@dataclass(frozen=True)
class T:
    """A tensor argument. `dims`: letters (a random size each, equal for equal letters) and digits."""

    dims: str
    kind: str = "normal"
    dtype: str | None = None
    low: int = 0
    high: int | str = 4
    """Exclusive bound of integers; a letter means the size of that dimension."""
    grad: bool = True


def positive(dims: str, **rest) -> T:
    return T(dims, "positive", **rest)


def unit(dims: str, **rest) -> T:
    """Values in (-0.9, 0.9)."""
    return T(dims, "unit", **rest)


def above_one(dims: str) -> T:
    return T(dims, "above_one")


def spaced(dims: str) -> T:
    """Distinct values at least 0.1 apart, for operators that compare or sort."""
    return T(dims, "spaced")


def with_nans(dims: str) -> T:
    return T(dims, "with_nans")


def definite(dims: str) -> T:
    """Symmetric positive definite matrices."""
    return T(dims, "definite")


def regular(dims: str) -> T:
    """Well-conditioned square matrices."""
    return T(dims, "regular")


def ints(dims: str, high: int | str = 4, low: int = 0, dtype: str = "int64") -> T:
    return T(dims, "ints", dtype, low, high, grad=False)


def bools(dims: str) -> T:
    return T(dims, "bools", "bool", grad=False)


def permutation(dims: str) -> T:
    """A permutation of 0..n-1 along the last dimension."""
    return T(dims, "permutation", "int64", grad=False)


def data(dims: str) -> T:
    """A tensor without gradient."""
    return T(dims, grad=False)


@dataclass(frozen=True)
class Dtype:
    name: str


@dataclass
class Call:
    """One way to call an operator; arguments may be functions of the sizes."""

    args: tuple
    kwargs: dict
    dtypes: tuple[str, ...] | None = None
    seed: int | None = None
    """Set for operators that draw random numbers: the state of the generator before the call."""
    grad: bool = True


@dataclass
class Operator:
    name: str
    calls: list[Call]
    dtypes: tuple[str, ...]
    tolerance: float = 1.0
    compare: str = "values"
    """`values`, or `product`: only defined up to signs, so compare what the README says for this operator."""


def call(
    *args, dtypes: tuple[str, ...] | None = None, seed: int | None = None, grad: bool = True, **kwargs
) -> Call:
    return Call(args, kwargs, dtypes, seed, grad)


class Registry:
    """Collects operators; `add("name", call, ...)`."""

    def __init__(self):
        self.operators: list[Operator] = []

    def add(
        self,
        names: str,
        *calls: Call,
        dtypes: tuple[str, ...] = FLOATS,
        tolerance: float = 1.0,
        compare: str = "values",
    ) -> None:
        for name in names.split():
            self.operators.append(Operator(name, list(calls), dtypes, tolerance, compare))


def draw_sizes(generator: torch.Generator) -> Sizes:
    """Sizes of the letters a..h; `n` and `m` are a little larger."""
    sizes = {letter: int(torch.randint(2, 6, (1,), generator=generator)) for letter in "abcdefgh"}
    sizes["n"] = int(torch.randint(4, 9, (1,), generator=generator))
    sizes["m"] = int(torch.randint(6, 11, (1,), generator=generator))
    return sizes


def shape_of(dims: str, sizes: Sizes) -> list[int]:
    return [int(symbol) if symbol.isdigit() else sizes[symbol] for symbol in dims]


@dataclass
class Maker:
    """Draws the tensors of one case."""

    generator: torch.Generator
    sizes: Sizes
    dtype: str
    made: list[torch.Tensor] = field(default_factory=list)

    def normal(self, shape: list[int]) -> torch.Tensor:
        return torch.randn(shape, generator=self.generator, dtype=torch.float64)

    def make(self, spec: T) -> torch.Tensor:
        shape = shape_of(spec.dims, self.sizes)
        values = KINDS[spec.kind](self, shape, spec)
        return values.to(getattr(torch, spec.dtype or self.dtype)).contiguous().to(DEVICE)


def _spaced(maker: Maker, shape: list[int]) -> torch.Tensor:
    count = 1
    for size in shape:
        count *= size
    order = torch.randperm(count, generator=maker.generator).double()
    return ((order - count / 2 + 0.3) * 0.25).reshape(shape)


def _integers(maker: Maker, shape: list[int], spec: T) -> torch.Tensor:
    high = maker.sizes[spec.high] if isinstance(spec.high, str) else spec.high
    return torch.randint(spec.low, high, shape, generator=maker.generator)


def _with_nans(maker: Maker, shape: list[int]) -> torch.Tensor:
    values = maker.normal(shape)
    special = torch.tensor([float("nan"), float("inf"), float("-inf")], dtype=torch.float64)
    which = torch.randint(0, 3, shape, generator=maker.generator)
    return torch.where(torch.rand(shape, generator=maker.generator) < 0.3, special[which], values)


def _regular(maker: Maker, shape: list[int]) -> torch.Tensor:
    return 0.3 * maker.normal(shape) + 2 * torch.eye(shape[-1], dtype=torch.float64)


def _definite(maker: Maker, shape: list[int]) -> torch.Tensor:
    factor = maker.normal(shape)
    return factor @ factor.mT / shape[-1] + torch.eye(shape[-1], dtype=torch.float64)


def _normal(maker: Maker, shape: list[int]) -> torch.Tensor:
    if maker.dtype in INTEGERS:
        return torch.randint(-5, 6, shape, generator=maker.generator).double()
    return maker.normal(shape)


def _positive(maker: Maker, shape: list[int]) -> torch.Tensor:
    if maker.dtype in INTEGERS:
        return torch.randint(1, 6, shape, generator=maker.generator).double()
    return 0.2 + maker.normal(shape).abs()


KINDS: dict[str, Callable[[Maker, list[int], T], torch.Tensor]] = {
    "normal": lambda maker, shape, spec: _normal(maker, shape),
    "positive": lambda maker, shape, spec: _positive(maker, shape),
    "unit": lambda maker, shape, spec: 1.8 * torch.rand(shape, generator=maker.generator).double() - 0.9,
    "above_one": lambda maker, shape, spec: 1.1 + maker.normal(shape).abs(),
    "spaced": lambda maker, shape, spec: _spaced(maker, shape),
    "with_nans": lambda maker, shape, spec: _with_nans(maker, shape),
    "definite": lambda maker, shape, spec: _definite(maker, shape),
    "regular": lambda maker, shape, spec: _regular(maker, shape),
    "ints": _integers,
    "bools": lambda maker, shape, spec: torch.rand(shape, generator=maker.generator) < 0.5,
    "permutation": lambda maker, shape, spec: torch.rand(shape, generator=maker.generator).argsort(-1),
}
