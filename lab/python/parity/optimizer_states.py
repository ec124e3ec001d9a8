"""States of optimizers, schedules and a gradient scaler through files, from here to src/torch and back.

    python lab/python/parity/optimizer_states.py write FOLDER
    python lab/python/parity/optimizer_states.py check FOLDER

`write` makes NAME.pt for every optimizer: parameters and states (`state_dict()`) after 3 steps, the gradients of 6 more,
the parameters and rates after the next 3. `check` reads ours-NAME.pt, which the test wrote after those 3 with
`torch.save`, goes on for 3 steps and compares with a run that was never interrupted. Exit status 1 where they differ.
"""

import sys
from pathlib import Path

import torch
from torch.optim import lr_scheduler

SHAPES = [(4, 3), (3,), (), (3, 5)]
CASES = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    "Adam": {"lr": 0.01, "amsgrad": True},
    "AdamW": {"lr": 0.01, "weight_decay": 0.2},
    "AdamW-fused": {"lr": 0.01, "fused": True},
    "RMSprop": {"momentum": 0.8, "centered": True},
    "Adagrad": {"lr_decay": 0.1, "initial_accumulator_value": 0.2},
    "Adadelta": {"rho": 0.8},
    "NAdam": {"momentum_decay": 0.02},
    "RAdam": {"betas": (0.8, 0.95)},
    "Adamax": {"eps": 1e-5},
    "LBFGS": {"lr": 0.5, "max_iter": 4, "history_size": 3},
}


def schedule(optimizer):
    """One that depends on its own count, and on the rate that a group began with."""
    first = lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=4)
    second = lr_scheduler.ExponentialLR(optimizer, gamma=0.8)
    return lr_scheduler.SequentialLR(optimizer, [first, second], milestones=[5])


class Run:
    def __init__(self, name: str, options: dict):
        generator = torch.Generator().manual_seed(len(name))
        self.draws = [[torch.randn(s, generator=generator) for s in SHAPES] for _ in range(10)]
        self.parameters = [torch.nn.Parameter(value.clone()) for value in self.draws[9]]
        self.optimizer = getattr(torch.optim, name.split("-")[0])(self.parameters, **options)
        self.schedule = schedule(self.optimizer)

    def loss(self, draws: list) -> torch.Tensor:
        """What LBFGS goes down: sum((p - draw)^2 + 0.1 p^4); its gradients at zero steps are used by nobody else."""
        self.optimizer.zero_grad()
        total = sum(((p - d) ** 2 + 0.1 * p**4).sum() for p, d in zip(self.parameters, draws, strict=True))
        total.backward()
        return total

    def steps(self, start: int) -> None:
        for draws in self.draws[start : start + 3]:
            if isinstance(self.optimizer, torch.optim.LBFGS):
                self.optimizer.step(lambda draws=draws: self.loss(draws))
            else:
                for parameter, draw in zip(self.parameters, draws, strict=True):
                    parameter.grad = draw
                self.optimizer.step()
            self.schedule.step()

    def values(self) -> list:
        return [parameter.detach().clone() for parameter in self.parameters]


def write(folder: Path) -> None:
    for name, options in CASES.items():
        run = Run(name, options)
        run.steps(0)
        before = {
            "params": run.values(),
            "optimizer": run.optimizer.state_dict(),
            "schedule": run.schedule.state_dict(),
            "draws": run.draws,
        }
        torch.save(before, folder / f"{name}.pt")
        run.steps(3)
        after = {"params": run.values(), "rates": run.schedule.get_last_lr()}
        torch.save(after, folder / f"{name}-after.pt")
    scaler = torch.amp.GradScaler("cpu", init_scale=512.0, growth_interval=7)
    torch.save(scaler.state_dict(), folder / "scaler.pt")


def check(folder: Path) -> bool:
    good = True
    for name, options in CASES.items():
        whole, resumed = Run(name, options), Run(name, options)
        for start in (0, 3, 6):
            whole.steps(start)
        ours = torch.load(folder / f"ours-{name}.pt", weights_only=True)
        with torch.no_grad():
            for parameter, value in zip(resumed.parameters, ours["params"], strict=True):
                parameter.copy_(value)
        resumed.optimizer.load_state_dict(ours["optimizer"])
        resumed.schedule.load_state_dict(ours["schedule"])
        resumed.steps(6)
        for a, b in zip(whole.values(), resumed.values(), strict=True):
            if not torch.allclose(a, b, rtol=2e-4, atol=1e-5):
                print(f"{name}: {b.flatten()[:4].tolist()}, expected {a.flatten()[:4].tolist()}")
                good = False
        if whole.schedule.get_last_lr() != resumed.schedule.get_last_lr():
            differing = abs(whole.schedule.get_last_lr()[0] - resumed.schedule.get_last_lr()[0])
            if differing > 1e-12:
                print(f"{name}: rate {resumed.schedule.get_last_lr()}, expected {whole.schedule.get_last_lr()}")
                good = False
    scaler = torch.amp.GradScaler("cpu")
    scaler.load_state_dict(torch.load(folder / "ours-scaler.pt", weights_only=True))
    if scaler.get_scale() != 512.0 or scaler.get_growth_interval() != 7:
        print(f"scaler: {scaler.state_dict()}")
        good = False
    return good


if __name__ == "__main__":
    mode, where = sys.argv[1], Path(sys.argv[2])
    if mode == "write":
        write(where)
    else:
        sys.exit(0 if check(where) else 1)
