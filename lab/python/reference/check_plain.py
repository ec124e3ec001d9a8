"""Show that plain_model.py computes what the published implementation computes.

    python lab/python/reference/check_plain.py --reference CHECKOUT

Both run as the benchmark runs them, from the same seed, on the same batches, with dropout and masking on:
initial weights, losses, gradient norms and embeddings must agree.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tensor_file import write_tensors  # noqa: E402
from training_workload import TrainingWorkload  # noqa: E402

CONFIG = {"embedding_dim": 32, "layers": 2, "heads": 4, "max_bp": 30, "token_limit": 40, "asv_chunk_size": 16}


def write_batches(path: Path) -> None:
    """Three batches of 4 samples over 25 ASVs of unequal length, the last with an unknown base."""
    tensors = {}
    for batch in range(3):
        tokens = torch.randint(1, 5, (25, 31))
        tokens[:, 0] = 5
        for row in range(25):
            tokens[row, 31 - row % 7 :] = 0
        tokens[24, 9] = 0
        slots = torch.zeros(4, 12 + batch, dtype=torch.int64)
        for sample, count in enumerate([12, 1, 7, 12]):
            slots[sample, :count] = torch.randperm(25)[:count] + 1
        upper = torch.triu(torch.rand(4, 4), diagonal=1)
        tensors[f"batch{batch}/asvTokens"] = tokens.to(torch.uint8)
        tensors[f"batch{batch}/asvIndex"] = slots
        tensors[f"batch{batch}/distances"] = upper + upper.T
    write_tensors(path, tensors)


def run(config: dict, reference: str | None) -> tuple[dict, list[dict]]:
    torch.manual_seed(1)
    workload = TrainingWorkload(config, reference, training=True)
    weights = {name: value.clone() for name, value in workload.work.model.state_dict().items()}
    answers = [workload.step([]) for _ in range(6)]
    workload.work.model.eval()
    return weights, answers + [workload.predict([str(batch)]) for batch in range(3)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", required=True)
    reference = parser.parse_args().reference
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        batches = Path(folder) / "batches.safetensors"
        write_batches(batches)
        for scale in (10.0, None):
            for checkpointing in (True, False):
                config = {
                    **CONFIG,
                    "batches": str(batches),
                    "distance_scale": scale,
                    "gradient_checkpointing": checkpointing,
                    "lr": 1e-3,
                }
                plain, theirs = run(config, None), run(config, reference)
                assert plain[0].keys() == theirs[0].keys(), "the state dicts have different names"
                for name, value in plain[0].items():
                    assert torch.equal(value, theirs[0][name]), f"initial {name} differs"
                for ours, other in zip(plain[1], theirs[1]):
                    for key in ("loss", "grad_norm", "checksum"):
                        if key in ours:
                            worst = max(worst, abs(ours[key] - other[key]) / (abs(other[key]) + 1e-3))
    print(f"largest relative difference over losses, gradient norms and embedding sums: {worst:.2e}")
    if worst > 1e-4:
        sys.exit("plain_model.py does not compute what the reference computes")


if __name__ == "__main__":
    main()
