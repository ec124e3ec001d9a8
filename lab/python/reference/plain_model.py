"""The pretraining model in plain PyTorch, computed the way the published implementation computes it.

Every sample is padded to the token limit, every occurrence of an ASV is encoded, the slots are processed
in chunks, and each transformer stack is recomputed in the backward pass. Parameter names are those of
published checkpoints.
"""

from dataclasses import dataclass

from torch.utils.checkpoint import checkpoint

import torch
from torch import nn
from torch.nn import functional

MASK = 6


@dataclass
class Sizes:
    """What determines the model and the work of one step."""

    vocab_size: int = 7
    embedding_dim: int = 128
    layers: int = 4
    heads: int = 4
    max_bp: int = 150
    token_limit: int = 1024
    dropout: float = 0.1
    mask_ratio: float = 0.15
    asv_chunk_size: int | None = 256
    gradient_checkpointing: bool = True
    distance_scale: float | None = 10.0
    """None: raw distances."""


class Positions(nn.Module):
    def __init__(self, length: int, width: int):
        super().__init__()
        self.position_embedding = nn.Embedding(length, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.position_embedding.weight[: x.shape[1]]


class Stack(nn.Module):
    """Pre-norm transformer layers and a final norm; `valid [n, T]` marks the keys that may be attended to."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            sizes.embedding_dim,
            sizes.heads,
            4 * sizes.embedding_dim,
            sizes.dropout,
            nn.GELU(),
            batch_first=True,
            norm_first=True,
        )
        self.encoder = nn.TransformerEncoder(layer, sizes.layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(sizes.embedding_dim, eps=1e-6)
        self.recompute = sizes.gradient_checkpointing

    def forward(self, x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        padding = ~valid
        if self.recompute and self.training:
            x = checkpoint(lambda y: self.encoder(y, src_key_padding_mask=padding), x, use_reentrant=False)
        else:
            x = self.encoder(x, src_key_padding_mask=padding)
        return self.norm(x)


class Pooling(nn.Module):
    """Attention pooling with a learned query; a row without valid positions is averaged."""

    def __init__(self, width: int):
        super().__init__()
        self.query = nn.Linear(width, 1, bias=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        empty = ~valid.any(-1, keepdim=True)
        scores = self.query(x).squeeze(-1) / x.shape[-1] ** 0.5
        weights = torch.softmax(scores.masked_fill(~valid & ~empty, float("-inf")), dim=-1) * valid
        weights = weights / (weights.sum(-1, keepdim=True) + 1e-8)
        weights = torch.where(empty, torch.full_like(weights, 1 / x.shape[1]), weights)
        return self.norm((x * weights.unsqueeze(-1)).sum(1))


class AsvEncoder(nn.Module):
    """`tokens [B, S, L]` to ASV embeddings `[B, S, D]`, base logits `[B, S, L, V]`, mask `[B, S, L]`."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.sizes = sizes
        self.token_embedding = nn.Embedding(sizes.vocab_size, sizes.embedding_dim)
        self.position_embedding = Positions(sizes.max_bp + 1, sizes.embedding_dim)
        self.transformer = Stack(sizes)
        self.attention_pooling = Pooling(sizes.embedding_dim)
        self.nucleotide_head = nn.Linear(sizes.embedding_dim, sizes.vocab_size)

    def mask(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = (tokens >= 1) & (tokens <= 4)
        chosen &= torch.rand_like(tokens, dtype=torch.float) < self.sizes.mask_ratio
        return tokens.masked_fill(chosen, MASK), chosen

    def forward(self, tokens: torch.Tensor, nucleotides: bool) -> tuple[torch.Tensor, ...]:
        step = self.sizes.asv_chunk_size or tokens.shape[1]
        parts = [self.encode(chunk, nucleotides) for chunk in tokens.split(step, dim=1)]
        return tuple(None if column[0] is None else torch.cat(column, dim=1) for column in zip(*parts))

    def encode(self, tokens: torch.Tensor, nucleotides: bool) -> tuple[torch.Tensor, ...]:
        shape = tokens.shape
        flat, masked = tokens.reshape(-1, shape[2]), None
        if nucleotides and self.training and self.sizes.mask_ratio > 0:
            flat, masked = self.mask(flat)
            masked = masked.reshape(shape)
        valid = flat > 0
        x = self.position_embedding(self.token_embedding(flat))
        rows = valid.any(-1).nonzero().squeeze(-1)
        if rows.numel() < flat.shape[0]:
            spread = torch.zeros_like(x)
            if rows.numel() > 0:
                spread[rows] = self.transformer(x[rows], valid[rows])
            x = spread
        else:
            x = self.transformer(x, valid)
        logits = self.nucleotide_head(x).reshape(*shape, -1) if nucleotides else None
        pooled = self.attention_pooling(x, valid)
        return pooled.reshape(shape[0], shape[1], -1), logits, masked


class SampleEncoder(nn.Module):
    """One vector per ASV slot, aware of its sample: `[B, S, D]`, zero at padded slots."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.asv_encoder = AsvEncoder(sizes)
        self.sample_position_embedding = Positions(sizes.token_limit + 5, sizes.embedding_dim)
        self.sample_transformer = Stack(sizes)

    def forward(self, tokens: torch.Tensor, nucleotides: bool) -> tuple[torch.Tensor, ...]:
        valid = tokens.sum(-1) > 0
        x, logits, masked = self.asv_encoder(tokens, nucleotides)
        x = self.sample_position_embedding(x * valid.unsqueeze(-1))
        x = self.sample_transformer(x, valid) * valid.unsqueeze(-1)
        return x, logits, masked


class PretrainModel(nn.Module):
    """`tokens [B, S, L]` to sample embeddings `[B, D]`, whose distances estimate UniFrac."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.sample_encoder = SampleEncoder(sizes)
        self.encoder_transformer = Stack(sizes)
        self.attention_pooling = Pooling(sizes.embedding_dim)

    def forward(self, tokens: torch.Tensor, nucleotides: bool = False) -> dict[str, torch.Tensor]:
        valid = tokens.sum(-1) > 0
        x, logits, masked = self.sample_encoder(tokens, nucleotides)
        embeddings = self.attention_pooling(self.encoder_transformer(x, valid), valid)
        return {"embeddings": embeddings, "nuc_predictions": logits, "mask_indices": masked}


def pretrain_loss(
    outputs: dict[str, torch.Tensor], tokens: torch.Tensor, distances: torch.Tensor, scale: float | None
) -> torch.Tensor:
    """Squared error of distances, plus cross-entropy of masked bases (of all tokens without a mask)."""
    embeddings = outputs["embeddings"]
    squared = ((embeddings.unsqueeze(1) - embeddings.unsqueeze(0)) ** 2).sum(-1)
    predicted = squared.clamp(min=1e-8).sqrt()
    if scale is not None:
        predicted = torch.tanh(predicted / scale)
    rows, columns = torch.triu_indices(*predicted.shape, offset=1, device=predicted.device)
    loss = functional.mse_loss(predicted[rows, columns], distances[rows, columns])
    if outputs["nuc_predictions"] is not None:
        masked = outputs["mask_indices"]
        chosen = tokens > 0 if masked is None else masked & (tokens > 0)
        loss = loss + functional.cross_entropy(outputs["nuc_predictions"][chosen], tokens[chosen])
    return loss
