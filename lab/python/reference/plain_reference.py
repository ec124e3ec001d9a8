"""The other side of `bun run bench`: PyTorch doing the same work, driven line by line.

    python lab/python/reference/plain_reference.py MODE [--config JSON | @FILE] [--reference CHECKOUT]

MODE is `step`, `predict`, `ops` or `matmul`. With --reference, `step` and `predict` use the modules of a
checkout of the published implementation instead of plain_model.py.

Config keys: `threads` and `device`; for `step` and `predict` also `batches` (a safetensors file, see
batches.py), every field of plain_model.Sizes, `lr`, `weight_decay`, `clip`, `seed`, `weights` (a safetensors file
with a state dict), `micro_batch`: gradients add up over parts of so many samples, for batches that would
not fit in memory in one piece (about 0.8 GiB per sample at D = 128, token limit 1024).

Everything written is one JSON object per line. First `{"ready": true, ...}`; then one answer per command
read from stdin (`step`, `step 3`, `predict`, `train 600`, `save FILE`, `add 1000 30`, `float32 2048`); an end of input or `quit`
ends the process, an error is answered with `{"error": "..."}` and status 1. Both sides of a benchmark can
so take turns within one run.
"""

import argparse
import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from small_workload import MatmulWorkload, SmallWorkload  # noqa: E402
from training_workload import TrainingWorkload  # noqa: E402


def answer(content: dict) -> None:
    print(json.dumps(content), flush=True)


def read_config(text: str) -> dict:
    return json.loads(Path(text[1:]).read_text() if text.startswith("@") else text)


def make_workload(mode: str, config: dict, reference: str | None):
    if mode == "ops":
        return SmallWorkload(config.get("device", "cpu"))
    if mode == "matmul":
        return MatmulWorkload()
    return TrainingWorkload(config, reference, training=mode == "step")


def serve(mode: str, config: dict, reference: str | None) -> None:
    if config.get("threads"):
        torch.set_num_threads(config["threads"])
    torch.manual_seed(config.get("seed", 0))
    workload = make_workload(mode, config, reference)
    answer(
        {"ready": True, "torch": torch.__version__, "threads": torch.get_num_threads(), **workload.ready()}
    )
    commands = workload.commands()
    for line in sys.stdin:
        name, *words = line.split() or [""]
        if name == "quit":
            return
        if name not in commands:
            raise ValueError(f"unknown command {name!r}; expected one of {', '.join(commands)}")
        answer(commands[name](words))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=["step", "predict", "ops", "matmul"])
    parser.add_argument("--config", default="{}")
    parser.add_argument("--reference", default=None)
    arguments = parser.parse_args()
    try:
        serve(arguments.mode, read_config(arguments.config), arguments.reference)
    except Exception as error:
        answer({"error": f"{type(error).__name__}: {error}"})
        sys.exit(1)


if __name__ == "__main__":
    main()
