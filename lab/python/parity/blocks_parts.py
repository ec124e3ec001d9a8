"""The model's building blocks from torch.nn parts, with the parameter names of published checkpoints.

They are written for comparison, not for speed: dense, padded, everything in one piece. Masks are 1 where
valid.
"""

import torch
from torch import nn
from torch.nn import functional

MASK = 6


class TransformerEncoder(nn.Module):
    def __init__(
        self,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        intermediate_size: int | None = None,
        dropout: float = 0.1,
        activation: str = "gelu",
    ):
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            hidden_dim,
            num_heads,
            intermediate_size or 4 * hidden_dim,
            dropout,
            {"gelu": nn.GELU(), "relu": nn.ReLU()}[activation],
            batch_first=True,
            norm_first=True,
        )
        self.encoder = nn.TransformerEncoder(layer, num_layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(hidden_dim, eps=1e-6)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return self.norm(self.encoder(x, src_key_padding_mask=None if mask is None else mask == 0))


class AttentionPooling(nn.Module):
    """`x [n, T, D]` to `[n, D]`; rows without a valid position are averaged over all positions."""

    def __init__(self, hidden_dim: int):
        super().__init__()
        self.query = nn.Linear(hidden_dim, 1, bias=False)
        self.norm = nn.LayerNorm(hidden_dim)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        scores = self.query(x).squeeze(-1) / x.shape[-1] ** 0.5
        if mask is None:
            weights = torch.softmax(scores, dim=-1)
        else:
            valid = mask > 0
            empty = ~valid.any(-1, keepdim=True)
            weights = torch.softmax(scores.masked_fill(~valid & ~empty, float("-inf")), dim=-1) * valid
            weights = weights / (weights.sum(-1, keepdim=True) + 1e-8)
            weights = torch.where(empty, torch.full_like(weights, 1 / x.shape[1]), weights)
        return self.norm(torch.einsum("nt,ntd->nd", weights, x))


class PositionEmbedding(nn.Module):
    def __init__(self, max_length: int, hidden_dim: int):
        super().__init__()
        self.position_embedding = nn.Embedding(max_length, hidden_dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.position_embedding(torch.arange(x.shape[1]))


class CountEmbedding:
    """Adds its layers to the module that holds it, since their names have no prefix of their own."""

    def __init__(self, owner: nn.Module, method: str, width: int):
        self.owner, self.method = owner, method
        if method == "film":
            owner.count_film = nn.Linear(1, 2 * width)
            return
        owner.count_embed = nn.Linear(1, width)
        if method == "concat":
            owner.count_proj = nn.Linear(2 * width, width)

    def __call__(self, x: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        logs = torch.log(counts.reshape(*x.shape[:2], 1) + 1)
        if self.method == "film":
            gamma, beta = self.owner.count_film(logs).chunk(2, dim=-1)
            return x * (1 + gamma) + beta
        embedded = self.owner.count_embed(logs)
        if self.method == "concat":
            return self.owner.count_proj(torch.cat([x, embedded], dim=-1))
        return x + embedded


class CategoricalEmbedder(nn.Module):
    def __init__(self, column_cardinalities: dict[str, int], embed_dim: int = 16, dropout: float = 0.1):
        super().__init__()
        self.embeddings = nn.ModuleDict(
            {
                column: nn.Embedding(column_cardinalities[column], embed_dim, padding_idx=0)
                for column in sorted(column_cardinalities)
            }
        )
        self.width = embed_dim * len(column_cardinalities)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids: dict[str, torch.Tensor]) -> torch.Tensor:
        unknown = torch.zeros_like(next(iter(ids.values())))
        parts = [table(ids.get(column, unknown)) for column, table in self.embeddings.items()]
        return self.dropout(torch.cat(parts, dim=-1))


class GMU(nn.Module):
    def __init__(self, seq_dim: int, cat_dim: int):
        super().__init__()
        self.cat_transform = nn.Linear(cat_dim, seq_dim)
        self.gate = nn.Linear(seq_dim + cat_dim, seq_dim)

    def forward(self, x: torch.Tensor, categories: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        gate = torch.sigmoid(self.gate(torch.cat([x, categories], dim=-1)))
        return x + gate * torch.tanh(self.cat_transform(categories)), gate


class CrossAttentionFusion(nn.Module):
    """`x [B, S, D]` attends to `categories [B, C]` as one token, or to several: `[B, K, C]`; with `zero_key` also to a
    key and value of zeros."""

    def __init__(
        self, seq_dim: int, cat_dim: int, num_heads: int = 8, dropout: float = 0.1, zero_key: bool = False
    ):
        super().__init__()
        self.cat_projection = nn.Linear(cat_dim, seq_dim)
        self.cross_attn = nn.MultiheadAttention(
            seq_dim, num_heads, dropout, batch_first=True, add_zero_attn=zero_key
        )
        self.norm = nn.LayerNorm(seq_dim)

    def forward(self, x: torch.Tensor, categories: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = categories.unsqueeze(1) if categories.dim() == 2 else categories
        keys = self.cat_projection(tokens)
        update, weights = self.cross_attn(x, keys, keys, average_attn_weights=False)
        return self.norm(x + update), weights


class PerceiverFusion(nn.Module):
    """`x [B, S, D]` and `categories [B, C]` to `[B, D]`; with `mask [B, S]`, padded slots are not attended to."""

    def __init__(
        self,
        seq_dim: int,
        cat_dim: int,
        num_latents: int = 64,
        num_layers: int = 2,
        num_heads: int = 8,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.latents = nn.Parameter(torch.empty(num_latents, seq_dim))
        self.seq_projection = nn.Linear(seq_dim, seq_dim)
        self.cat_projection = nn.Linear(cat_dim, seq_dim)
        self.cross_attn = nn.MultiheadAttention(seq_dim, num_heads, dropout, batch_first=True)
        self.cross_norm = nn.LayerNorm(seq_dim)
        self.self_attn_layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                seq_dim, num_heads, 4 * seq_dim, dropout, "relu", batch_first=True, norm_first=True
            )
            for _ in range(num_layers)
        )
        self.output_projection = nn.Linear(seq_dim, seq_dim)

    def forward(
        self, x: torch.Tensor, categories: torch.Tensor, mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        inputs = torch.cat([self.seq_projection(x), self.cat_projection(categories).unsqueeze(1)], dim=1)
        padding = None
        if mask is not None:
            padding = torch.cat([mask == 0, torch.zeros_like(mask[:, :1], dtype=torch.bool)], dim=1)
        latents = self.latents.expand(x.shape[0], -1, -1)
        update, weights = self.cross_attn(
            latents, inputs, inputs, key_padding_mask=padding, average_attn_weights=False
        )
        latents = self.cross_norm(latents + update)
        for layer in self.self_attn_layers:
            latents = layer(latents)
        return self.output_projection(latents.mean(1)), weights


class ResidualHead(nn.Module):
    def __init__(self, width: int, outputs: int, hidden: list[int], dropout: float):
        super().__init__()
        self.skip = nn.Linear(width, outputs)
        self.mlp = make_mlp(width, outputs, hidden, dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.skip(x) + self.mlp(x)


def make_mlp(width: int, outputs: int, hidden: list[int], dropout: float) -> nn.Module:
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(width, size), nn.ReLU()] + ([nn.Dropout(dropout)] if dropout > 0 else [])
        width = size
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def make_head(
    width: int, outputs: int, hidden: list[int] | None, dropout: float, residual: bool
) -> nn.Module:
    if not hidden:
        return nn.Linear(width, outputs)
    if residual:
        return ResidualHead(width, outputs, hidden, dropout)
    return make_mlp(width, outputs, hidden, dropout)


def apply_output(
    x: torch.Tensor, is_classifier: bool = False, bounded: bool = False, activation: str = "none"
) -> torch.Tensor:
    if is_classifier:
        return functional.log_softmax(x, dim=-1)
    if bounded:
        return torch.sigmoid(x)
    return {"none": lambda y: y, "relu": torch.relu, "softplus": functional.softplus, "exp": torch.exp}[
        activation
    ](x)
