"""Commands that time small operators, a small network, the optimizer's step, and large matrix products."""

import statistics
import time
from collections.abc import Callable

import torch
from model_steps import gpt, resnet
from torch.nn import functional

SIDE = 4
MLP = {"batch": 32, "inputs": 64, "hidden": 128, "outputs": 10}
OPTIMIZER = {"parameters": 200, "shape": [64, 64]}


def operators(device: str) -> dict[str, Callable[[], object]]:
    """Twelve operators on 4 x 4 float32 tensors, without gradients."""
    a, b = torch.rand(SIDE, SIDE, device=device), torch.rand(SIDE, SIDE, device=device)
    index, weight = torch.tensor([0, 2, 1], device=device), torch.rand(SIDE, device=device)
    return {
        "add": lambda: a + b,
        "mul": lambda: a * b,
        "matmul": lambda: a @ b,
        "sum": lambda: a.sum(),
        "relu": lambda: torch.relu(a),
        "cat": lambda: torch.cat([a, b]),
        "exp": lambda: a.exp(),
        "softmax": lambda: torch.softmax(a, -1),
        "layer_norm": lambda: functional.layer_norm(a, (SIDE,), weight, weight),
        "transpose": lambda: a.t(),
        "index_select": lambda: torch.index_select(a, 0, index),
        "add_": lambda: b.add_(1.0),
    }


def mlp(device: str) -> Callable[[], object]:
    """Forward, mean squared error and backward of a two-layer network with ReLU."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(MLP["inputs"], MLP["hidden"]),
        torch.nn.ReLU(),
        torch.nn.Linear(MLP["hidden"], MLP["outputs"]),
    ).to(device)
    x = torch.rand(MLP["batch"], MLP["inputs"], device=device)
    y = torch.rand(MLP["batch"], MLP["outputs"], device=device)

    def run() -> None:
        network.zero_grad()
        functional.mse_loss(network(x), y).backward()

    return run


def optimizer(device: str, **options: bool) -> Callable[[], object]:
    shape = OPTIMIZER["shape"]
    parameters = [
        torch.rand(shape, device=device, requires_grad=True) for _ in range(OPTIMIZER["parameters"])
    ]
    for parameter in parameters:
        parameter.grad = torch.rand(shape, device=device)
    return torch.optim.AdamW(parameters, lr=1e-3, **options).step


def median_time(
    work: Callable[[], object], calls: int, repeats: int, wait: Callable[[], object] = lambda: None
) -> dict:
    """Median and minimum over `repeats` of the mean time of `calls` calls, in nanoseconds per call.

    `wait` waits until an accelerator is done.
    """
    for _ in range(calls):
        work()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter_ns()
        for _ in range(calls):
            work()
        wait()
        times.append((time.perf_counter_ns() - begin) / calls)
    return {
        "median_ns": statistics.median(times),
        "minimum_ns": min(times),
        "calls": calls,
        "repeats": repeats,
    }


class SmallWorkload:
    """`<name> [calls] [repeats]` times one entry; `all` times each of them."""

    def __init__(self, device: str = "cpu"):
        self.device = device
        self.entries = {name: (work, True, 1000) for name, work in operators(device).items()}
        self.entries["mlp"] = (mlp(device), False, 50)
        self.entries["adamw"] = (optimizer(device), False, 3)
        self.entries["adamw_foreach"] = (optimizer(device, foreach=True), False, 3)
        self.entries["adamw_fused"] = (optimizer(device, fused=True), False, 3)
        for name, options in (("foreach", {"foreach": True}), ("fused", {"fused": True})):
            self.entries[f"gpt_{name}"] = (gpt(device, **options), False, 1)
            self.entries[f"resnet_{name}"] = (resnet(device, **options), False, 1)

    def ready(self) -> dict:
        return {"names": list(self.entries), "side": SIDE, "mlp": MLP, "optimizer": OPTIMIZER}

    def commands(self) -> dict:
        single = {name: lambda words, name=name: self.measure(name, words) for name in self.entries}
        return {
            **single,
            "all": lambda words: {"entries": [self.measure(name, words) for name in self.entries]},
        }

    def measure(self, name: str, words: list[str]) -> dict:
        work, without_gradient, calls = self.entries[name]
        calls = int(words[0]) if words else calls
        repeats = int(words[1]) if len(words) > 1 else 30
        with torch.set_grad_enabled(not without_gradient):
            wait = torch.cuda.synchronize if self.device.startswith("cuda") else lambda: None
            return {"name": name, **median_time(work, calls, repeats, wait)}


class MatmulWorkload:
    """`float32 [size] [repeats]` and `bfloat16 ...`: the best rate of a square matrix product."""

    def ready(self) -> dict:
        return {"names": ["float32", "bfloat16"]}

    def commands(self) -> dict:
        return {
            name: lambda words, name=name: self.measure(getattr(torch, name), words)
            for name in ("float32", "bfloat16")
        }

    def measure(self, dtype: torch.dtype, words: list[str]) -> dict:
        size = int(words[0]) if words else 2048
        repeats = int(words[1]) if len(words) > 1 else 10
        a, b = torch.rand(size, size).to(dtype), torch.rand(size, size).to(dtype)
        result = median_time(lambda: a @ b, 1, repeats)
        operations = 2 * size**3
        return {
            "size": size,
            "gflops": operations / result["minimum_ns"],
            "median_gflops": operations / result["median_ns"],
            **result,
        }
