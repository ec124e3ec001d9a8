"""The other side of `parity --against-python`: outputs and gradients of given weights and inputs, from torch.nn.

    python lab/python/parity/blocks.py IN_FOLDER OUT_FOLDER [--dtypes float32 float64]
    python lab/python/parity/blocks.py IN_FOLDER --check

Every subfolder of IN_FOLDER with a `case.json` and a `tensors.safetensors` is one case. OUT_FOLDER gets
`<case>/<dtype>/{case.json, tensors.safetensors}` with the same weights, inputs and targets and with newly computed
`outputs/`, `losses/`, `grads/`. `--check` compares with the numbers that the cases hold instead (both dtypes).

Cases of kind `model` and `train` are those of tests/fixtures/parity/README.md. Kind `block` is one part alone:
`module` and `config` as below, `inputs/<argument>`, `weights/<key>`; the gradients (`grads/<key>` and
`input_grads/<argument>` for floating-point inputs) are those of sum over outputs of sum(output * cotangent),
with `cotangents/<output>` from the case or ones. Weights that the block does not know are an error.

    TransformerEncoder    num_layers num_heads hidden_dim intermediate_size activation     x, mask? -> output
    AttentionPooling      hidden_dim                                                       x, mask? -> output
    PositionEmbedding     max_length hidden_dim                                            x -> output
    CountEmbedding        method hidden_dim                                                x, counts -> output
    CountBranch           embedding_dim count_num_layers count_num_heads ...               x, mask -> output
    TargetBranch          embedding_dim target_num_layers ... regressor_hidden_dims ...    x, mask -> output
    TargetHead            embedding_dim out_dim num_quantiles regressor_hidden_dims ...    x [B, D] -> output
    NucleotideHead        embedding_dim vocab_size                                         x -> output
    CategoricalEmbedder   column_cardinalities embed_dim                                   <column> ... -> output
    ConcatFusion, AddFusion   seq_dim cat_dim                          x [B, S, D], categories [B, C] -> output
    GMU                   seq_dim cat_dim                              x [B, D], categories -> output, gate
    CrossAttentionFusion  seq_dim cat_dim num_heads zero_key           x [B, S, D], categories [B, C] or [B, K, C]
                                                                       -> output, weights
    PerceiverFusion       seq_dim cat_dim num_latents num_layers num_heads   x, categories, mask? -> output, weights
    ConditionalScaling    columns {name: cardinality} out_dim          x [B, out_dim], <column> ... -> output
    OutputTransform       is_classifier bounded activation             x -> output
    PairwiseDistances     normalization                                x [B, D] -> output
    SetEncoder            words max_bp codes word_dim buckets pooling distance normalized
                                                     tokens [B, S, L], counts [B, S] -> codes, sizes, distances
    ASVEncoder, SampleSequenceEncoder, SequenceEncoder, SequencePredictor   as in model cases, one by one

Exit status 1 when --check finds a difference.
"""

import argparse
import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path

import blocks_models as models
import blocks_parts as parts
import blocks_set
from store import read_tensors, write_tensors

import torch
from torch import nn

Tensors = dict[str, torch.Tensor]

# the fused inference path gives NaN where all keys are padding, and a frozen base in evaluation would take it
torch.backends.mha.set_fastpath_enabled(False)


class Single(nn.Module):
    """A block made of a few layers with names of their own and one formula."""

    def __init__(self, layers: dict[str, nn.Module], formula: Callable):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.formula = formula

    def forward(self, **inputs: torch.Tensor):
        return self.formula(self, **inputs)


def count_embedding(method: str, hidden_dim: int) -> nn.Module:
    block = Single({}, lambda self, x, counts: self.embed(x, counts))
    block.embed = parts.CountEmbedding(block, method, hidden_dim)
    return block


def count_branch(embedding_dim: int, **options) -> nn.Module:
    layers = {
        "count_encoder": models.stack(embedding_dim, options, "count_"),
        "count_head": nn.Linear(embedding_dim, 1),
    }
    return Single(layers, lambda self, x, mask: torch.sigmoid(self.count_head(self.count_encoder(x, mask))))


def target_head(embedding_dim: int, **options) -> nn.Module:
    """The norm, the head and all that follows it."""
    whole = models.SequencePredictor(embedding_dim=embedding_dim, token_limit=1, max_bp=1, **options)
    keep = ("target_norm", "target_head", "output_scales", "output_biases")
    block = Single({name: getattr(whole, name) for name in keep}, lambda self, x: finish(self, x))
    if options.get("learnable_output_scale"):
        block.output_scale, block.output_bias = whole.output_scale, whole.output_bias

    def finish(self, x):
        return models.SequencePredictor.finish_target(self, self.target_head(self.target_norm(x)), None)

    block.options, block.out_dim, block.quantiles = options, whole.out_dim, whole.quantiles
    return block


def target_branch(embedding_dim: int, **options) -> nn.Module:
    block = target_head(embedding_dim, **options)
    block.target_encoder = models.stack(embedding_dim, options, "target_")
    block.target_pooling = parts.AttentionPooling(embedding_dim)
    head = block.formula
    block.formula = lambda self, x, mask: head(self, self.target_pooling(self.target_encoder(x, mask), mask))
    return block


def conditional_scaling(columns: dict[str, int], out_dim: int) -> nn.Module:
    tables = {
        name: nn.ModuleDict({column: nn.Embedding(size, out_dim) for column, size in columns.items()})
        for name in ("output_scales", "output_biases")
    }

    def formula(self, x, **ids):
        for column in columns:
            if column in ids:
                x = x * self.output_scales[column](ids[column]) + self.output_biases[column](ids[column])
        return x

    return Single(tables, formula)


def concat_fusion(seq_dim: int, cat_dim: int) -> nn.Module:
    def formula(self, x, categories):
        spread = categories.unsqueeze(1).expand(-1, x.shape[1], -1)
        return self.categorical_projection(torch.cat([x, spread], dim=-1))

    return Single({"categorical_projection": nn.Linear(seq_dim + cat_dim, seq_dim)}, formula)


def add_fusion(seq_dim: int, cat_dim: int) -> nn.Module:
    return Single(
        {"categorical_projection": nn.Linear(cat_dim, seq_dim)},
        lambda self, x, categories: x + self.categorical_projection(categories).unsqueeze(1),
    )


def categorical_embedder(**config) -> nn.Module:
    inner = parts.CategoricalEmbedder(**config)
    return Single({"embeddings": inner.embeddings}, lambda self, **ids: inner.eval()(ids))


def nucleotide_head(embedding_dim: int, vocab_size: int = 7) -> nn.Module:
    return Single(
        {"nucleotide_head": nn.Linear(embedding_dim, vocab_size)}, lambda self, x: self.nucleotide_head(x)
    )


def without_layers(function: Callable) -> Callable:
    return lambda **config: Single({}, lambda self, x: function(x, **config))


BLOCKS: dict[str, Callable[..., nn.Module]] = {
    "TransformerEncoder": parts.TransformerEncoder,
    "AttentionPooling": parts.AttentionPooling,
    "PositionEmbedding": parts.PositionEmbedding,
    "CountEmbedding": count_embedding,
    "CountBranch": count_branch,
    "TargetBranch": target_branch,
    "TargetHead": target_head,
    "NucleotideHead": nucleotide_head,
    "CategoricalEmbedder": categorical_embedder,
    "ConcatFusion": concat_fusion,
    "AddFusion": add_fusion,
    "GMU": parts.GMU,
    "CrossAttentionFusion": parts.CrossAttentionFusion,
    "PerceiverFusion": parts.PerceiverFusion,
    "ConditionalScaling": conditional_scaling,
    "OutputTransform": without_layers(parts.apply_output),
    "PairwiseDistances": without_layers(models.pairwise_distances),
    "SetEncoder": blocks_set.SetEncoder,
}
MODELS = ("ASVEncoder", "SampleSequenceEncoder", "SequenceEncoder", "SequencePredictor")
SECOND_OUTPUT = {"GMU": "gate", "CrossAttentionFusion": "weights", "PerceiverFusion": "weights"}


def section(tensors: Tensors, prefix: str) -> Tensors:
    return {key[len(prefix) + 1 :]: value for key, value in tensors.items() if key.startswith(prefix + "/")}


def to_dtype(tensors: Tensors, dtype: torch.dtype) -> Tensors:
    return {key: value.to(dtype) if value.is_floating_point() else value for key, value in tensors.items()}


def build(case: dict, weights: Tensors, dtype: torch.dtype) -> nn.Module:
    config = case.get("config", {})
    if case["module"] in MODELS:
        seed = {"seed_version": True} if (case.get("loss") or {}).get("seed_version") else {}
        cls = getattr(models, case["module"])
        model = cls(**config, **(seed if case["module"] == "SequencePredictor" else {}))
    else:
        model = BLOCKS[case["module"]](**config)
    model.load_state_dict(weights)
    return model.to(dtype).eval()


def call_model(case: dict, model: nn.Module, inputs: Tensors) -> Tensors:
    arguments = dict(case.get("call") or {})
    if case.get("config", {}).get("count_embedding"):
        arguments["counts"] = inputs["counts"]
    if "mask_indices" in inputs:
        arguments["mask_indices"] = inputs["mask_indices"]
    categories = section(inputs, "categorical")
    if categories:
        arguments["categorical_ids"] = categories
    return model(inputs["tokens"], **arguments)


def run_model(case: dict, tensors: Tensors, dtype: torch.dtype) -> Tensors:
    model = build(case, section(tensors, "weights"), dtype)
    inputs, targets = (
        to_dtype(section(tensors, "inputs"), dtype),
        to_dtype(section(tensors, "targets"), dtype),
    )
    outputs = call_model(case, model, inputs)
    result = {f"outputs/{key}": value for key, value in outputs.items()}
    if case.get("loss") is not None:
        losses = models.multi_task_loss(
            outputs, inputs, targets, case["loss"], case["config"], case["distance_normalization"]
        )
        losses["total_loss"].backward()
        result.update({f"losses/{key}": value for key, value in losses.items()})
        result.update(gradients("grads", dict(model.named_parameters())))
    return result


def gradients(prefix: str, leaves: Tensors) -> Tensors:
    return {f"{prefix}/{key}": leaf.grad for key, leaf in leaves.items() if leaf.grad is not None}


def run_block(case: dict, tensors: Tensors, dtype: torch.dtype) -> Tensors:
    block = build(case, section(tensors, "weights"), dtype)
    inputs = {key: value.clone() for key, value in to_dtype(section(tensors, "inputs"), dtype).items()}
    for value in inputs.values():
        value.requires_grad_(value.is_floating_point())
    results = block(**inputs, **(case.get("call") or {}))
    if isinstance(results, tuple):
        results = {"output": results[0], SECOND_OUTPUT[case["module"]]: results[1]}
    elif isinstance(results, torch.Tensor):
        results = {"output": results}
    cotangents = to_dtype(section(tensors, "cotangents"), dtype)
    total = sum(
        (output * cotangents.get(key, torch.ones_like(output))).sum() for key, output in results.items()
    )
    if total.requires_grad:
        total.backward()
    return {
        **{f"outputs/{key}": value for key, value in results.items()},
        **gradients("grads", dict(block.named_parameters())),
        **gradients("input_grads", inputs),
    }


def run_train(case: dict, tensors: Tensors, dtype: torch.dtype) -> Tensors:
    model = build(case, section(tensors, "weights"), dtype)
    optimizer = torch.optim.AdamW(
        model.parameters(), **{key: value for key, value in case["optimizer"].items() if key != "name"}
    )
    record: dict[str, list[torch.Tensor]] = {}
    for step in range(case["steps"]):
        for group in optimizer.param_groups:
            group["lr"] = float(tensors["outputs/learning_rate"][step])
        inputs = to_dtype(section(tensors, f"inputs/step{step}"), dtype)
        inputs.setdefault("counts", torch.zeros(*inputs["tokens"].shape[:2], 1, dtype=dtype))
        targets = to_dtype(section(tensors, f"targets/step{step}"), dtype)
        optimizer.zero_grad()
        losses = models.multi_task_loss(
            call_model(case, model, inputs),
            inputs,
            targets,
            case.get("loss") or {},
            case["config"],
            case["distance_normalization"],
        )
        losses["total_loss"].backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), case["clip_grad_norm"])
        optimizer.step()
        for key, value in {f"losses/{k}": v for k, v in losses.items()}.items():
            record.setdefault(key, []).append(value.detach())
        record.setdefault("outputs/grad_norm", []).append(norm.detach())
    result = {key: torch.stack(values) for key, values in record.items()}
    return {**result, **{f"outputs/final/{key}": value for key, value in model.state_dict().items()}}


RUNNERS = {"model": run_model, "block": run_block, "train": run_train}


def compare(case: dict, expected: Tensors, found: Tensors) -> tuple[float, str]:
    """The largest deviation as a share of the tolerance, and where; absent tensors count as infinite."""
    worst, place = 0.0, ""
    for key, value in expected.items():
        if (
            not key.startswith(("outputs/", "losses/", "grads/", "input_grads/"))
            or key == "outputs/learning_rate"
        ):
            continue
        if key not in found or found[key].shape != value.shape:
            # dead ends of the graph: the reference gives zeros where we have no
            # gradient, or the other way round
            if key not in found and key.startswith("grads/") and not value.any():
                continue
            return float("inf"), key
        allowed = case["atol"] + case["rtol"] * value.abs().max().item() if value.numel() else 1.0
        share = (
            (found[key].detach().double() - value.double()).abs().max().item() / allowed
            if value.numel()
            else 0.0
        )
        if share > worst:
            worst, place = share, key
    surplus = [key for key in found if key.startswith("grads/") and key not in expected and found[key].any()]
    return (float("inf"), surplus[0]) if surplus and case.get("loss") is not None else (worst, place)


def check(case: dict, tensors: Tensors, dtypes: list[str]) -> bool:
    agrees = True
    for name in dtypes:
        worst, place = compare(case, tensors, RUNNERS[case["kind"]](case, tensors, getattr(torch, name)))
        agrees = agrees and worst <= 1
        print(
            f"{'ok  ' if worst <= 1 else 'FAIL'} {case['name']:48s} {name:8s} {worst:8.4f} of the tolerance {place}"
        )
    return agrees


def write(folder: Path, case: dict, tensors: Tensors, dtypes: list[str]) -> None:
    given = {
        key: value
        for key, value in tensors.items()
        if key.startswith(("weights/", "inputs/", "targets/", "cotangents/"))
        or key == "outputs/learning_rate"
    }
    for name in dtypes:
        place = folder / case["name"] / name
        place.mkdir(parents=True, exist_ok=True)
        result = RUNNERS[case["kind"]](case, tensors, getattr(torch, name))
        write_tensors(place / "tensors.safetensors", {**given, **result})
        (place / "case.json").write_text(json.dumps({**case, "dtype": name}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=inspect.getdoc(sys.modules[__name__]).splitlines()[0])
    parser.add_argument("cases", type=Path)
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "float64"])
    arguments = parser.parse_args()
    if arguments.check == (arguments.out is not None):
        parser.error("give either an output folder or --check")
    agrees = True
    for path in sorted(arguments.cases.glob("*/case.json")):
        case = json.loads(path.read_text())
        if case["kind"] not in RUNNERS:
            print(f"skipped {case['name']}: kind {case['kind']}")
            continue
        tensors = read_tensors(path.parent / "tensors.safetensors")
        if arguments.check:
            agrees = check(case, tensors, arguments.dtypes) and agrees
        else:
            write(arguments.out, case, tensors, arguments.dtypes)
    sys.exit(0 if agrees else 1)


if __name__ == "__main__":
    main()
