"""Distributions: densities, entropies, moments, seeded samples, their gradients, and divergences.

    python lab/python/parity/distributions.py

Prints one JSON object for tests/torch/parity/distributions.test.ts. A list stands for a float64 tensor.
"""

import json
import math

import torch
from torch import distributions

# class, parameters, values
CASES = [
    ("Normal", [[0.5, -1.0], [1.5, 0.2]], [0.3, -0.9]),
    ("Normal", [0.0, [[1.0, 2.0]]], [[0.1, 3.0], [-2.0, 0.0]]),
    ("Uniform", [[-1.0, 0.0], [2.0, 0.5]], [0.25, 0.5]),
    ("Gamma", [[0.3, 2.0, 7.0], [1.0, 0.5, 3.0]], [0.2, 4.0, 2.5]),
    ("Beta", [[0.5, 2.0], [1.5, 3.0]], [0.2, 0.7]),
    ("Dirichlet", [[[0.5, 1.0, 3.0], [2.0, 2.0, 2.0]]], [[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]]),
    ("Poisson", [[0.5, 4.0]], [0.0, 6.0]),
    ("Bernoulli", [{"probs": [0.0, 0.3, 1.0]}], [0.0, 1.0, 1.0]),
    ("Bernoulli", [{"logits": [-2.0, 0.5]}], [1.0, 0.0]),
    ("Categorical", [{"probs": [[1.0, 0.0, 3.0], [2.0, 2.0, 4.0]]}], [2.0, 0.0]),
    ("Categorical", [{"logits": [0.5, -1.0, 2.0, 0.0]}], [3.0, 1.0]),
    ("Multinomial", [5, {"probs": [[0.2, 0.3, 0.5], [0.0, 0.5, 0.5]]}], [[1.0, 2.0, 2.0], [0.0, 4.0, 1.0]]),
    ("Multinomial", [4, {"logits": [0.5, -1.0, 2.0]}], [1.0, 1.0, 2.0]),
]
# class, parameters of p and q
DIVERGENCES = [
    ("Normal", [[0.5, -1.0], [1.5, 0.2]], [0.0, 1.0]),
    ("Uniform", [[0.0, 0.5], [1.0, 2.0]], [[-1.0, 0.0], [2.0, 1.0]]),
    ("Gamma", [[0.3, 2.0], [1.0, 0.5]], [[1.0, 1.5], [2.0, 0.7]]),
    ("Beta", [[0.5, 2.0], [1.5, 3.0]], [[1.0, 2.5], [2.0, 0.7]]),
    ("Dirichlet", [[0.5, 1.0, 3.0]], [[2.0, 2.0, 2.0]]),
    ("Poisson", [[0.5, 4.0]], [[1.0, 3.0]]),
    ("Bernoulli", [{"probs": [0.0, 0.3, 1.0]}], [{"probs": [0.2, 0.0, 0.7]}]),
    ("Categorical", [{"probs": [[1.0, 0.0, 3.0], [2.0, 2.0, 4.0]]}], [{"probs": [[1.0, 2.0, 1.0], [0.0, 1.0, 1.0]]}]),
]


def tensor(value):
    return torch.tensor(value, dtype=torch.float64) if isinstance(value, list) else value


def make(name: str, parameters: list, leaves: list | None = None):
    def argument(value):
        made = tensor(value)
        if leaves is not None and isinstance(made, torch.Tensor):
            leaves.append(made.requires_grad_())
        return made

    args = [argument(one) for one in parameters if not isinstance(one, dict)]
    kwargs = {key: argument(value) for one in parameters if isinstance(one, dict) for key, value in one.items()}
    return getattr(distributions, name)(*args, **kwargs)


def plain(found: torch.Tensor):
    """Nested lists; what is no JSON as text."""

    def text(value):
        if isinstance(value, list):
            return [text(one) for one in value]
        return value if isinstance(value, (int, bool)) or math.isfinite(value) else str(value)

    return text(found.detach().tolist())


def case(name: str, parameters: list, values: list) -> dict:
    found = make(name, parameters)
    answer = {"name": name, "parameters": parameters, "values": values}
    answer["log_prob"] = plain(found.log_prob(tensor(values)))
    answer["mean"], answer["variance"] = plain(found.mean), plain(found.variance)
    answer["entropy"] = plain(found.entropy()) if name != "Poisson" else None
    torch.manual_seed(7)
    answer["sample"] = plain(found.sample((2, 3)))
    answer["shapes"] = [list(found.batch_shape), list(found.event_shape)]
    if found.has_rsample:
        leaves: list[torch.Tensor] = []
        reparametrized = make(name, parameters, leaves)
        torch.manual_seed(8)
        reparametrized.rsample((2,)).square().sum().backward()
        answer["grads"] = [plain(one.grad) for one in leaves]
    return answer


def main() -> None:
    print(
        json.dumps(
            {
                "cases": [case(*one) for one in CASES],
                "divergences": [
                    [name, p, q, plain(distributions.kl_divergence(make(name, p), make(name, q)))]
                    for name, p, q in DIVERGENCES
                ],
            },
            allow_nan=False,
        )
    )


if __name__ == "__main__":
    main()
