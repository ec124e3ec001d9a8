"""Operators: random arguments, PyTorch's results and gradients, as one list of cases.

    python lab/python/parity/operators.py OUT_FOLDER [--seed N]

Writes operators.json and operators.safetensors; README.md tells the format. An operator is called through
`torch.ops.aten`, so its arguments are those of its schema. A dtype that PyTorch refuses for an operator is
left out; an operator without any case is an error.
"""

import argparse
import dataclasses
import sys
from collections import Counter
from pathlib import Path

import operators_complex
import operators_math
import operators_neural
import operators_shape
from spec import KINDS, Call, Dtype, Maker, Operator, Registry, T, draw_sizes
from store import Store

import torch

CREATORS = "zeros ones full eye arange linspace logspace rand randn randint randperm".split()
TOLERANCE = {"float64": 1e-12, "float32": 2e-6, "bfloat16": 1.6e-2, "float16": 2e-3}


def probabilities(maker: Maker, shape: list[int], _spec: T) -> torch.Tensor:
    return torch.rand(shape, generator=maker.generator).double() * 0.8 + 0.1


def sparse_mask(maker: Maker, shape: list[int], _spec: T) -> torch.Tensor:
    """True where attention is allowed, at least once per row."""
    mask = torch.rand(shape, generator=maker.generator) < 0.6
    mask[..., 0] = True
    return mask


def offsets(maker: Maker, _shape: list[int], _spec: T) -> torch.Tensor:
    return torch.tensor([0, 2, maker.sizes["m"] - 2])


KINDS.update(
    probabilities=probabilities,
    rows_of_probabilities=lambda maker, shape, spec: probabilities(maker, shape, spec).softmax(-1),
    sparse_mask=sparse_mask,
    offsets=offsets,
    signs=lambda maker, shape, spec: torch.randint(0, 2, shape, generator=maker.generator) * 2 - 1,
    edges=lambda maker, shape, spec: maker.normal(shape).sort().values,
    negative=lambda maker, shape, spec: -torch.eye(shape[-1]),
    negative_vector=lambda maker, shape, spec: -torch.ones(shape),
    pivots=lambda maker, shape, spec: torch.arange(1, shape[0] + 1),
    zero=lambda maker, shape, spec: torch.zeros(shape),
    unit_quantiles=lambda maker, shape, spec: torch.rand(shape, generator=maker.generator),
)


class CaseBuilder:
    """Turns one call into a case: draws its tensors, runs it, stores everything."""

    def __init__(self, store: Store, number: int, operator: Operator, call: Call, maker: Maker):
        self.store, self.number, self.operator, self.call, self.maker = store, number, operator, call, maker
        self.leaves: dict[str, torch.Tensor] = {}
        self.inputs = 0

    def build(self, argument):
        """The value PyTorch gets and the JSON that describes it."""
        if callable(argument):
            argument = argument(self.maker.sizes)
        if isinstance(argument, T):
            return self.build_tensor(argument)
        if isinstance(argument, Dtype):
            return getattr(torch, argument.name), {"dtype": argument.name}
        if isinstance(argument, dict):
            return slice(*argument["slice"]), argument
        if isinstance(argument, list):
            pairs = [self.build(item) for item in argument]
            return [value for value, _ in pairs], [description for _, description in pairs]
        return argument, argument

    def build_tensor(self, spec: T):
        tensor = self.maker.make(spec)
        key = f"{self.number}/in{self.inputs}"
        self.inputs += 1
        description = self.store.put(key, tensor)
        if (
            spec.grad
            and self.call.grad
            and self.maker.dtype in ("float32", "float64")
            and tensor.is_floating_point()
        ):
            tensor.requires_grad_(True)
            self.leaves[key] = tensor
        return tensor, description


def run(name: str, values: list, keywords: dict):
    """The result of the call; in-place operators work on a copy of their first argument."""
    if name == "__getitem__":
        return values[0][bracket(values[1])]
    if name == "__setitem__":
        target = values[0].clone()
        target[bracket(values[1])] = values[2]
        return target
    function = getattr(torch, name) if name in CREATORS else getattr(torch.ops.aten, name)
    if name.endswith("_"):
        values = [values[0].clone(), *values[1:]]
    return function(*values, **keywords)


def bracket(items: list) -> tuple:
    return tuple(... if isinstance(item, str) else item for item in items)


def make_case(store: Store, number: int, operator: Operator, call: Call, dtype: str, generator) -> dict:
    builder = CaseBuilder(store, number, operator, call, Maker(generator, draw_sizes(generator), dtype))
    pairs = [builder.build(argument) for argument in call.args]
    keywords = {key: builder.build(argument) for key, argument in call.kwargs.items()}
    if call.seed is not None:
        torch.manual_seed(call.seed)
    result = run(
        operator.name, [value for value, _ in pairs], {key: value for key, (value, _) in keywords.items()}
    )
    results = list(result) if isinstance(result, (tuple, list)) else [result]
    outputs = []
    for index, output in enumerate(results):
        if isinstance(output, torch.Tensor):
            outputs.append(store.put(f"{number}/out{index}", output))
        else:
            outputs.append(output)
    case = {
        "name": f"{operator.name}/{number}/{dtype}",
        "op": operator.name,
        "args": [description for _, description in pairs],
        "kwargs": {key: description for key, (_, description) in keywords.items()},
        "outputs": outputs,
        "inplace": operator.name.endswith("_") and operator.name != "__getitem__",
        "list": isinstance(result, (tuple, list)),
        **gradients(store, number, results, builder.leaves, generator),
        "compare": operator.compare,
        "tolerance": TOLERANCE.get(dtype, 2e-6) * operator.tolerance,
    }
    if call.seed is not None:
        case["seed"] = call.seed
    return case


def make_case_here(store: Store, number: int, operator: Operator, call: Call, dtype: str, generator) -> dict:
    """A case; only of the numbers where this PyTorch, an older one, has no derivative."""
    try:
        return make_case(store, number, operator, call, dtype, generator)
    except RuntimeError as error:
        if not call.grad or "derivative" not in str(error):
            raise
        forward = dataclasses.replace(call, grad=False)
        return make_case(store, number, operator, forward, dtype, generator)


def gradients(store: Store, number: int, results: list, leaves: dict, generator) -> dict:
    """Gradients of sum(output * cotangent) over all outputs that have one."""
    cotangents, total = {}, None
    for index, output in enumerate(results):
        if not isinstance(output, torch.Tensor) or not output.requires_grad:
            continue
        cotangent = torch.randn(output.shape, generator=generator, dtype=torch.float64)
        cotangent = cotangent.to(output.dtype).to(output.device)
        cotangents[str(index)] = store.put(f"{number}/cot{index}", cotangent)["tensor"]
        # of a complex output the real part counts, so that the cotangent is the gradient that the output gets
        product = (output * cotangent.conj()).sum()
        term = (product.real if product.is_complex() else product).double()
        total = term if total is None else total + term
    if total is None:
        return {"cotangents": {}, "grads": {}}
    found = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
    grads = {
        key: store.put(f"{number}/grad/{key.split('/')[1]}", grad)["tensor"]
        for key, grad in zip(leaves, found, strict=True)
        if grad is not None
    }
    return {"cotangents": cotangents, "grads": grads}


def all_operators() -> list[Operator]:
    registry = Registry()
    for module in (operators_math, operators_complex, operators_shape, operators_neural):
        module.register(registry)
    return registry.operators


def make_refusal(store: Store, number: int, operator: Operator, generator) -> dict:
    """A call that must fail."""
    call = operator.calls[0]
    builder = CaseBuilder(store, number, operator, call, Maker(generator, draw_sizes(generator), "float32"))
    pairs = [builder.build(argument) for argument in call.args]
    try:
        run(operator.name, [value for value, _ in pairs], {})
    except (RuntimeError, IndexError) as error:
        return {
            "name": f"{operator.name}/{number}/refused",
            "op": operator.name,
            "args": [description for _, description in pairs],
            "kwargs": {},
            "raises": str(error).splitlines()[0],
        }
    raise SystemExit(f"{operator.name} was expected to fail")


def generate(folder: Path, seed: int) -> tuple[Store, Counter, dict[str, str]]:
    """All cases, how many each operator has, and why calls were left out."""
    generator = torch.Generator().manual_seed(seed)
    store, counts, refusals = Store(folder, "operators"), Counter(), {}
    for operator in all_operators():
        counts[operator.name] += 0
        for call in operator.calls:
            for dtype in call.dtypes or operator.dtypes:
                draft = Store(folder, "draft")
                try:
                    case = make_case_here(draft, len(store.cases), operator, call, dtype, generator)
                except (RuntimeError, NotImplementedError) as error:
                    refusals[f"{operator.name}/{dtype}"] = str(error).splitlines()[0]
                    continue
                store.tensors.update(draft.tensors)
                store.cases.append(case)
                counts[operator.name] += 1
    registry = Registry()
    operators_shape.refused(registry)
    for operator in registry.operators:
        store.cases.append(make_refusal(store, len(store.cases), operator, generator))
    return store, counts, refusals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--refusals", action="store_true", help="list the calls that PyTorch refused")
    arguments = parser.parse_args()
    store, counts, refusals = generate(arguments.out, arguments.seed)
    missing = [name for name, count in counts.items() if count == 0]
    store.save(seed=arguments.seed)
    print(f"{len(counts)} operators, {len(store.cases)} cases, {len(refusals)} calls refused by PyTorch")
    if arguments.refusals:
        print("\n".join(f"{name}: {reason}" for name, reason in refusals.items()))
    if missing:
        sys.exit(
            "no case for " + ", ".join(f"{name} ({refusals.get(name + '/float32', '?')})" for name in missing)
        )


if __name__ == "__main__":
    main()
