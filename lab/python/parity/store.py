"""Where generated cases go: one JSON file of descriptions and one safetensors file of tensors per group."""

import json
import os
import sys
import warnings
from pathlib import Path

import torch

# deprecated operators are called on purpose
warnings.simplefilter("ignore")
sys.path.append(str(Path(__file__).resolve().parents[1] / "reference"))

from tensor_file import read_tensors, write_tensors  # noqa: E402, F401


# Where PyTorch computes the numbers: as the tests that compare with them do, on AAM_TEST_DEVICE.
_asked = os.environ.get("AAM_TEST_DEVICE", "cpu")
DEVICE = torch.device(_asked if torch.cuda.is_available() else "cpu")


class Store:
    def __init__(self, folder: Path, group: str):
        self.folder, self.group = Path(folder), group
        self.tensors: dict[str, torch.Tensor] = {}
        self.cases: list[dict] = []

    def put(self, key: str, tensor: torch.Tensor) -> dict:
        """Keep a tensor as it is now and give its reference for the description; of complex ones the two parts."""
        tensor = tensor.detach()
        if tensor.is_complex():
            key, tensor = f"{key}#complex", torch.view_as_real(tensor.resolve_conj())
        self.tensors[key] = tensor.clone()
        return {"tensor": key}

    def save(self, **facts) -> None:
        """Write `<group>.json` and `<group>.safetensors`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_tensors(self.folder / f"{self.group}.safetensors", self.tensors)
        lines = ",\n".join(json.dumps(case, allow_nan=False) for case in self.cases)
        header = {"torch": torch.__version__, "device": str(DEVICE), **facts}
        text = json.dumps(header)[:-1] + ', "cases": [\n' + lines + "\n]}\n"
        (self.folder / f"{self.group}.json").write_text(text)
