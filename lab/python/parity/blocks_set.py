"""The set encoder from plain torch: dense, slot by slot, with the formulas of the paper it comes from.

Samples are sets of codes: every ASV has codes (a sum over its words of bases), a sample has those of its
ASVs, and what two samples share of them gives their distance. Names of weights are the product's.
"""

import torch
from torch import nn
from torch.nn import functional

BASES = 4
HASH_FACTOR, HASH_RANGE = 2654435, 2**24
MOST_COLUMNS = 4096
MOST_LONG_COLUMNS = 32768
SHORTEST = 1e-12
ROOT_OFFSET = 1e-6


def parameters(**shapes: torch.Tensor) -> nn.Module:
    block = nn.Module()
    for name, value in shapes.items():
        setattr(block, name, nn.Parameter(value))
    return block


class SetEncoder(nn.Module):
    """Tokens [B, S, L] (1 to 4 are bases, the first of each no base), counts [B, S] -> codes, sizes, distances."""

    def __init__(
        self,
        words: list[str],
        max_bp: int,
        codes: int,
        word_dim: int,
        buckets: int,
        pooling: str,
        distance: str,
        normalized: bool = True,
        long_words: int = 0,
    ):
        super().__init__()
        self.kind, self.form, self.normalized = pooling, distance, normalized or distance == "tanimoto"
        self.kinds, rows = [], 0
        self.long = (long_words, 0, 0, BASES**long_words, min(BASES**long_words, MOST_LONG_COLUMNS))
        for kind in words:
            # 6 is all words of 6 bases, 8@25 those of 8 bases told apart by stretches of 25.
            length, stretch = (int(part) for part in (*kind.split("@"), "0")[:2])
            places = max(1, -(-(max_bp - length + 1) // stretch)) if stretch else 1
            exist = BASES**length * places
            self.kinds.append((length, stretch, rows, exist, min(exist, buckets)))
            rows += min(exist, buckets)
        self.asv_encoder = parameters(bias=torch.zeros(codes + 1))
        self.asv_encoder.words = nn.EmbeddingBag(1 + rows, word_dim, mode="sum", padding_idx=0)
        self.asv_encoder.word_projection = nn.Linear(word_dim, codes + 1, bias=False)
        self.pooling = parameters(length=torch.zeros(codes))
        self.pooling.register_buffer("own_unit", torch.ones(1))
        self.word_sets = None
        if pooling == "union":
            self.word_sets = parameters(length=torch.zeros(min(rows, MOST_COLUMNS)))
            self.word_sets.register_buffer("unit", torch.ones(1))
        if long_words:
            self.long_word_sets = parameters(length=torch.zeros(self.long[-1]))
            self.long_word_sets.register_buffer("unit", torch.ones(1))
        self.distance = parameters(calibration=torch.tensor([1.0, 0.0, 0.0]), shared=torch.full((1,), -3.0))
        self.distance.register_buffer("scale", torch.ones(1))
        self.distance.register_buffer("unit", torch.ones(1))

    def rows(self, tokens: torch.Tensor, kinds: list | None = None) -> torch.Tensor:
        """Rows [..., W] of the words of tokens [..., L]; 0 where a base is not known."""
        digits, found = tokens[..., 1:] - 1, []
        for length, stretch, offset, exist, kept in kinds or self.kinds:
            if digits.shape[-1] < length:
                continue
            windows = digits.unfold(-1, length, 1)
            powers = BASES ** torch.arange(length - 1, -1, -1)
            word = (windows * powers).sum(-1)
            if stretch:
                word = word + torch.arange(word.shape[-1]) // stretch * BASES**length
            if kept < exist:
                word = word * HASH_FACTOR % HASH_RANGE * kept // HASH_RANGE
            known = ((windows >= 0) & (windows < BASES)).all(-1)
            found.append(torch.where(known, word + 1 + offset, 0))
        return torch.cat(found, -1)

    def weights(self, counts: torch.Tensor, filled: torch.Tensor) -> torch.Tensor:
        if self.kind == "union":
            return filled.to(self.pooling.length.dtype)
        given = counts.to(self.pooling.length.dtype) * filled
        return given / given.sum(1, keepdim=True).clamp(min=SHORTEST)

    def forward(self, tokens: torch.Tensor, counts: torch.Tensor) -> dict[str, torch.Tensor]:
        samples, slots, _ = tokens.shape
        rows, filled = self.rows(tokens), (tokens != 0).any(-1)
        bags = self.asv_encoder.words(rows.flatten(0, 1)).view(samples, slots, -1)
        known = functional.softplus(self.asv_encoder.word_projection(bags) + self.asv_encoder.bias)
        codes, own_length = known[..., :-1], known[..., -1] * self.pooling.own_unit
        weights = self.weights(counts, filled)
        sums = (codes * weights.unsqueeze(-1)).sum(1)
        length = functional.softplus(self.pooling.length)
        # the column of each distinct ASV, the tip of a tree
        _, column = torch.unique(tokens.flatten(0, 1), dim=0, return_inverse=True)
        if self.kind == "union":
            parts = [(1 - torch.exp(-sums)) * length.sqrt(), self.words(self.word_sets, rows, filled)]
            if self.long[0]:
                parts.append(self.words(self.long_word_sets, self.rows(tokens, [self.long]), filled))
            own = weights * own_length.sqrt()
        elif self.kind == "share":
            parts, own = [sums * length], weights * own_length
        else:
            parts, own = [self.root(sums) * length], self.root(weights) * own_length
        own = torch.where(filled, own, 0)
        column = column.view(samples, slots)
        spread = own.new_zeros(samples, int(column.max()) + 1).scatter_add(1, column, own)
        shared = torch.cat(parts, 1)
        whole = torch.cat([shared, spread], 1)
        return {"codes": shared, "sizes": whole.square().sum(1), "distances": self.distances(whole)}

    def root(self, shares: torch.Tensor) -> torch.Tensor:
        return (shares + ROOT_OFFSET).sqrt() - ROOT_OFFSET**0.5

    def words(self, sets: nn.Module, rows: torch.Tensor, filled: torch.Tensor) -> torch.Tensor:
        columns = sets.length.numel()
        places = torch.where(filled.unsqueeze(-1) & (rows > 0), (rows - 1) % columns + 1, 0).flatten(1)
        lengths = functional.softplus(sets.length) * sets.unit
        present = lengths.new_zeros(len(rows), columns + 1).scatter(1, places, 1.0)[:, 1:]
        return present * lengths.sqrt()

    def distances(self, z: torch.Tensor) -> torch.Tensor:
        differences = z.unsqueeze(1) - z
        apart = differences.square().sum(-1) if self.form == "tanimoto" else differences.abs().sum(-1)
        size = z.square().sum(1) if self.form == "tanimoto" else z.sum(1)
        constant = 2 * functional.softplus(self.distance.shared) * self.distance.unit
        together = size.unsqueeze(1) + size + constant
        if self.form == "tanimoto":
            raw = 2 * apart / (together + apart)
        else:
            raw = apart / together if self.normalized else apart / self.distance.unit
        slope, offset, curve = self.distance.calibration
        others = 1 - torch.eye(len(z), dtype=z.dtype)
        return (slope * raw + offset + curve * raw**2) * self.distance.scale * others
