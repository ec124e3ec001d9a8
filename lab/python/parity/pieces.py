"""What has no operator of its own: dtypes' limits and promotion, estimates of gradients, printing, shares of ranks.

    python lab/python/parity/pieces.py

Prints one JSON object for tests/torch/parity/pieces.test.ts.
"""

import json

import torch
from torch.utils.data.distributed import DistributedSampler

REALS = "uint8 int8 int16 int32 int64 float16 float32 float64 bool bfloat16 complex64 complex128".split()
FLOATS = "float16 bfloat16 float32 float64 complex64 complex128 float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz"
INTEGERS = "uint8 int8 int16 int32 int64 uint16 uint32"
SHOWN = [
    [1.23456789, -2.5, 1e-3],
    [1000.5, 0.25, 3.0],
    [1.0, 2.0, 3.0],
    [1e-6, 1.0, 1e9],
    [0.125, 0.375, float("nan")],
    list(range(40)),
    [x / 7 for x in range(2000)],
    [9.5, 1.5, -0.05],
    [1e25, -2e22],
]
PRINTING = [
    {"precision": 2},
    {"precision": 6, "linewidth": 40},
    {"profile": "short"},
    {"profile": "full", "linewidth": 120},
    {"threshold": 5, "edgeitems": 2},
    {"sci_mode": True},
    {"sci_mode": False, "precision": 3},
    {"precision": 0},
    {"precision": 0, "sci_mode": True},
    {"precision": 130, "linewidth": 300},
    {"precision": 101, "sci_mode": True},
    {"profile": "default"},
]
GRADIENTS = [
    {},
    {"spacing": 0.5},
    {"dim": 1},
    {"dim": [0, 1], "spacing": 2},
    {"spacing": [2.0, 0.5]},
    {"dim": 0, "edge_order": 2},
    {"coordinates": [[0.0, 1.0, 3.0, 4.5], [1.0, 2.0, 5.0]]},
    {"coordinates": [[1.0, 2.0, 5.0]], "dim": 1, "edge_order": 2},
]
SHARES = [
    {"count": 10, "num_replicas": 3},
    {"count": 10, "num_replicas": 3, "drop_last": True, "seed": 5, "epoch": 2},
    {"count": 2, "num_replicas": 5},
    {"count": 7, "num_replicas": 2, "shuffle": False},
]


def dtype(name: str) -> torch.dtype:
    return getattr(torch, name)


def name(found: torch.dtype) -> str:
    return str(found).removeprefix("torch.")


def gradient(settings: dict) -> list:
    values = torch.tensor([[1.0, 4.0, 9.0], [2.0, 3.0, 7.0], [5.0, 1.0, 0.5], [2.0, 2.0, 8.0]])
    options = dict(settings)
    if "coordinates" in options:
        options["spacing"] = tuple(torch.tensor(one) for one in options.pop("coordinates"))
    return [one.tolist() for one in torch.gradient(values, **options)]


def printed(settings: dict) -> list[str]:
    torch.set_printoptions(**settings)
    texts = [str(torch.tensor(values)) for values in SHOWN]
    torch.set_printoptions(profile="default")
    return texts


def shares(settings: dict) -> list[list[int]]:
    options = {key: value for key, value in settings.items() if key not in ("count", "epoch")}
    orders = []
    for rank in range(settings["num_replicas"]):
        sampler = DistributedSampler(range(settings["count"]), rank=rank, **options)
        sampler.set_epoch(settings.get("epoch", 0))
        orders.append(list(sampler))
    return orders


def finfo(kind: str) -> dict:
    found = torch.finfo(dtype(kind))
    return {key: getattr(found, key) for key in "bits eps max min tiny smallest_normal resolution dtype".split()}


def iinfo(kind: str) -> dict:
    found = torch.iinfo(dtype(kind))
    return {"bits": found.bits, "max": str(found.max), "min": str(found.min), "dtype": found.dtype}




def main() -> None:
    answer = {
        "finfo": {kind: finfo(kind) for kind in FLOATS.split()},
        "iinfo": {kind: iinfo(kind) for kind in INTEGERS.split()},
        "promote": {a: {b: name(torch.promote_types(dtype(a), dtype(b))) for b in REALS} for a in REALS},
        "cast": {a: {b: torch.can_cast(dtype(a), dtype(b)) for b in REALS} for a in REALS},
        "result": {
            a: {b: name(torch.result_type(torch.ones(2, dtype=dtype(a)), torch.ones((), dtype=dtype(b)))) for b in REALS}
            for a in REALS
        },
        "result_number": {a: name(torch.result_type(torch.ones(2, dtype=dtype(a)), 1.5)) for a in REALS},
        "shapes": [
            [shapes, list(torch.broadcast_shapes(*[tuple(s) for s in shapes]))]
            for shapes in ([[2, 1], [3]], [[4, 1, 3], [2, 1], []], [[0], [1]], [[5]])
        ],
        "gradient": [[settings, gradient(settings)] for settings in GRADIENTS],
        "printed": [[settings, printed(settings)] for settings in PRINTING],
        "shares": [[settings, shares(settings)] for settings in SHARES],
    }
    # NaN is no JSON
    print(json.dumps({**answer, "shown": [[None if x != x else x for x in one] for one in SHOWN]}))


if __name__ == "__main__":
    main()
