"""Draw blocks and whole models with random settings, weights and inputs, and compute what PyTorch makes of
them.

    python lab/python/parity/block_cases.py OUT_FOLDER [--seed N] [--models N]

Writes `OUT_FOLDER/<case>/<dtype>/{case.json, tensors.safetensors}` for float32 and float64, in the format
of blocks.py: several cases of every block, then `--models` random encoders and predictors (40 unless told
otherwise) with random combinations of options, batches and losses.
"""

import argparse
import random
import sys
from pathlib import Path

import blocks

import torch

sys.path.append(str(Path(__file__).resolve().parents[1] / "fixtures"))

from parity_batches import MEMBERS, make_batch, make_distances  # noqa: E402

TOLERANCES = {"float32": (1e-5, 1e-4), "float64": (1e-10, 1e-9)}
STACK = {"num_layers": 2, "num_heads": 4, "hidden_dim": 12, "intermediate_size": 20}
SITES = {"site": 4, "season": 5}


class Draw:
    """Random inputs of one case."""

    def __init__(self, generator: torch.Generator):
        self.generator = generator

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=self.generator)

    def uniform(self, *shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=self.generator)

    def ids(self, high: int, *shape: int) -> torch.Tensor:
        return torch.randint(0, high, shape, generator=self.generator)

    def mask(self, rows: int, length: int, empty: bool = False) -> torch.Tensor:
        """1 for the first positions of each row; row 0 is full, row 1 has one, the last may be empty."""
        kept = torch.randint(1, length + 1, (rows, 1), generator=self.generator)
        kept[0], kept[1] = length, 1
        if empty:
            kept[-1] = 0
        return (torch.arange(length) < kept).long()


def block_list(d: Draw) -> list[tuple[str, str, dict, dict]]:
    """Name, module, settings and inputs."""
    x = d.normal(4, 6, 12)
    cases = [
        ("stack-gelu", "TransformerEncoder", {**STACK, "activation": "gelu"}, {"x": x, "mask": d.mask(4, 6)}),
        ("stack-relu", "TransformerEncoder", {**STACK, "activation": "relu"}, {"x": x, "mask": d.mask(4, 6)}),
        (
            "stack-no-mask",
            "TransformerEncoder",
            {"num_layers": 1, "num_heads": 2, "hidden_dim": 12},
            {"x": x},
        ),
        ("stack-long", "TransformerEncoder", STACK, {"x": d.normal(2, 101, 12), "mask": d.mask(2, 101)}),
        ("pooling", "AttentionPooling", {"hidden_dim": 12}, {"x": x, "mask": d.mask(4, 6)}),
        (
            "pooling-empty-row",
            "AttentionPooling",
            {"hidden_dim": 12},
            {"x": x, "mask": d.mask(4, 6, empty=True)},
        ),
        ("pooling-no-mask", "AttentionPooling", {"hidden_dim": 12}, {"x": x}),
        ("positions", "PositionEmbedding", {"max_length": 9, "hidden_dim": 12}, {"x": x}),
    ]
    counts = d.ids(40, 4, 6, 1).float()
    for method in ("add", "concat", "film"):
        config = {"method": method, "hidden_dim": 12}
        cases.append((f"count-embedding-{method}", "CountEmbedding", config, {"x": x, "counts": counts}))
    count = {"embedding_dim": 12, "count_num_layers": 1, "count_num_heads": 3}
    target = {"embedding_dim": 12, "target_num_layers": 1, "target_num_heads": 2}
    pooled = d.normal(5, 12)
    cases += [
        ("count-branch", "CountBranch", count, {"x": x, "mask": d.mask(4, 6)}),
        ("target-branch", "TargetBranch", {**target, "out_dim": 2}, {"x": x, "mask": d.mask(4, 6)}),
        ("nucleotide-head", "NucleotideHead", {"embedding_dim": 12}, {"x": x}),
    ]
    heads = {
        "linear": {"out_dim": 3},
        "no-norm": {"target_layer_norm": False},
        "mlp": {"regressor_hidden_dims": [7, 5], "out_dim": 2},
        "residual": {"regressor_hidden_dims": [7], "residual_regression_head": True},
        "quantiles": {"num_quantiles": 3, "out_dim": 2},
        "scale": {"learnable_output_scale": True, "output_activation": "softplus", "out_dim": 2},
        "bounded": {"bounded_targets": True},
        "exp": {"output_activation": "exp"},
        "relu": {"output_activation": "relu", "out_dim": 6},
        "classes": {"is_classifier": True, "out_dim": 4},
    }
    for name, config in heads.items():
        cases.append((f"head-{name}", "TargetHead", {"embedding_dim": 12, **config}, {"x": pooled}))
    categories, fused = d.normal(4, 8), {"seq_dim": 12, "cat_dim": 8}
    both = {"x": x, "categories": categories}
    ids = {"site": d.ids(4, 5), "season": d.ids(5, 5)}
    perceiver = {**fused, "num_latents": 5, "num_layers": 1, "num_heads": 4}
    cases += [
        ("categories", "CategoricalEmbedder", {"column_cardinalities": SITES, "embed_dim": 3}, ids),
        (
            "categories-missing-column",
            "CategoricalEmbedder",
            {"column_cardinalities": SITES, "embed_dim": 3},
            {"season": ids["season"]},
        ),
        ("concat", "ConcatFusion", fused, both),
        ("add", "AddFusion", fused, both),
        ("gmu", "GMU", fused, {"x": pooled, "categories": d.normal(5, 8)}),
        ("cross-attention-one-key", "CrossAttentionFusion", {**fused, "num_heads": 4}, both),
        (
            "cross-attention-keys",
            "CrossAttentionFusion",
            {**fused, "num_heads": 4},
            {"x": x, "categories": d.normal(4, 3, 8)},
        ),
        (
            "cross-attention-zero-key",
            "CrossAttentionFusion",
            {**fused, "num_heads": 4, "zero_key": True},
            {"x": x, "categories": d.normal(4, 2, 8)},
        ),
        ("perceiver", "PerceiverFusion", perceiver, both),
        ("perceiver-mask", "PerceiverFusion", perceiver, {**both, "mask": d.mask(4, 6)}),
        (
            "conditional-scaling",
            "ConditionalScaling",
            {"columns": SITES, "out_dim": 2},
            {"x": d.normal(5, 2), **ids},
        ),
        ("distances-raw", "PairwiseDistances", {"normalization": "none"}, {"x": pooled}),
        ("distances-tanh", "PairwiseDistances", {"normalization": "tanh10"}, {"x": pooled}),
        (
            "distances-identical",
            "PairwiseDistances",
            {"normalization": "tanh10"},
            {"x": torch.cat([pooled, pooled[:1]])},
        ),
    ]
    return cases + set_cases(d)


def set_cases(d: Draw) -> list[tuple[str, str, dict, dict]]:
    """Set encoders in all their forms, on samples of distinct ASVs of different length, some with unknown bases."""
    pool = torch.randint(1, 5, (9, 13), generator=d.generator)
    pool[:, 0] = 5
    pool[2, 9:], pool[3, 4:], pool[4, 6], pool[5, 7:9] = 0, 0, 0, 0
    tokens = torch.zeros(6, 5, 13, dtype=torch.long)
    for row, filled in enumerate([5, 1, 4, 3, 0, 2]):
        tokens[row, :filled] = pool[torch.randperm(9, generator=d.generator)[:filled]]
    inputs = {"tokens": tokens, "counts": 1 + d.ids(40, 6, 5)}
    shape = {"max_bp": 12, "codes": 6, "word_dim": 4, "buckets": 65536}
    cases = []
    for pooling in ("union", "share", "root"):
        for distance, normalized in (("tanimoto", True), ("l1", True), ("l1", False)):
            name = f"set-{pooling}-{distance}{'' if normalized else '-raw'}"
            form = {"pooling": pooling, "distance": distance, "normalized": normalized}
            cases.append((name, "SetEncoder", {**shape, **form, "words": ["2"]}, inputs))
    form = {**shape, "pooling": "union", "distance": "tanimoto"}
    for name, words, buckets in (("places", ["2@4", "3@5"], 65536), ("hashed", ["3", "4"], 50)):
        config = {**form, "words": words, "buckets": buckets}
        cases.append((f"set-{name}", "SetEncoder", config, inputs))
    for length in (5, 9):  # each word its own column, and several by a hash
        config = {**form, "words": ["3"], "long_words": length}
        cases.append((f"set-long-{length}", "SetEncoder", config, inputs))
    return cases


def perturbed_weights(module: torch.nn.Module, d: Draw) -> dict[str, torch.Tensor]:
    """Weights away from symmetric starting values; latents stay small, as they start."""
    state = module.state_dict()
    return {
        f"weights/{key}": (
            0.02 * d.normal(*value.shape)
            if key.endswith("latents")
            else value + 0.15 * d.normal(*value.shape)
        )
        for key, value in state.items()
    }


def make_block(name: str, module: str, config: dict, inputs: dict, d: Draw) -> tuple[dict, dict]:
    case = {"name": f"block-{name}", "kind": "block", "module": module, "config": config}
    torch.manual_seed(len(name))
    tensors = perturbed_weights(blocks.BLOCKS[module](**config), d)
    tensors.update({f"inputs/{key}": value for key, value in inputs.items()})
    for key, output in blocks.run_block(case, tensors, torch.float32).items():
        if key.startswith("outputs/"):
            tensors[f"cotangents/{key[8:]}"] = d.normal(*output.shape)
    return case, tensors


class ModelDraw:
    """A random model, batch and loss. Options are combined freely as far as the models allow it."""

    def __init__(self, number: int, seed: int):
        self.name = f"model-{number}"
        self.dice = random.Random(f"{seed} {number}")
        self.draw = Draw(torch.Generator().manual_seed(seed * 1000 + number))

    def maybe(self, chance: float = 0.5) -> bool:
        return self.dice.random() < chance

    def stack(self, prefix: str) -> dict:
        config = {
            f"{prefix}_num_layers": self.dice.randint(1, 2),
            f"{prefix}_num_heads": self.dice.choice([1, 2, 4]),
        }
        if self.maybe(0.3):
            config[f"{prefix}_activation"] = "relu"
        if self.maybe(0.3):
            config[f"{prefix}_intermediate_size"] = self.dice.randint(5, 20)
        return config

    def encoder_config(self) -> dict:
        config = {
            "vocab_size": self.dice.choice([6, 7]),
            "embedding_dim": self.dice.choice([8, 12, 16]),
            "max_bp": self.dice.randint(8, 16),
            "token_limit": self.dice.randint(6, 9),
            **self.stack("asv"),
            **self.stack("sample"),
            **self.stack("encoder"),
            "encoder_type": self.dice.choice(
                ["unifrac", "unifrac", "unifrac", "faith_pd", "taxonomy", "combined"]
            ),
        }
        if config["encoder_type"] in ("faith_pd", "taxonomy") and self.maybe():
            config["base_output_dim"] = self.dice.randint(1, 7)
        if self.maybe():
            config["predict_nucleotides"] = True
        if self.maybe(0.4):
            config["count_embedding"] = True
            config["count_embedding_method"] = self.dice.choice(["add", "concat", "film"])
        if self.maybe(0.3):
            config["asv_chunk_size"] = self.dice.randint(1, 4)
        return config

    def predictor_config(self) -> dict:
        config = {**self.encoder_config(), **self.stack("count"), **self.stack("target")}
        config["out_dim"] = self.dice.randint(1, 3)
        for name, value in (
            ("count_prediction", False),
            ("target_layer_norm", False),
            ("learnable_output_scale", True),
            ("freeze_base", True),
        ):
            if self.maybe(0.25):
                config[name] = value
        if self.maybe(0.4):
            config["regressor_hidden_dims"] = [
                self.dice.randint(3, 9) for _ in range(self.dice.randint(1, 2))
            ]
            config["regressor_dropout"] = self.dice.choice([0.0, 0.2])
            config["residual_regression_head"] = self.maybe()
        kind = self.dice.choice(["plain", "classes", "quantiles", "bounded", "activation"])
        if kind == "classes":
            config.update(is_classifier=True, out_dim=self.dice.randint(2, 4))
        elif kind == "quantiles":
            config["num_quantiles"] = self.dice.randint(1, 3)
        elif kind == "bounded":
            config["bounded_targets"] = True
        elif kind == "activation":
            config["output_activation"] = self.dice.choice(["relu", "softplus", "exp"])
        if self.maybe(0.6):
            self.add_fusion(config)
        return config

    def add_fusion(self, config: dict) -> None:
        config["categorical_cardinalities"] = dict(SITES)
        config["categorical_embed_dim"] = self.dice.randint(2, 5)
        config["categorical_fusion"] = self.dice.choice(
            ["concat", "add", "gmu", "cross-attention", "perceiver"]
        )
        config["cross_attn_heads"] = self.dice.choice([1, 2, 4])
        config["perceiver_num_latents"] = self.dice.randint(1, 6)
        config["perceiver_num_layers"] = self.dice.randint(0, 2)
        if self.maybe() and "num_quantiles" not in config:
            columns = ["season", "site"]
            config["conditional_scaling_columns"] = self.dice.sample(columns, self.dice.randint(1, 2))

    def loss(self, config: dict, predictor: bool) -> dict:
        loss: dict = {}
        if config["encoder_type"] in ("faith_pd", "taxonomy"):
            loss["base"] = "value"
        elif config["encoder_type"] == "unifrac" and self.maybe(0.8):
            loss["base"] = "unifrac"
        for name in ("penalty", "nuc_penalty", "target_penalty"):
            if self.maybe(0.3):
                loss[name] = round(self.dice.uniform(0.1, 3), 2)
        if not predictor:
            return loss
        loss["count_penalty"] = 0.01
        if config.get("is_classifier"):
            loss["target"] = "class"
            if self.maybe():
                loss["class_weights"] = [
                    round(self.dice.uniform(0.2, 3), 2) for _ in range(config["out_dim"])
                ]
        elif "num_quantiles" in config:
            levels = sorted(round(self.dice.uniform(0.05, 0.95), 2) for _ in range(config["num_quantiles"]))
            loss.update(target="value", target_loss_type="quantile", quantiles=levels)
        else:
            loss.update(
                target="value", target_loss_type=self.dice.choice(["mse", "mae", "huber", "asymmetric"])
            )
            if loss["target_loss_type"] == "asymmetric":
                loss.update(over_penalty=2.0, under_penalty=0.7)
            elif self.maybe(0.3):
                loss["loss_config"] = {"0": self.dice.choice(["mse", "mae", "huber"])}
        return loss

    def inputs(self, config: dict) -> dict[str, torch.Tensor]:
        kind = self.dice.choice([kind for kind in MEMBERS if kind != "one"])
        inputs = make_batch(kind, self.draw.generator, config["max_bp"], config["token_limit"])
        if "categorical_cardinalities" in config:
            for column in self.dice.sample(list(SITES), self.dice.randint(1, 2)):
                inputs[f"categorical/{column}"] = self.draw.ids(SITES[column], len(inputs["tokens"]))
        return inputs

    def targets(self, config: dict, loss: dict, samples: int) -> dict[str, torch.Tensor]:
        targets = {}
        if loss.get("base") == "unifrac":
            targets["base_target"] = make_distances(self.draw.generator, samples)
        elif loss.get("base") == "value":
            width = config.get("base_output_dim", config["embedding_dim"])
            targets["base_target"] = self.draw.uniform(samples, width)
        if loss.get("target") == "class":
            targets["target"] = self.draw.ids(config["out_dim"], samples)
        elif loss.get("target") == "value":
            targets["target"] = 2 * self.draw.uniform(samples, config["out_dim"])
        if "target" in targets and self.maybe(0.3):
            targets["sample_weights"] = self.draw.uniform(samples) + 0.1
        return targets

    def make(self) -> tuple[dict, dict]:
        predictor = self.maybe(0.7)
        module = "SequencePredictor" if predictor else "SequenceEncoder"
        config = self.predictor_config() if predictor else self.encoder_config()
        loss = self.loss(config, predictor)
        inputs = self.inputs(config)
        targets = self.targets(config, loss, len(inputs["tokens"]))
        case = {
            "name": self.name,
            "kind": "model",
            "module": module,
            "config": config,
            "call": {"return_nucleotides": self.maybe(0.7), "return_sample_embeddings": self.maybe()},
            "loss": loss,
            "categorical": {key.split("/")[1]: 0 for key in inputs if key.startswith("categorical/")} or None,
            "distance_normalization": "tanh10",
        }
        if case["categorical"]:
            case["categorical"] = {column: SITES[column] for column in case["categorical"]}
        torch.manual_seed(self.dice.randrange(2**31))
        model = getattr(blocks.models, module)(**config)
        tensors = perturbed_weights(model, self.draw)
        for column in SITES:
            key = f"weights/categorical_embedder.embeddings.{column}.weight"
            if key in tensors:
                tensors[key][0] = 0
        tensors.update({f"inputs/{key}": value for key, value in inputs.items()})
        tensors.update({f"targets/{key}": value for key, value in targets.items()})
        return case, tensors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", type=int, default=40)
    arguments = parser.parse_args()
    d = Draw(torch.Generator().manual_seed(arguments.seed))
    cases = [make_block(*entry, d) for entry in block_list(d)]
    cases += [ModelDraw(number, arguments.seed).make() for number in range(arguments.models)]
    for case, tensors in cases:
        for name, (atol, rtol) in TOLERANCES.items():
            blocks.write(arguments.out, {**case, "atol": atol, "rtol": rtol}, tensors, [name])
    print(f"{len(cases)} cases in {arguments.out}")


if __name__ == "__main__":
    main()
