"""Optimizers, learning-rate schedules and gradient clipping, step by step.

    python lab/python/parity/optimizers.py OUT_FOLDER [--seed N]

Writes optimizers.json and optimizers.safetensors; README.md tells the format.
"""

import argparse
import math
from pathlib import Path

from store import DEVICE, Store

import torch
from torch.optim import lr_scheduler

SHAPES = {"weight": (4, 3), "bias": (3,), "scale": (), "table": (5, 2)}
STEPS = 10
SAVED = (1, 2, 5, 10)

OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "maximize": True}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "betas": (0.8, 0.95), "eps": 1e-6}),
    ("Adam", {"lr": 0.01, "amsgrad": True}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.2, "betas": (0.7, 0.9), "eps": 1e-5}),
    ("AdamW", {"lr": 0.01, "amsgrad": True, "weight_decay": 0.05}),
    ("AdamW", {"lr": 0.01, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.7, "dampening": 0.5, "maximize": True}),
    *[
        (name, {"lr": 0.01, "weight_decay": 0.1, "amsgrad": amsgrad, "maximize": amsgrad, **form})
        for name in ("Adam", "AdamW")
        for amsgrad in (False, True)
        for form in ({"fused": True}, {"foreach": True}, {"foreach": False}, {"fused": False})
    ],
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.05, "alpha": 0.9, "eps": 1e-5, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {"momentum": 0.8}),
    ("RMSprop", {"momentum": 0.8, "centered": True, "weight_decay": 0.02}),
    ("RMSprop", {"centered": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.2, "weight_decay": 0.1, "initial_accumulator_value": 0.3}),
    ("Adagrad", {"eps": 1e-4, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-4, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.05, "betas": (0.8, 0.95), "weight_decay": 0.1, "momentum_decay": 0.02}),
    ("NAdam", {"weight_decay": 0.2, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.05, "betas": (0.8, 0.95), "weight_decay": 0.1, "eps": 1e-5}),
    ("RAdam", {"betas": (0.8, 0.99), "weight_decay": 0.2, "decoupled_weight_decay": True, "maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (0.01, 0.2), "maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.1, "lambd": 0.05, "alpha": 0.6, "t0": 3, "weight_decay": 0.1, "maximize": True}),
    ("Adafactor", {}),
    ("Adafactor", {"lr": 0.5, "beta2_decay": -0.5, "eps": (1e-3, 0.01), "d": 1.5, "weight_decay": 0.1, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.05, "betas": (0.7, 0.9), "weight_decay": 0.1, "eps": 1e-4, "maximize": True}),
]

# with sparse gradients
SPARSE = [
    ("SparseAdam", {}),
    ("SparseAdam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-6, "maximize": True}),
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.2, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.2}),
]

# LBFGS with a loss of its own, see `descent`
DESCENTS = [
    {},
    {"lr": 0.3, "max_iter": 4},
    {"history_size": 3, "max_iter": 6, "lr": 0.5},
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "history_size": 2, "max_iter": 5, "max_eval": 7},
    {"line_search_fn": "strong_wolfe", "tolerance_grad": 0.1, "tolerance_change": 1e-3, "lr": 2.0},
]

GROUPS = [
    ("AdamW", {"lr": 0.01}, [{"weight_decay": 0.0}, {"lr": 0.1, "weight_decay": 0.3}]),
    ("SGD", {"lr": 0.01, "momentum": 0.9}, [{"lr": 0.2, "momentum": 0.5}, {"weight_decay": 0.3}]),
    ("Adam", {"lr": 0.01}, [{"betas": (0.5, 0.6)}, {"lr": 0.1, "eps": 1e-4}]),
    ("RMSprop", {"lr": 0.01}, [{"momentum": 0.5}, {"alpha": 0.5, "centered": True}]),
    ("NAdam", {"lr": 0.01}, [{"betas": (0.5, 0.6)}, {"momentum_decay": 0.1}]),
]

SCHEDULES = [
    ("warmup_cosine", {"warmup_steps": 4, "total_steps": 12}, 12),
    ("warmup_cosine", {"warmup_steps": 0, "total_steps": 7}, 7),
    ("CosineAnnealingLR", {"T_max": 10}, 14),
    ("CosineAnnealingLR", {"T_max": 5, "eta_min": 0.02}, 12),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2}, 12),
    ("CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 1, "eta_min": 0.01}, 10),
    ("OneCycleLR", {"max_lr": [0.1, 0.5], "total_steps": 10}, 9),
    ("OneCycleLR", {"max_lr": 0.2, "total_steps": 10, "anneal_strategy": "linear"}, 9),
    ("StepLR", {"step_size": 3, "gamma": 0.5}, 8),
    ("MultiStepLR", {"milestones": [2, 5]}, 8),
    ("ExponentialLR", {"gamma": 0.9}, 8),
    ("ConstantLR", {}, 8),
    ("ConstantLR", {"factor": 0.5, "total_iters": 3}, 6),
    ("LinearLR", {}, 8),
    ("LinearLR", {"start_factor": 0.2, "end_factor": 0.8, "total_iters": 4}, 8),
    ("PolynomialLR", {"total_iters": 6, "power": 2.0}, 8),
    ("OneCycleLR", {"max_lr": [0.1, 0.5], "total_steps": 12, "pct_start": 0.4, "div_factor": 10.0}, 11),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4}, 20),
    ("CyclicLR", {"base_lr": [0.01, 0.2], "max_lr": [0.1, 0.4], "step_size_up": 3, "step_size_down": 5}, 20),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3, "mode": "triangular2"}, 20),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3, "mode": "exp_range", "gamma": 0.9}, 20),
    ("ReduceLROnPlateau", {"mode": "min", "factor": 0.3, "patience": 2}, 16),
    ("ReduceLROnPlateau", {"mode": "max", "factor": 0.5, "patience": 1, "cooldown": 2, "min_lr": 0.02}, 16),
    ("ReduceLROnPlateau", {"factor": 0.1, "patience": 1, "threshold": 0.05, "threshold_mode": "abs"}, 16),
    ("ReduceLROnPlateau", {"factor": 0.1, "patience": 0, "eps": 0.02}, 8),
]

# schedules of one optimizer at once: name and options of each
CHAINS = [
    [("ConstantLR", {"factor": 0.1, "total_iters": 4}), ("ExponentialLR", {"gamma": 0.9})],
    [("LinearLR", {"start_factor": 0.2, "total_iters": 5}), ("CosineAnnealingLR", {"T_max": 6, "eta_min": 0.01})],
    [("StepLR", {"step_size": 3}), ("MultiStepLR", {"milestones": [2, 7]}), ("PolynomialLR", {"total_iters": 8})],
]

CLIPS = [
    ("clip_grad_norm_", [1.0], {}),
    ("clip_grad_norm_", [100.0], {}),
    ("clip_grad_norm_", [0.5], {"norm_type": 1.0}),
    ("clip_grad_norm_", [0.5], {"norm_type": math.inf}),
    ("clip_grad_value_", [0.3], {}),
]


class OptimizerCases:
    def __init__(self, folder: Path, seed: int):
        self.store = Store(folder, "optimizers")
        self.generator = torch.Generator().manual_seed(seed)

    def draw(self, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        return {
            name: torch.randn(shape, generator=self.generator, dtype=torch.float64).to(DEVICE, dtype)
            for name, shape in SHAPES.items()
        }

    def keep(self, prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, str]:
        return {
            name: self.store.put(f"{prefix}/{name}", tensor)["tensor"] for name, tensor in tensors.items()
        }

    def optimizer(
        self, name: str, options: dict, groups: list[dict], dtype: torch.dtype, sparse: bool = False
    ) -> None:
        """Ten steps with given gradients; from step 4 on the bias has none, as a frozen parameter would."""
        number = len(self.store.cases)
        parameters = {
            key: torch.nn.Parameter(value)
            for key, value in self.draw(dtype).items()
            if not sparse or value.ndim == 2
        }
        names = list(parameters)
        members = [names] if not groups else [names[:2], names[2:]]
        settings = groups or [{}]
        optimizer = getattr(torch.optim, name)(
            [
                {"params": [parameters[key] for key in keys], **own}
                for keys, own in zip(members, settings, strict=True)
            ],
            **options,
        )
        case = {
            "kind": "optimizer",
            "name": f"{name}/{number}/{str(dtype)[6:]}",
            "optimizer": name,
            "options": options,
            "sparse": sparse,
            "groups": [{"params": keys, "options": own} for keys, own in zip(members, settings, strict=True)],
            "parameters": self.keep(f"{number}/parameters", parameters),
            "grads": [],
            "after": {},
            "tolerance": 1e-6 if dtype == torch.float32 else 1e-12,
        }
        for step in range(1, STEPS + 1):
            grads = self.draw(dtype)
            if step >= 4:
                del grads["bias"]
            if sparse:
                grads = {key: grads[key] for key in parameters}
                for gradient in grads.values():
                    gradient[torch.rand(len(gradient), generator=self.generator) < 0.4] = 0
            case["grads"].append(self.keep(f"{number}/grads/{step}", grads))
            for key, parameter in parameters.items():
                gradient = grads.get(key)
                parameter.grad = gradient.to_sparse(1) if sparse else gradient
            optimizer.step()
            if step in SAVED:
                case["after"][str(step)] = self.keep(f"{number}/after/{step}", parameters)
        case["state"] = {
            key: self.keep(
                f"{number}/state/{key}",
                {
                    k: torch.as_tensor(v).to_dense()
                    for k, v in optimizer.state[parameter].items()
                    if v is not None and not isinstance(v, int)
                },
            )
            for key, parameter in parameters.items()
        }
        self.store.cases.append(case)

    def descent(self, options: dict, dtype: torch.dtype) -> None:
        """Three steps of LBFGS down sum(scale (p - target)^2 + 0.1 p^4) over all parameters."""
        number = len(self.store.cases)
        parameters = {key: torch.nn.Parameter(value) for key, value in self.draw(dtype).items()}
        targets = self.draw(dtype)
        scales = {key: value.abs() + 0.3 for key, value in self.draw(dtype).items()}
        optimizer = torch.optim.LBFGS(parameters.values(), **options)
        case = {
            "kind": "descent",
            "name": f"LBFGS/{number}/{str(dtype)[6:]}",
            "options": options,
            "parameters": self.keep(f"{number}/parameters", parameters),
            "targets": self.keep(f"{number}/targets", targets),
            "scales": self.keep(f"{number}/scales", scales),
            "after": [],
            "losses": [],
            "evaluations": [],
            "tolerance": 2e-4 if dtype == torch.float32 else 1e-8,
        }

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = sum(
                (scales[key] * (p - targets[key]) ** 2 + 0.1 * p**4).sum() for key, p in parameters.items()
            )
            loss.backward()
            return loss

        for step in range(3):
            case["losses"].append(optimizer.step(closure).item())
            case["after"].append(self.keep(f"{number}/after/{step}", parameters))
            case["evaluations"].append(optimizer.state[next(iter(parameters.values()))]["func_evals"])
        self.store.cases.append(case)

    def chain(self, parts: list[tuple[str, dict]], steps: int) -> None:
        base = [0.1, 0.5]
        optimizer = torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in base])
        schedulers = [getattr(lr_scheduler, name)(optimizer, **options) for name, options in parts]
        scheduler = lr_scheduler.ChainedScheduler(schedulers, optimizer)
        rates = [[group["lr"] for group in optimizer.param_groups]]
        for _ in range(steps):
            optimizer.step()
            scheduler.step()
            rates.append([group["lr"] for group in optimizer.param_groups])
        self.store.cases.append(
            {
                "kind": "chain",
                "name": f"ChainedScheduler/{len(self.store.cases)}",
                "parts": [{"scheduler": name, "options": options} for name, options in parts],
                "base": base,
                "rates": rates,
                "tolerance": 1e-12,
            }
        )

    def schedule(self, name: str, options: dict, steps: int) -> None:
        """Rates of two groups before the first step and after each step of the schedule."""
        parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
        base = [0.1, 0.5]
        optimizer = torch.optim.AdamW(
            [{"params": [p], "lr": lr} for p, lr in zip(parameters, base, strict=True)]
        )
        metrics = [
            1.0,
            0.9,
            0.88,
            0.89,
            0.9,
            0.879,
            0.91,
            0.92,
            0.5,
            0.51,
            0.52,
            0.53,
            0.54,
            0.49,
            0.6,
            0.61,
        ][:steps]
        scheduler = self.make_schedule(optimizer, name, options)
        rates = [[group["lr"] for group in optimizer.param_groups]]
        for step in range(steps):
            optimizer.step()
            if name == "ReduceLROnPlateau":
                scheduler.step(metrics[step])
            else:
                scheduler.step()
            rates.append([group["lr"] for group in optimizer.param_groups])
        self.store.cases.append(
            {
                "kind": "schedule",
                "name": f"{name}/{len(self.store.cases)}",
                "scheduler": name,
                "options": options,
                "base": base,
                "metrics": metrics if name == "ReduceLROnPlateau" else None,
                "rates": rates,
                "momentum": [group["betas"][0] for group in optimizer.param_groups],
                "tolerance": 1e-12,
            }
        )

    @staticmethod
    def make_schedule(optimizer, name: str, options: dict):
        if name != "warmup_cosine":
            return getattr(lr_scheduler, name)(optimizer, **options)
        warmup, total = options["warmup_steps"], options["total_steps"]

        def factor(step: int) -> float:
            if step < warmup:
                return step / warmup
            return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))

        return lr_scheduler.LambdaLR(optimizer, factor)

    def clip(self, name: str, args: list, kwargs: dict) -> None:
        number = len(self.store.cases)
        grads = self.draw(torch.float32)
        parameters = {key: torch.nn.Parameter(torch.zeros_like(value)) for key, value in grads.items()}
        for key, parameter in parameters.items():
            parameter.grad = grads[key].clone()
        norm = getattr(torch.nn.utils, name)(list(parameters.values()), *args, **kwargs)
        self.store.cases.append(
            {
                "kind": "clip",
                "name": f"{name}/{number}",
                "function": name,
                "args": args,
                "kwargs": {key: "Infinity" if value == math.inf else value for key, value in kwargs.items()},
                "grads": self.keep(f"{number}/grads", grads),
                "after": self.keep(f"{number}/after", {key: p.grad for key, p in parameters.items()}),
                "norm": None if norm is None else norm.item(),
                "tolerance": 1e-6,
            }
        )


def generate(folder: Path, seed: int) -> Store:
    cases = OptimizerCases(folder, seed)
    for dtype in (torch.float32, torch.float64):
        for name, options in OPTIMIZERS:
            cases.optimizer(name, options, [], dtype)
        for name, options, groups in GROUPS:
            cases.optimizer(name, options, groups, dtype)
        for options in DESCENTS:
            cases.descent(options, dtype)
    for entry in SCHEDULES:
        cases.schedule(*entry)
    for parts in CHAINS:
        cases.chain(parts, 10)
    for entry in CLIPS:
        cases.clip(*entry)
    for dtype in (torch.float32, torch.float64):
        for name, options in SPARSE:
            cases.optimizer(name, options, [], dtype, sparse=True)
    return cases.store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    store = generate(arguments.out, arguments.seed)
    store.save(seed=arguments.seed)
    print(f"{len(store.cases)} cases of optimizers")


if __name__ == "__main__":
    main()
