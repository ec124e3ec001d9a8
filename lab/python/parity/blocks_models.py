"""The four models and their losses, composed of blocks_parts.py, on dense batches."""

from blocks_parts import (
    GMU,
    MASK,
    AttentionPooling,
    CategoricalEmbedder,
    CountEmbedding,
    CrossAttentionFusion,
    PerceiverFusion,
    PositionEmbedding,
    TransformerEncoder,
    apply_output,
    make_head,
)

import torch
from torch import nn
from torch.nn import functional

Outputs = dict[str, torch.Tensor]


def stack(width: int, options: dict, prefix: str) -> TransformerEncoder:
    """A transformer from the options that start with `prefix`."""
    return TransformerEncoder(
        options.get(f"{prefix}num_layers", 2),
        options.get(f"{prefix}num_heads", 4),
        width,
        options.get(f"{prefix}intermediate_size"),
        options.get(f"{prefix}dropout", 0.1),
        options.get(f"{prefix}activation", "gelu"),
    )


class ASVEncoder(nn.Module):
    def __init__(self, prefix: str = "", **options):
        super().__init__()
        width, vocabulary = options.get("embedding_dim", 128), options.get("vocab_size", 7)
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.position_embedding = PositionEmbedding(options.get("max_bp", 150) + 1, width)
        self.transformer = stack(width, options, prefix)
        self.attention_pooling = AttentionPooling(width)
        self.predicts = options.get("predict_nucleotides", False)
        if self.predicts:
            self.nucleotide_head = nn.Linear(width, vocabulary)

    def forward(
        self, tokens: torch.Tensor, return_nucleotides: bool = False, mask_indices: torch.Tensor | None = None
    ) -> Outputs:
        if mask_indices is not None:
            tokens = tokens.masked_fill(mask_indices, MASK)
        flat = tokens.flatten(0, 1)
        valid = (flat > 0).long()
        filled = valid.any(-1, keepdim=True).unsqueeze(-1)
        x = self.position_embedding(self.token_embedding(flat))
        # an empty row may attend to all its positions; its result is replaced by zeros
        x = self.transformer(x, torch.where(filled[..., 0], valid, torch.ones_like(valid))) * filled
        outputs = {"output": self.attention_pooling(x, valid).unflatten(0, tokens.shape[:2])}
        if self.predicts and return_nucleotides:
            outputs["nuc_predictions"] = self.nucleotide_head(x).unflatten(0, tokens.shape[:2])
        return outputs


class SampleSequenceEncoder(nn.Module):
    def __init__(self, **options):
        super().__init__()
        width = options.get("embedding_dim", 128)
        self.asv_encoder = ASVEncoder("asv_", **options)
        self.sample_position_embedding = PositionEmbedding(options.get("token_limit", 1024) + 5, width)
        self.sample_transformer = stack(width, options, "sample_")
        self.count_embedding = None
        if options.get("count_embedding"):
            self.count_embedding = CountEmbedding(self, options.get("count_embedding_method", "add"), width)

    def forward(self, tokens: torch.Tensor, counts: torch.Tensor | None = None, **rest) -> Outputs:
        valid = (tokens.sum(-1) > 0).long()
        outputs = self.asv_encoder(tokens, **rest)
        x = outputs["output"] * valid.unsqueeze(-1)
        if self.count_embedding is not None:
            x = self.count_embedding(x, counts) * valid.unsqueeze(-1)
        x = self.sample_transformer(self.sample_position_embedding(x), valid) * valid.unsqueeze(-1)
        return {**outputs, "output": x}


class SequenceEncoder(nn.Module):
    def __init__(self, **options):
        super().__init__()
        width = options.get("embedding_dim", 128)
        self.kind = options.get("encoder_type", "unifrac")
        self.sample_encoder = SampleSequenceEncoder(**options)
        self.encoder_transformer = stack(width, options, "encoder_")
        self.attention_pooling = AttentionPooling(width)
        if self.kind == "combined":
            self.uni_ff, self.faith_ff, self.tax_ff = (
                nn.Linear(width, 2),
                nn.Linear(width, 1),
                nn.Linear(width, 7),
            )
        elif self.kind != "unifrac":
            self.output_head = nn.Linear(width, options.get("base_output_dim") or width)

    def forward(self, tokens: torch.Tensor, return_sample_embeddings: bool = False, **rest) -> Outputs:
        valid = (tokens.sum(-1) > 0).long()
        inner = self.sample_encoder(tokens, **rest)
        pooled = self.attention_pooling(self.encoder_transformer(inner["output"], valid), valid)
        if self.kind == "combined":
            outputs = {
                "unifrac_pred": torch.sigmoid(self.uni_ff(pooled)),
                "faith_pred": self.faith_ff(pooled),
                "tax_pred": self.tax_ff(pooled),
            }
        elif self.kind == "unifrac":
            outputs = {"embeddings": pooled}
        else:
            outputs = {"base_prediction": self.output_head(pooled)}
        if return_sample_embeddings:
            outputs["sample_embeddings"] = inner["output"]
        if "nuc_predictions" in inner:
            outputs["nuc_predictions"] = inner["nuc_predictions"]
        return outputs


class SequencePredictor(nn.Module):
    def __init__(self, seed_version: bool = False, **options):
        super().__init__()
        self.options, self.seed_version = options, seed_version
        width, self.out_dim = options.get("embedding_dim", 128), options.get("out_dim", 1)
        self.quantiles = options.get("num_quantiles")
        self.base_model = SequenceEncoder(**options)
        if options.get("freeze_base"):
            self.base_model.requires_grad_(False)
        self.counts = options.get("count_prediction", True)
        if self.counts:
            self.count_encoder, self.count_head = stack(width, options, "count_"), nn.Linear(width, 1)
        self.target_encoder, self.target_pooling = stack(width, options, "target_"), AttentionPooling(width)
        self.target_norm = nn.LayerNorm(width) if options.get("target_layer_norm", True) else nn.Identity()
        self.target_head = make_head(
            width,
            self.out_dim * (self.quantiles or 1),
            options.get("regressor_hidden_dims"),
            options.get("regressor_dropout", 0.0),
            options.get("residual_regression_head", False),
        )
        if options.get("learnable_output_scale"):
            self.output_scale = nn.Parameter(torch.ones(self.out_dim))
            self.output_bias = nn.Parameter(torch.zeros(self.out_dim))
        self.fusion = options.get("categorical_fusion", "concat")
        self.categories = options.get("categorical_cardinalities")
        if self.categories:
            self.make_fusion(width, options)
        columns = options.get("conditional_scaling_columns") or []
        for name in ("output_scales", "output_biases"):
            tables = {column: nn.Embedding(self.categories[column], self.out_dim) for column in columns}
            setattr(self, name, nn.ModuleDict(tables))

    def make_fusion(self, width: int, options: dict) -> None:
        dropout, heads = options.get("categorical_dropout", 0.1), options.get("cross_attn_heads", 8)
        self.categorical_embedder = CategoricalEmbedder(
            self.categories, options.get("categorical_embed_dim", 16), dropout
        )
        inner = self.categorical_embedder.width
        if self.fusion in ("concat", "add"):
            self.categorical_projection = nn.Linear(inner + (width if self.fusion == "concat" else 0), width)
        elif self.fusion == "gmu":
            self.gmu = GMU(width, inner)
        elif self.fusion == "cross-attention":
            self.cross_attn_fusion = CrossAttentionFusion(width, inner, heads, dropout)
        else:
            self.perceiver_fusion = PerceiverFusion(
                width,
                inner,
                options.get("perceiver_num_latents", 64),
                options.get("perceiver_num_layers", 2),
                heads,
                dropout,
            )

    def forward(
        self,
        tokens: torch.Tensor,
        categorical_ids: dict[str, torch.Tensor] | None = None,
        return_nucleotides: bool = False,
        return_sample_embeddings: bool = False,
        **rest,
    ) -> Outputs:
        valid = (tokens.sum(-1) > 0).long()
        base = self.base_model(
            tokens, return_sample_embeddings=True, return_nucleotides=return_nucleotides, **rest
        )
        x = base.pop("sample_embeddings")
        outputs = {"base_embeddings": x} if return_sample_embeddings else {}
        if self.counts:
            counts = self.count_head(self.count_encoder(x, valid))
            outputs["count_prediction"] = counts if self.seed_version else torch.sigmoid(counts)
        categories = None if categorical_ids is None else self.categorical_embedder(categorical_ids)
        pooled, extra = self.pool_target(x, valid, categories)
        outputs.update(extra)
        pooled = self.target_norm(pooled)
        if categories is not None and self.fusion == "gmu":
            pooled, outputs["gmu_gate"] = self.gmu(pooled, categories)
        outputs["target_prediction"] = self.finish_target(self.target_head(pooled), categorical_ids)
        if not return_nucleotides:
            base = {key: value for key, value in base.items() if key == "embeddings"}
        return {**outputs, **base}

    def pool_target(self, x: torch.Tensor, valid: torch.Tensor, categories: torch.Tensor | None):
        extra = {}
        if categories is not None:
            spread = categories.unsqueeze(1).expand(-1, x.shape[1], -1)
            if self.fusion == "concat":
                x = self.categorical_projection(torch.cat([x, spread], dim=-1))
            elif self.fusion == "add":
                x = x + self.categorical_projection(spread)
            elif self.fusion == "cross-attention":
                x, extra["cross_attn_weights"] = self.cross_attn_fusion(x, categories)
            elif self.fusion == "perceiver":
                pooled, extra["perceiver_attn_weights"] = self.perceiver_fusion(x, categories)
                return pooled, extra
        return self.target_pooling(self.target_encoder(x, valid), valid), extra

    def finish_target(self, prediction: torch.Tensor, ids: dict[str, torch.Tensor] | None) -> torch.Tensor:
        if self.quantiles:
            return prediction.unflatten(-1, (self.out_dim, self.quantiles))
        for column in self.options.get("conditional_scaling_columns") or []:
            if ids is not None and column in ids:
                scale, bias = self.output_scales[column], self.output_biases[column]
                prediction = prediction * scale(ids[column]) + bias(ids[column])
        if self.options.get("learnable_output_scale"):
            prediction = prediction * self.output_scale + self.output_bias
        return apply_output(
            prediction,
            self.options.get("is_classifier", False),
            self.options.get("bounded_targets", False),
            self.options.get("output_activation", "none"),
        )


def pairwise_distances(embeddings: torch.Tensor, normalization: str) -> torch.Tensor:
    squared = ((embeddings.unsqueeze(1) - embeddings.unsqueeze(0)) ** 2).sum(-1)
    distances = squared.clamp(min=1e-8).sqrt() * (1 - torch.eye(len(embeddings), dtype=embeddings.dtype))
    return torch.tanh(distances / 10) if normalization == "tanh10" else distances


def column_loss(error: torch.Tensor, kind: str) -> torch.Tensor:
    size = error.abs()
    if kind == "mae":
        return size
    if kind == "huber":
        return torch.where(size < 1, 0.5 * error**2, size - 0.5)
    return error**2


def target_loss(prediction, target, settings: dict, weights, is_classifier: bool) -> torch.Tensor:
    if is_classifier:
        classes = settings.get("class_weights")
        classes = None if classes is None else torch.tensor(classes, dtype=prediction.dtype)
        if weights is None:
            return functional.nll_loss(prediction, target, classes)
        return (functional.nll_loss(prediction, target, classes, reduction="none") * weights).mean()
    kind = settings.get("target_loss_type", "mse" if settings.get("seed_version") else "huber")
    if kind == "quantile":
        levels = torch.tensor(settings["quantiles"], dtype=torch.float32).to(prediction.dtype)
        error = target.unsqueeze(-1) - prediction
        each = torch.maximum(levels * error, (levels - 1) * error).mean(-1)
    elif kind == "asymmetric":
        error = prediction - target
        over, under = settings.get("over_penalty", 1.0), settings.get("under_penalty", 1.0)
        each = over * error.clamp(min=0) + under * (-error).clamp(min=0)
    elif settings.get("loss_config") and weights is None:
        names = settings.get("target_columns") or []
        chosen = settings["loss_config"]
        columns = []
        for index in range(prediction.shape[1]):
            name = names[index] if index < len(names) else None
            own = chosen.get(str(index), chosen.get(name, kind))
            columns.append(column_loss(prediction[:, index] - target[:, index], own))
        each = torch.stack(columns, dim=1)
    else:
        each = column_loss(prediction - target, kind)
    per_sample = each.mean(-1)
    return per_sample.mean() if weights is None else (per_sample * weights).mean()


def multi_task_loss(
    outputs: Outputs, inputs: Outputs, targets: Outputs, settings: dict, config: dict, normalization: str
) -> Outputs:
    """The reference's loss terms and their weighted sum."""
    tokens, counts = inputs["tokens"], inputs["counts"]
    zero = next(iter(outputs.values())).sum() * 0
    losses = dict.fromkeys(("target_loss", "count_loss", "unifrac_loss", "nuc_loss"), zero)
    if "target" in targets and "target_prediction" in outputs:
        losses["target_loss"] = target_loss(
            outputs["target_prediction"],
            targets["target"],
            settings,
            targets.get("sample_weights"),
            config.get("is_classifier", False),
        )
    if "count_prediction" in outputs:
        valid = (tokens.sum(-1, keepdim=True) > 0).to(counts.dtype)
        losses["count_loss"] = ((outputs["count_prediction"] - counts) ** 2 * valid).sum() / valid.sum()
    if "base_target" in targets:
        if "embeddings" in outputs:
            distances = pairwise_distances(outputs["embeddings"], normalization)
            rows, columns = torch.triu_indices(*distances.shape, offset=1)
            if len(rows) > 0:
                errors = distances[rows, columns] - targets["base_target"][rows, columns]
                losses["unifrac_loss"] = (errors**2).mean()
        elif "base_prediction" in outputs:
            losses["unifrac_loss"] = ((outputs["base_prediction"] - targets["base_target"]) ** 2).mean()
    if "nuc_predictions" in outputs:
        chosen = tokens > 0
        if "mask_indices" in inputs:
            chosen = chosen & inputs["mask_indices"]
        losses["nuc_loss"] = functional.cross_entropy(outputs["nuc_predictions"][chosen], tokens[chosen])
    names = {"target_loss": "target_penalty", "count_loss": "count_penalty", "unifrac_loss": "penalty"}
    names["nuc_loss"] = "nuc_penalty"
    total = sum(losses[term] * settings.get(penalty, 1.0) for term, penalty in names.items())
    return {**losses, "total_loss": total}
