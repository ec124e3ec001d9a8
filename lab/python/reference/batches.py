"""Batches as our loader writes them, and the dense form the reference works on."""

from tensor_file import read_tensors

import torch


class Batches:
    """`batch<i>/asvTokens [U, L] uint8`, `/asvIndex [B, S]` (row + 1, 0: padding), `/distances [B, B]`."""

    def __init__(self, path: str, token_limit: int, max_bp: int):
        self.tensors = read_tensors(path)
        self.count = sum(name.endswith("/asvIndex") for name in self.tensors)
        self.token_limit, self.width = token_limit, max_bp + 1
        if self.count == 0:
            raise ValueError(f"{path} holds no batch: a tensor named batch0/asvIndex is missing")

    def occurrences(self, index: int) -> int:
        return int((self.tensors[f"batch{index}/asvIndex"] > 0).sum())

    def dense(self, index: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """`tokens [B, token limit, max_bp + 1] int64`, zero-padded, and the distances if there are any."""
        asvs = self.tensors[f"batch{index}/asvTokens"].long()[:, : self.width]
        slots = self.tensors[f"batch{index}/asvIndex"].long()[:, : self.token_limit]
        table = torch.zeros(asvs.shape[0] + 1, self.width, dtype=torch.int64)
        table[1:, : asvs.shape[1]] = asvs
        tokens = torch.zeros(slots.shape[0], self.token_limit, self.width, dtype=torch.int64)
        tokens[:, : slots.shape[1]] = table[slots]
        distances = self.tensors.get(f"batch{index}/distances")
        return tokens, None if distances is None else distances.float()
