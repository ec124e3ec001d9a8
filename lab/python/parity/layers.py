"""Layers, functional losses, initial weights and initializers, as PyTorch has them.

    python lab/python/parity/layers.py OUT_FOLDER [--seed N]

Writes layers.json and layers.safetensors; README.md tells the format.
"""

import argparse
from pathlib import Path

from store import DEVICE, Store

import torch
from torch import nn
from torch.nn import functional

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-11}


def module(name: str, *args, children: tuple = (), **kwargs) -> dict:
    """The description of a module: PyTorch's class and constructor arguments; children come before `args`."""
    return {"module": name, "args": list(args), "kwargs": kwargs, "children": list(children)}


def parametrized(description: dict, function: str, **kwargs) -> dict:
    """The description with a parametrization of torch.nn.utils.parametrizations on top."""
    return {**description, "parametrized": [*description.get("parametrized", []), [function, kwargs]]}


def construct(description: dict) -> nn.Module:
    layer = construct_plain(description)
    for function, kwargs in description.get("parametrized", []):
        getattr(nn.utils.parametrizations, function)(layer, **kwargs)
    return layer


def construct_plain(description: dict) -> nn.Module:
    children = [construct(child) for child in description["children"]]
    kwargs = dict(description["kwargs"])
    # A Transformer's decoder would forget it: its layers are copies, and copies of layers with a module there have ReLU.
    if kwargs.get("activation") in ("gelu", "relu") and description["module"] != "Transformer":
        kwargs["activation"] = {"gelu": nn.GELU(), "relu": nn.ReLU()}[kwargs["activation"]]
    if description["module"] == "TransformerDecoder":
        return nn.TransformerDecoder(children[0], *description["args"], norm=children[1])
    if description["module"] == "TransformerEncoder":
        norm = children[1] if len(children) > 1 else None
        return nn.TransformerEncoder(children[0], *description["args"], norm=norm, enable_nested_tensor=False)
    return getattr(nn, description["module"])(*children, *description["args"], **kwargs)


def encoder_layer(width: int, heads: int, **kwargs) -> dict:
    return module("TransformerEncoderLayer", width, heads, batch_first=True, **kwargs)


FEED = {"dim_feedforward": 10, "dropout": 0.2}
PRE_NORM = encoder_layer(8, 2, **FEED, norm_first=True, activation="gelu")
POST_NORM = encoder_layer(8, 4, **FEED, norm_first=False, activation="relu", layer_norm_eps=1e-6)
ATTENTION = module("MultiheadAttention", 8, 2, batch_first=True, dropout=0.1)

CAUSAL = {"need_weights": False, "is_causal": True}
DECODER = module("TransformerDecoderLayer", 8, 2, batch_first=True, **FEED)

# description, shapes of the positional inputs, named tensors of the call, other arguments of the call
FORWARD = [
    (module("Linear", 5, 3), [(4, 5)], {}, {}),
    (module("Linear", 5, 3, bias=False), [(2, 4, 5)], {}, {}),
    (module("Embedding", 7, 4), ["ids 7 (3, 5)"], {}, {}),
    (module("Embedding", 7, 4, padding_idx=2), ["ids 7 (3, 5)"], {}, {}),
    (module("LayerNorm", 6), [(3, 4, 6)], {}, {}),
    (module("LayerNorm", [4, 6], eps=1e-6), [(3, 4, 6)], {}, {}),
    (module("LayerNorm", 6, bias=False), [(3, 6)], {}, {}),
    (module("LayerNorm", 6, elementwise_affine=False), [(3, 6)], {}, {}),
    (module("Dropout", 0.5), [(3, 6)], {}, {}),
    (module("ReLU"), [(3, 6)], {}, {}),
    (module("GELU"), [(3, 6)], {}, {}),
    (module("GELU", approximate="tanh"), [(3, 6)], {}, {}),
    (module("Sigmoid"), [(3, 6)], {}, {}),
    (module("Tanh"), [(3, 6)], {}, {}),
    (module("SiLU"), [(3, 6)], {}, {}),
    (module("Softplus"), [(3, 6)], {}, {}),
    (module("Identity"), [(3, 6)], {}, {}),
    *[
        (module(name), [(3, 6)], {}, {})
        for name in ("ReLU6", "LogSigmoid", "Tanhshrink", "Mish", "SELU", "Hardswish", "Hardsigmoid", "Softsign")
    ],
    *[(module(name), [(3, 6)], {}, {}) for name in ("LeakyReLU", "PReLU", "ELU", "CELU", "Hardtanh", "GLU")],
    (module("LeakyReLU", 0.2), [(3, 6)], {}, {}),
    (module("RReLU", 0.2, 0.4), [(3, 6)], {}, {}),
    (module("PReLU", 4, init=0.1), [(2, 4, 3)], {}, {}),
    (module("ELU", 0.7), [(3, 6)], {}, {}),
    (module("CELU", 0.7), [(3, 6)], {}, {}),
    (module("Hardtanh", -0.4, 0.6), [(3, 6)], {}, {}),
    (module("Softplus", 2.0, 1.5), [(3, 6)], {}, {}),
    (module("Softshrink", 0.3), [(3, 6)], {}, {}),
    (module("Hardshrink", 0.3), [(3, 6)], {}, {}),
    (module("Threshold", 0.1, -2.0), [(3, 6)], {}, {}),
    (module("GLU", 0), [(4, 6)], {}, {}),
    (module("Softmin", dim=1), [(3, 6)], {}, {}),
    (module("RMSNorm", 6), [(3, 4, 6)], {}, {}),
    (module("RMSNorm", [4, 6], eps=1e-4), [(3, 4, 6)], {}, {}),
    (module("GroupNorm", 2, 4), [(3, 4, 5)], {}, {}),
    (module("GroupNorm", 2, 4, affine=False), [(3, 4, 5)], {}, {}),
    (module("BatchNorm1d", 4), [(5, 4)], {}, {}),
    (module("BatchNorm1d", 4, eps=1e-3, momentum=None), [(5, 4, 3)], {}, {}),
    (module("BatchNorm1d", 4, track_running_stats=False), [(5, 4)], {}, {}),
    (module("BatchNorm2d", 3, affine=False), [(2, 3, 4, 5)], {}, {}),
    (module("BatchNorm3d", 2), [(2, 2, 3, 2, 4)], {}, {}),
    (module("InstanceNorm1d", 3), [(2, 3, 5)], {}, {}),
    (module("InstanceNorm1d", 3, affine=True, track_running_stats=True), [(3, 5)], {}, {}),
    (module("InstanceNorm2d", 3, affine=True, eps=1e-3), [(2, 3, 4, 2)], {}, {}),
    (module("InstanceNorm2d", 3, track_running_stats=True, momentum=0.3), [(2, 3, 4, 2)], {}, {}),
    (module("InstanceNorm3d", 2), [(2, 2, 3, 2, 4)], {}, {}),
    (module("Conv1d", 4, 6, 3), [(2, 4, 9)], {}, {}),
    (module("Conv1d", 4, 6, 3, stride=2, padding=1, dilation=2, groups=2), [(2, 4, 9)], {}, {}),
    (module("Conv1d", 4, 6, 3, padding="same", bias=False), [(2, 4, 9)], {}, {}),
    (module("Conv2d", 2, 3, [3, 2], stride=[1, 2], padding=1), [(2, 2, 6, 7)], {}, {}),
    (module("Conv2d", 2, 3, 3, padding="valid"), [(2, 2, 6, 7)], {}, {}),
    (module("Conv3d", 2, 3, [1, 2, 3], padding=1), [(2, 2, 3, 4, 5)], {}, {}),
    (module("ConvTranspose1d", 4, 6, 3), [(2, 4, 5)], {}, {}),
    (module("ConvTranspose1d", 4, 6, 3, stride=3, padding=1, output_padding=2, groups=2), [(2, 4, 5)], {}, {}),
    (module("ConvTranspose2d", 2, 3, [3, 2], stride=2, bias=False), [(2, 2, 3, 4)], {}, {}),
    (module("ConvTranspose2d", 2, 4, 3, dilation=2, padding=1), [(2, 2, 3, 4)], {}, {}),
    (module("ConvTranspose3d", 2, 3, 2, stride=[1, 2, 1]), [(1, 2, 2, 3, 2)], {}, {}),
    (module("MaxPool3d", 2), [(1, 2, 4, 4, 5)], {}, {}),
    (module("AvgPool3d", [1, 2, 2]), [(1, 2, 2, 4, 5)], {}, {}),
    (module("AdaptiveAvgPool3d", 2), [(1, 2, 3, 4, 5)], {}, {}),
    (module("AdaptiveMaxPool1d", 3), [(2, 3, 8)], {}, {}),
    (module("AdaptiveMaxPool2d", [2, 3]), [(2, 3, 8, 7)], {}, {}),
    (module("FractionalMaxPool2d", 2, output_size=[3, 2]), [(2, 3, 6, 5)], {}, {}),
    (module("FractionalMaxPool2d", 2, output_size=2, return_indices=True), [(2, 3, 6, 5)], {}, {}),
    (module("FractionalMaxPool2d", [2, 3], output_ratio=0.6), [(3, 8, 9)], {}, {}),
    (module("FractionalMaxPool3d", 2, output_size=2, return_indices=True), [(2, 2, 4, 5, 6)], {}, {}),
    (module("FractionalMaxPool3d", 2, output_ratio=[0.5, 0.6, 0.7]), [(1, 2, 6, 5, 7)], {}, {}),
    (module("AdaptiveMaxPool3d", 2), [(1, 2, 3, 4, 5)], {}, {}),
    *[
        (module(name, *args, **kwargs), shapes, {}, {})
        for name in ("RNN", "GRU", "LSTM")
        for args, kwargs, shapes in (
            ((3, 4), {}, [(5, 2, 3)]),
            ((3, 4), {"num_layers": 2, "batch_first": True, "bidirectional": True}, [(2, 5, 3)]),
            ((3, 4), {"num_layers": 3, "dropout": 0.4, "bias": False}, [(5, 2, 3)]),
            ((3, 4), {}, [(5, 3)]),
        )
    ],
    (module("RNN", 3, 4, nonlinearity="relu"), [(5, 2, 3), (1, 2, 4)], {}, {}),
    (module("GRU", 3, 4, num_layers=2), [(5, 2, 3), (2, 2, 4)], {}, {}),
    (module("LSTM", 3, 5, proj_size=2, num_layers=2, bidirectional=True), [(5, 2, 3)], {}, {}),
    *[(module(f"{name}Cell", 3, 4), [(2, 3)], {}, {}) for name in ("RNN", "GRU", "LSTM")],
    *[(module(f"{name}Cell", 3, 4, bias=False), [(2, 3), (2, 4)], {}, {}) for name in ("RNN", "GRU")],
    (module("RNNCell", 3, 4, nonlinearity="relu"), [(3,)], {}, {}),
    (module("Bilinear", 3, 4, 5), [(2, 3), (2, 4)], {}, {}),
    (module("Bilinear", 3, 4, 5, bias=False), [(2, 6, 3), (2, 6, 4)], {}, {}),
    (module("Softmax2d"), [(2, 3, 4, 5)], {}, {}),
    (module("Dropout1d", 0.4), [(2, 3, 5)], {}, {}),
    (module("Dropout1d"), [(3, 5)], {}, {}),
    (module("Dropout2d"), [(2, 3, 4, 2)], {}, {}),
    (module("Dropout3d", 0.3), [(2, 3, 2, 4, 2)], {}, {}),
    (module("AlphaDropout", 0.3), [(3, 6)], {}, {}),
    (module("FeatureAlphaDropout"), [(2, 3, 4)], {}, {}),
    *[
        (module(f"{name}Pad{n}d", *size), [(1, 2, *(4,) * n)], {}, {})
        for n in (1, 2, 3)
        for name, size in (
            ("Constant", ([1, 2] * n, 3.5)),
            ("Zero", (2,)),
            ("Reflection", (1,)),
            ("Replication", ([2, 1] * n,)),
            ("Circular", (1,)),
        )
    ],
    (module("PixelShuffle", 2), [(1, 8, 2, 3)], {}, {}),
    (module("PixelUnshuffle", 2), [(1, 2, 4, 6)], {}, {}),
    *[
        (module("Upsample", scale_factor=2, mode=mode), [(1, 2, *(3,) * n)], {}, {})
        for mode, n in (("nearest", 1), ("nearest", 2), ("nearest", 3), ("linear", 1), ("bicubic", 2))
    ],
    (module("Upsample", size=[5, 7], mode="bilinear", align_corners=True), [(1, 2, 3, 4)], {}, {}),
    (module("Upsample", scale_factor=1.7, mode="trilinear"), [(1, 1, 2, 3, 4)], {}, {}),
    (module("Fold", [4, 5], [2, 3]), [(1, 12, 9)], {}, {}),
    (module("Fold", [4, 6], 2, stride=2), [(1, 8, 6)], {}, {}),
    (module("Unfold", [2, 3], padding=1, dilation=[1, 2]), [(1, 2, 4, 5)], {}, {}),
    (DECODER, [(3, 5, 8), (3, 6, 8)], {}, {}),
    (DECODER, [(3, 5, 8), (3, 6, 8)], {"memory_key_padding_mask": "padding (3, 6)"}, {}),
    (
        module("TransformerDecoder", 2, children=(DECODER, module("LayerNorm", 8))),
        [(3, 5, 8), (3, 6, 8)],
        {"tgt_mask": "forbidden (5, 5)"},
        {},
    ),
    (
        module(
            "Transformer",
            d_model=8,
            nhead=2,
            num_encoder_layers=1,
            num_decoder_layers=2,
            batch_first=True,
            norm_first=True,
            **FEED,
        ),
        [(3, 6, 8), (3, 5, 8)],
        {},
        {},
    ),
    (module("MultiheadAttention", 8, 2), [(5, 3, 8), (6, 3, 8), (6, 3, 8)], {}, {"need_weights": True}),
    *[
        (description, [(5, 3, 8), (6, 3, kdim), (6, 3, vdim)], named, {"need_weights": weights})
        for kwargs, kdim, vdim in (
            ({"kdim": 5, "vdim": 6}, 5, 6),
            ({"kdim": 5, "bias": False, "add_zero_attn": True}, 5, 8),
            ({"add_bias_kv": True, "add_zero_attn": True, "dropout": 0.2}, 8, 8),
        )
        for description in [module("MultiheadAttention", 8, 2, **kwargs)]
        for named, weights in (
            ({}, True),
            ({"key_padding_mask": "padding (3, 6)", "attn_mask": "forbidden (5, 6)"}, False),
        )
    ],
    (
        module("MultiheadAttention", 8, 2, batch_first=True, add_bias_kv=True, vdim=3),
        [(3, 5, 8), (3, 6, 8), (3, 6, 3)],
        {"attn_mask": "float (6, 5, 6)"},
        {"need_weights": True, "average_attn_weights": False},
    ),
    (module("MultiheadAttention", 8, 2, dropout=0.3), [(5, 8), (6, 8), (6, 8)], {}, {"need_weights": True}),
    (
        module("MultiheadAttention", 8, 2, batch_first=True),
        [(5, 8)] * 3,
        {"key_padding_mask": "absent (5,)"},
        {"need_weights": False},
    ),
    (module("MultiheadAttention", 8, 2), [(5, 3, 8)] * 3, {"attn_mask": "causal (5, 5)"}, CAUSAL),
    (module("TransformerEncoderLayer", 8, 2, **FEED), [(5, 3, 8)], {"src_mask": "forbidden (5, 5)"}, {}),
    (module("TransformerEncoderLayer", 8, 2, norm_first=True, **FEED), [(5, 8)], {}, {}),
    (
        module("TransformerEncoderLayer", 8, 2, norm_first=True, **FEED),
        [(5, 3, 8)],
        {"src_mask": "causal (5, 5)"},
        {"is_causal": True},
    ),
    (
        module("TransformerDecoderLayer", 8, 2, norm_first=True, **FEED),
        [(5, 3, 8), (6, 3, 8)],
        {"tgt_mask": "causal (5, 5)", "memory_key_padding_mask": "padding (3, 6)"},
        {"tgt_is_causal": True},
    ),
    *[
        (
            module("Transformer", d_model=8, nhead=2, num_encoder_layers=2, num_decoder_layers=1, **FEED, **kwargs),
            [(6, 3, 8), (5, 3, 8)],
            {"tgt_mask": "causal (5, 5)", "src_key_padding_mask": "padding (3, 6)"},
            {},
        )
        for kwargs in ({}, {"norm_first": True, "activation": "gelu", "bias": False})
    ],
    (module("EmbeddingBag", 7, 4), ["ids 7 (3, 5)"], {}, {}),
    *[
        (module("EmbeddingBag", 7, 4, **kwargs), ["ids 7 (10,)", "offsets (4,)"], {}, {})
        for mode in ("sum", "mean", "max")
        for kwargs in (
            {"mode": mode},
            {"mode": mode, "padding_idx": 2},
            {"mode": mode, "padding_idx": -1, "include_last_offset": True},
        )
    ],
    (module("EmbeddingBag", 7, 4, scale_grad_by_freq=True), ["ids 7 (3, 5)"], {}, {}),
    (module("EmbeddingBag", 7, 4, max_norm=0.9, norm_type=1.0), ["ids 7 (3, 5)"], {}, {}),
    (module("EmbeddingBag", 7, 4, mode="sum"), ["ids 7 (3, 5)"], {"per_sample_weights": "float (3, 5)"}, {}),
    (
        module("EmbeddingBag", 7, 4, mode="sum", padding_idx=0),
        ["ids 7 (10,)", "offsets (4,)"],
        {"per_sample_weights": "float (10,)"},
        {},
    ),
    (module("Embedding", 7, 4, max_norm=0.8), ["ids 7 (3, 5)"], {}, {}),
    (module("Embedding", 7, 4, padding_idx=3, scale_grad_by_freq=True), ["ids 7 (3, 5)"], {}, {}),
    *[
        (module(f"Conv{n}d", 2, 4, 3, padding_mode=mode, **kwargs), [(2, 2, *(6, 5, 4)[:n])], {}, {})
        for n in (1, 2, 3)
        for mode in ("reflect", "replicate", "circular")
        for kwargs in ({"padding": [2, 1, 0][:n], "stride": 2}, {"padding": "same", "groups": 2})
    ],
    (module("Conv1d", 2, 3, 4, padding_mode="reflect", padding="same", dilation=2), [(2, 2, 9)], {}, {}),
    (module("Conv2d", 2, 3, 2, padding_mode="circular", padding="valid"), [(2, 2, 5, 4)], {}, {}),
    (module("Conv2d", 2, 3, 3, padding_mode="circular", padding=1), [(2, 5, 4)], {}, {}),
    *[
        (module(f"MaxPool{n}d", 2, return_indices=indices, **kwargs), [(2, 3, *(7, 8, 5)[:n])], {}, {})
        for n in (1, 2, 3)
        for indices, kwargs in (
            (True, {}),
            (True, {"stride": 3, "padding": 1, "ceil_mode": True}),
            (False, {"stride": 2, "ceil_mode": True}),
            (False, {"dilation": 2, "stride": 1, "padding": 1}),
        )
    ],
    *[
        (module(f"AvgPool{n}d", 3, stride=2, padding=1, **kwargs), [(2, 3, *(7, 8, 6)[:n])], {}, {})
        for n in (1, 2, 3)
        for kwargs in (
            {"ceil_mode": True},
            {"count_include_pad": False},
            {"ceil_mode": True, "count_include_pad": False},
            *([{"divisor_override": 4}] if n > 1 else []),
        )
    ],
    *[
        (module(f"AdaptiveMaxPool{n}d", 2, return_indices=True), [(2, 3, *(7, 8, 5)[:n])], {}, {})
        for n in (1, 2, 3)
    ],
    (module("MaxUnpool1d", 2), [(2, 3, 4), "places 2 4 (2, 3, 4)"], {}, {}),
    (module("MaxUnpool1d", 3, stride=2, padding=1), [(2, 3, 4), "places 2 4 (2, 3, 4)"], {}, {}),
    (module("MaxUnpool2d", 2), [(2, 3, 2, 3), "places 2 6 (2, 3, 2, 3)"], {}, {}),
    (module("MaxUnpool2d", [2, 3], stride=2), [(3, 2, 3), "places 2 6 (3, 2, 3)"], {}, {}),
    (module("MaxUnpool3d", 2), [(1, 2, 2, 3, 2), "places 4 12 (1, 2, 2, 3, 2)"], {}, {}),
    (module("MaxPool1d", 2), [(2, 3, 8)], {}, {}),
    (module("MaxPool2d", 3, stride=2, padding=1), [(2, 3, 8, 7)], {}, {}),
    (module("AvgPool1d", 3, stride=2), [(2, 3, 8)], {}, {}),
    (module("AvgPool2d", 2), [(2, 3, 8, 7)], {}, {}),
    (module("AdaptiveAvgPool1d", 3), [(2, 3, 8)], {}, {}),
    (module("AdaptiveAvgPool2d", [2, 3]), [(2, 3, 8, 7)], {}, {}),
    (module("PairwiseDistance"), [(4, 3), (4, 3)], {}, {}),
    (module("PairwiseDistance", 1.0, 1e-3, True), [(2, 4, 3), (2, 4, 3)], {}, {}),
    (module("CosineSimilarity"), [(4, 3), (4, 3)], {}, {}),
    (module("CosineSimilarity", -1, 1e-3), [(2, 4, 3), (4, 3)], {}, {}),
    (module("ChannelShuffle", 2), [(2, 6, 3, 2)], {}, {}),
    *[(module("LocalResponseNorm", 3), [(2, 5, *(4, 3, 2)[:n])], {}, {}) for n in (1, 2, 3)],
    (module("LocalResponseNorm", 2, alpha=0.3, beta=0.5, k=2.0), [(2, 5, 4, 3)], {}, {}),
    *[
        (module(f"LPPool{n}d", norm, 2, **kwargs), ["leaf positive (2, 3, %s)" % str((5, 4, 5)[:n])[1:-1]], {}, {})
        for n in (1, 2, 3)
        for norm, kwargs in ((2, {}), (1.5, {"stride": 1}), (3, {"ceil_mode": True}))
    ],
    (module("Flatten"), [(2, 3, 4)], {}, {}),
    (module("Flatten", 0, 1), [(2, 3, 4)], {}, {}),
    (module("Unflatten", 1, [2, 3]), [(4, 6)], {}, {}),
    *[(module(name), [(4, 3), (4, 3)], {}, {}) for name in ("MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss")],
    (module("HuberLoss", delta=0.5, reduction="sum"), [(4, 3), (4, 3)], {}, {}),
    (module("CrossEntropyLoss"), [(4, 3), "ids 3 (4,)"], {}, {}),
    (module("CrossEntropyLoss", label_smoothing=0.1, ignore_index=1), [(4, 3), "ids 3 (4,)"], {}, {}),
    (module("NLLLoss", reduction="sum"), [(4, 3), "ids 3 (4,)"], {}, {}),
    (module("BCELoss"), ["leaf probabilities (4, 3)", "probabilities (4, 3)"], {}, {}),
    (module("BCEWithLogitsLoss", reduction="none"), [(4, 3), "probabilities (4, 3)"], {}, {}),
    (module("KLDivLoss", reduction="batchmean"), [(4, 3), "probabilities (4, 3)"], {}, {}),
    (module("CosineEmbeddingLoss", margin=0.2), [(4, 3), (4, 3), "signs (4,)"], {}, {}),
    (module("MarginRankingLoss", margin=0.2), [(4,), (4,), "signs (4,)"], {}, {}),
    (module("HingeEmbeddingLoss", margin=0.5), [(4, 3), "signs (4, 3)"], {}, {}),
    (module("TripletMarginLoss", p=1.0, swap=True), [(4, 3), (4, 3), (4, 3)], {}, {}),
    (module("TripletMarginWithDistanceLoss", margin=0.5, swap=True), [(4, 3), (4, 3), (4, 3)], {}, {}),
    (module("SoftMarginLoss"), [(4, 3), "signs (4, 3)"], {}, {}),
    (module("PoissonNLLLoss", full=True), [(4, 3), "positive (4, 3)"], {}, {}),
    (module("GaussianNLLLoss", full=True), [(4, 3), "constant (4, 3)", "positive (4, 3)"], {}, {}),
    (module("CTCLoss", blank=1, zero_infinity=True), [(6, 2, 4), "labels (2, 3)", "sixes (2,)", "threes (2,)"], {}, {}),
    (module("MultiLabelMarginLoss"), [(4, 3), "labels (4, 3)"], {}, {}),
    (module("MultiLabelSoftMarginLoss"), [(4, 3), "probabilities (4, 3)"], {}, {}),
    (module("MultiMarginLoss", p=2, margin=0.7), [(4, 3), "ids 3 (4,)"], {}, {}),
    (module("Softmax", dim=1), [(3, 6)], {}, {}),
    (module("LogSoftmax", dim=-1), [(3, 6)], {}, {}),
    (
        module(
            "Sequential",
            children=(module("Linear", 5, 7), module("ReLU"), module("Dropout", 0.3), module("Linear", 7, 2)),
        ),
        [(4, 5)],
        {},
        {},
    ),
    (ATTENTION, [(3, 5, 8)] * 3, {}, {"need_weights": False}),
    (ATTENTION, [(3, 5, 8), (3, 6, 8), (3, 6, 8)], {}, {"need_weights": True}),
    (
        ATTENTION,
        [(3, 5, 8), (3, 6, 8), (3, 6, 8)],
        {"key_padding_mask": "padding (3, 6)"},
        {"need_weights": True},
    ),
    (ATTENTION, [(3, 5, 8)] * 3, {"key_padding_mask": "padding (3, 5)"}, {"need_weights": False}),
    (ATTENTION, [(3, 5, 8)] * 3, {"attn_mask": "forbidden (5, 5)"}, {"need_weights": False}),
    (ATTENTION, [(3, 5, 8)] * 3, {"attn_mask": "float (5, 5)"}, {"need_weights": False}),
    (
        ATTENTION,
        [(3, 5, 8)] * 3,
        {"attn_mask": "forbidden (6, 5, 5)", "key_padding_mask": "padding (3, 5)"},
        {"need_weights": False},
    ),
    (PRE_NORM, [(3, 5, 8)], {}, {}),
    (PRE_NORM, [(3, 5, 8)], {"src_key_padding_mask": "padding (3, 5)"}, {}),
    (POST_NORM, [(3, 5, 8)], {"src_key_padding_mask": "padding (3, 5)"}, {}),
    (POST_NORM, [(3, 5, 8)], {"src_mask": "forbidden (5, 5)"}, {}),
    (
        module("TransformerEncoder", 2, children=(PRE_NORM,)),
        [(3, 5, 8)],
        {"src_key_padding_mask": "padding (3, 5)"},
        {},
    ),
    (
        module("TransformerEncoder", 3, children=(POST_NORM, module("LayerNorm", 8, eps=1e-6))),
        [(3, 5, 8)],
        {"src_key_padding_mask": "padding (3, 5)"},
        {},
    ),
]

FORWARD += [
    (module("AdaptiveLogSoftmaxWithLoss", 8, 12, [3, 7], div_value=2.0), [(6, 8), "ids 12 (6,)"], {}, {}),
    (module("AdaptiveLogSoftmaxWithLoss", 8, 12, [3, 7, 9], head_bias=True), [(6, 8), "ids 5 (6,)"], {}, {}),
    (module("AdaptiveLogSoftmaxWithLoss", 8, 12, [4]), [(8,), "ids 12 ()"], {}, {}),
]

LINEAR = module("Linear", 5, 3)
CONV = module("Conv2d", 2, 4, 3)
TRANSPOSED = module("ConvTranspose1d", 4, 6, 3)
SQUARE = module("Linear", 4, 4)
FORWARD += [
    (parametrized(LINEAR, "weight_norm"), [(4, 5)], {}, {}),
    (parametrized(LINEAR, "weight_norm", dim=None), [(4, 5)], {}, {}),
    (parametrized(CONV, "weight_norm", dim=1), [(2, 2, 5, 6)], {}, {}),
    (parametrized(module("RNNCell", 3, 4), "weight_norm", name="weight_hh", dim=1), [(2, 3)], {}, {}),
    (parametrized(LINEAR, "spectral_norm"), [(4, 5)], {}, {}),
    (parametrized(LINEAR, "spectral_norm", name="bias"), [(4, 5)], {}, {}),
    (parametrized(CONV, "spectral_norm", n_power_iterations=3, eps=1e-6), [(2, 2, 5, 6)], {}, {}),
    (parametrized(TRANSPOSED, "spectral_norm"), [(2, 4, 5)], {}, {}),
    (parametrized(TRANSPOSED, "spectral_norm", dim=-1), [(2, 4, 5)], {}, {}),
    (parametrized(parametrized(LINEAR, "weight_norm"), "spectral_norm"), [(4, 5)], {}, {}),
    *[
        (parametrized(layer, "orthogonal", **kwargs), [(2, layer["args"][0])], {}, {})
        for layer in (SQUARE, module("Linear", 3, 5), module("Linear", 5, 2))
        for kwargs in (
            {},
            {"orthogonal_map": "matrix_exp"},
            {"orthogonal_map": "cayley"},
            {"orthogonal_map": "householder"},
            {"orthogonal_map": "householder", "use_trivialization": False},
            {"orthogonal_map": "cayley", "use_trivialization": False},
        )
    ],
]

INITIAL = [description for description, *_ in FORWARD] + [
    module("Linear", 64, 48),
    module("Embedding", 50, 33, padding_idx=0),
    module("TransformerEncoder", 2, children=(encoder_layer(32, 4, dim_feedforward=128, norm_first=True),)),
]

REDUCTIONS = ("none", "mean", "sum")


def functional_calls() -> list[tuple[str, list, dict]]:
    """Name in torch.nn.functional, inputs, options. A tensor option is written as an input."""
    calls: list[tuple[str, list, dict]] = []
    for reduction in REDUCTIONS:
        plain = {"reduction": reduction}
        pair = [(4, 3), "constant (4, 3)"]
        calls += [(name, pair, plain) for name in ("mse_loss", "l1_loss")]
        calls += [
            ("huber_loss", pair, {**plain, "delta": 0.6}),
            ("smooth_l1_loss", pair, {**plain, "beta": 0.4}),
        ]
        calls += [("huber_loss", pair, plain), ("smooth_l1_loss", pair, plain)]
        classes = [(4, 3), "ids 3 (4,)"]
        weighted = {**plain, "weight": "positive (3,)"}
        calls += [
            ("cross_entropy", classes, plain),
            ("cross_entropy", classes, {**weighted, "ignore_index": 1}),
        ]
        calls += [("cross_entropy", classes, {**weighted, "label_smoothing": 0.2})]
        calls += [("cross_entropy", [(2, 3, 5), "ids 3 (2, 5)"], plain)]
        calls += [("nll_loss", classes, plain), ("nll_loss", classes, {**weighted, "ignore_index": 0})]
        logits = [(4, 3), "probabilities (4, 3)"]
        calls += [("binary_cross_entropy", ["leaf probabilities (4, 3)", "probabilities (4, 3)"], plain)]
        calls += [("binary_cross_entropy_with_logits", logits, {**plain, "pos_weight": "positive (3,)"})]
        calls += [("kl_div", [(4, 3), "probabilities (4, 3)"], plain)]
        calls += [("kl_div", [(4, 3), "constant (4, 3)"], {**plain, "log_target": True})]
    calls.append(("kl_div", [(4, 3), "probabilities (4, 3)"], {"reduction": "batchmean"}))
    calls += [("normalize", [(4, 3)], {}), ("normalize", [(4, 3, 2)], {"p": 1.0, "dim": 2})]
    for reduction in REDUCTIONS:
        plain = {"reduction": reduction}
        two = [(4, 3), (4, 3)]
        calls += [("cosine_embedding_loss", [*two, "signs (4,)"], {**plain, "margin": 0.1})]
        calls += [("margin_ranking_loss", [*two, "signs (4, 3)"], {**plain, "margin": 0.1})]
        calls += [("hinge_embedding_loss", [(4, 3), "signs (4, 3)"], plain)]
        calls += [("triplet_margin_loss", [*two, (4, 3)], {**plain, "margin": 0.7})]
        calls += [("triplet_margin_with_distance_loss", [*two, (4, 3)], {**plain, "margin": 0.7})]
        calls += [("soft_margin_loss", [(4, 3), "signs (4, 3)"], plain)]
        calls += [("poisson_nll_loss", [(4, 3), "positive (4, 3)"], {**plain, "full": True})]
        calls += [("multi_margin_loss", [(4, 3), "ids 3 (4,)"], {**plain, "weight": "positive (3,)"})]
        calls += [("multilabel_margin_loss", [(4, 3), "labels (4, 3)"], plain)]
        calls += [("multilabel_soft_margin_loss", [(4, 3), "probabilities (4, 3)"], {**plain, "weight": "positive (3,)"})]
        lengths = ["labels (2, 3)", "sixes (2,)", "threes (2,)"]
        calls += [("ctc_loss", [(6, 2, 4), *lengths], {**plain, "blank": 3})]
        calls += [("gaussian_nll_loss", [*two, "leaf positive (4, 3)"], plain)]
    calls += [("pairwise_distance", [(4, 3), (4, 3)], {}), ("pairwise_distance", [(4, 3), (4, 3)], {"p": 1.0})]
    calls += [("softsign", [(4, 3)], {}), ("tanhshrink", [(4, 3)], {})]
    image = [(1, 2, 4, 5)]
    calls += [
        ("interpolate", image, {"size": [7, 3], "mode": "bicubic", "align_corners": True}),
        ("interpolate", image, {"scale_factor": [1.6, 0.5], "mode": "bilinear", "recompute_scale_factor": True}),
        ("interpolate", image, {"size": [2, 2], "mode": "bilinear", "antialias": True}),
        ("interpolate", image, {"scale_factor": 0.6, "mode": "area"}),
        ("interpolate", image, {"scale_factor": 1.5, "mode": "nearest-exact"}),
        ("grid_sample", [(1, 2, 4, 5), (1, 3, 2, 2)], {"align_corners": False}),
        ("grid_sample", [(1, 2, 4, 5), (1, 3, 2, 2)], {"mode": "bicubic", "padding_mode": "border", "align_corners": True}),
        ("grid_sample", [(1, 1, 2, 3, 4), (1, 2, 2, 2, 3)], {"padding_mode": "reflection", "align_corners": False}),
    ]
    for name in ("max_pool3d", "avg_pool3d", "max_pool3d_with_indices"):
        calls += [(name, [(2, 4, 5, 4)], {"kernel_size": 2, "stride": [2, 1, 2], "ceil_mode": True})]
    calls += [(f"max_pool{n}d_with_indices", [(2, *(4, 5)[:n])], {"kernel_size": 2}) for n in (1, 2)]
    for n in (1, 2, 3):
        volume = [(2, 3, *(4, 5, 6)[:n])]
        calls += [(f"adaptive_max_pool{n}d{end}", volume, {"output_size": 2}) for end in ("", "_with_indices")]
    calls += [("adaptive_avg_pool3d", [(2, 4, 5, 6)], {"output_size": [2, 3, 2]})]
    calls += [
        ("max_unpool1d", [(2, 3, 4), "places 2 4 (2, 3, 4)"], {"kernel_size": 2, "output_size": [9]}),
        ("max_unpool2d", [(2, 3, 2, 3), "places 2 6 (2, 3, 2, 3)"], {"kernel_size": 2, "output_size": [2, 3, 5, 6]}),
        ("max_unpool3d", [(2, 2, 2, 2), "places 3 8 (2, 2, 2, 2)"], {"kernel_size": 2, "stride": 2}),
    ]
    calls += [
        ("embedding_bag", ["ids 7 (10,)", (7, 4)], {"offsets": "offsets (4,)", "mode": mode}) for mode in ("sum", "max")
    ]
    calls += [("embedding_bag", ["ids 7 (3, 5)", (7, 4)], {"padding_idx": -2})]
    calls += [("embedding", ["ids 7 (3, 5)", (7, 4)], {"padding_idx": -2})]
    calls += [("embedding", ["ids 3 (3, 5)", (3, 4)], {"scale_grad_by_freq": True})]
    return calls


INITIALIZERS = [
    ("uniform_", (6, 9), [-0.3, 0.7], {}),
    ("normal_", (6, 9), [0.5, 2.0], {}),
    ("constant_", (3, 4), [0.25], {}),
    ("ones_", (3, 4), [], {}),
    ("zeros_", (3, 4), [], {}),
    ("xavier_uniform_", (6, 9), [], {}),
    ("xavier_uniform_", (6, 9), [], {"gain": 2.0}),
    ("xavier_normal_", (6, 9), [], {}),
    ("xavier_uniform_", (4, 3, 5), [], {}),
    ("kaiming_uniform_", (6, 9), [], {}),
    ("kaiming_uniform_", (6, 9), [], {"a": 5**0.5}),
    ("kaiming_normal_", (6, 9), [], {"mode": "fan_out", "nonlinearity": "relu"}),
    ("kaiming_uniform_", (4, 3, 5), [], {"nonlinearity": "tanh"}),
    ("eye_", (3, 5), [], {}),
    ("orthogonal_", (6, 9), [], {}),
    ("orthogonal_", (9, 2, 3), [], {"gain": 2.0}),
    ("dirac_", (4, 3, 3), [], {}),
    ("dirac_", (6, 2, 3, 2), [2], {}),
    ("dirac_", (2, 3, 1, 2, 5), [], {}),
    ("sparse_", (6, 9), [0.3], {}),
    ("sparse_", (5, 4), [0.5, 2.0], {}),
]
if torch.__version__ >= (2, 12):
    # Before, it drew other numbers.
    INITIALIZERS += [
        ("trunc_normal_", (6, 9), [], {}),
        ("trunc_normal_", (6, 9), [0.5, 2.0, -1.0, 3.0], {}),
        ("trunc_normal_", (6, 9), [0.0, 1.0, 1.0, 3.0], {}),
    ]



def flat(results) -> list:
    """The tensors of nested tuples."""
    return [one for part in results for one in flat(part)] if isinstance(results, tuple) else [results]


class LayerCases:
    def __init__(self, folder: Path, seed: int):
        self.store = Store(folder, "layers")
        self.generator = torch.Generator().manual_seed(seed)

    def number(self) -> int:
        return len(self.store.cases)

    def normal(self, shape) -> torch.Tensor:
        return torch.randn(shape, generator=self.generator, dtype=torch.float64)

    def draw(self, wish, dtype: torch.dtype) -> torch.Tensor:
        """A tensor from a shape (then it gets a gradient) or from a phrase like "padding (3, 5)"."""
        drawn = self.draw_here(wish, dtype)
        return drawn.detach().to(DEVICE).requires_grad_(drawn.requires_grad)

    def draw_here(self, wish, dtype: torch.dtype) -> torch.Tensor:
        if not isinstance(wish, str):
            return self.normal(wish).to(dtype).requires_grad_(True)
        phrase, _, size = wish.rpartition("(")
        words = phrase.split()
        shape = tuple(int(part) for part in size.rstrip(")").split(",") if part.strip())
        uniform = torch.rand(shape, generator=self.generator)
        if words[0] == "ids":
            return torch.randint(0, int(words[1]), shape, generator=self.generator)
        if words[0] == "labels":
            return torch.tensor([0, 2, 0]).repeat(shape[0], 1) if shape[0] < 4 else torch.tensor([[2, 0, -1]] * shape[0])
        if words[0] in ("sixes", "threes"):
            return torch.full(shape, 6 if words[0] == "sixes" else 3)
        if words[0] == "offsets":
            return torch.tensor([0, 3, 3, 10])
        if words[0] == "places":
            # As many in each plane as are told, none twice.
            return (torch.arange(uniform.numel()) % int(words[2]) * int(words[1])).reshape(shape)
        if words[0] == "absent":
            return uniform < 0.3
        if words[0] == "causal":
            return torch.ones(shape, dtype=torch.bool).triu(1)
        if words[0] == "padding":
            kept = torch.randint(1, shape[1] + 1, (shape[0], 1), generator=self.generator)
            return torch.arange(shape[1]) >= kept
        if words[0] == "forbidden":
            mask = uniform < 0.4
            return mask & ~torch.eye(*shape[-2:], dtype=torch.bool) & (torch.arange(shape[-1]) > 0)
        if words[-1] == "probabilities":
            tensor = (uniform * 0.8 + 0.1).to(dtype)
            return tensor.requires_grad_(True) if words[0] == "leaf" else tensor
        if words[0] == "signs":
            return torch.where(uniform < 0.5, -1.0, 1.0).to(dtype)
        if words[-1] == "positive":
            tensor = (uniform + 0.2).to(dtype)
            return tensor.requires_grad_(True) if words[0] == "leaf" else tensor
        return self.normal(shape).to(dtype)

    def keep(self, prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, str]:
        return {key: self.store.put(f"{prefix}/{key}", tensor)["tensor"] for key, tensor in tensors.items()}

    def outcome(self, results, leaves: dict[str, torch.Tensor]) -> dict:
        """Outputs, cotangents and gradients of sum(output * cotangent)."""
        number = self.number()
        outputs = [output for output in flat(results) if output is not None]
        total, cotangents = torch.zeros((), dtype=torch.float64, device=DEVICE), []
        for output in outputs:
            cotangents.append(self.normal(output.shape).to(output.dtype).to(output.device))
            total = total + (output * cotangents[-1]).sum().double()
        if total.requires_grad:
            found = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
            grads = {key: grad for key, grad in zip(leaves, found, strict=True) if grad is not None}
        else:
            grads = {}
        return {
            "outputs": list(
                self.keep(f"{number}/out", {str(i): output for i, output in enumerate(outputs)}).values()
            ),
            "cotangents": list(
                self.keep(f"{number}/cot", {str(i): c for i, c in enumerate(cotangents)}).values()
            ),
            "grads": self.keep(f"{number}/grad", grads),
        }

    def forward(self, entry: tuple, dtype: torch.dtype, training: bool) -> None:
        """One layer with perturbed weights; in training mode its dropout draws from the seeded generator."""
        description, inputs, named, options = entry
        number = self.number()
        layer = construct(description).to(DEVICE, dtype).train(training)
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.add_(0.2 * self.normal(parameter.shape).to(DEVICE, dtype))
        drawn = [self.draw(wish, dtype) for wish in inputs]
        keywords = {key: self.draw(wish, dtype) for key, wish in named.items()}
        seed = 1000 + number
        state = self.keep(f"{number}/state", layer.state_dict())
        torch.manual_seed(seed)
        results = layer(*drawn, **keywords, **options)
        after = self.keep(f"{number}/after", dict(layer.named_buffers()))
        leaves = {f"inputs/{i}": tensor for i, tensor in enumerate(drawn) if tensor.requires_grad}
        leaves.update({f"state/{key}": parameter for key, parameter in layer.named_parameters()})
        self.store.cases.append(
            {
                "kind": "forward",
                "name": f"{description['module']}/{number}/{str(dtype)[6:]}{'/training' if training else ''}",
                **description,
                "training": training,
                "seed": seed,
                "state": state,
                "after": after,
                "inputs": list(self.keep(f"{number}/in", {str(i): t for i, t in enumerate(drawn)}).values()),
                "call": {
                    **{key: self.store.put(f"{number}/{key}", t) for key, t in keywords.items()},
                    **options,
                },
                **self.outcome(results, leaves),
                "tolerance": TOLERANCE[dtype],
            }
        )

    def function(self, name: str, inputs: list, options: dict, dtype: torch.dtype) -> None:
        number = self.number()
        drawn = [self.draw(wish, dtype) for wish in inputs]
        tensors = {
            key: self.draw(wish, dtype)
            for key, wish in options.items()
            if isinstance(wish, str) and "(" in wish
        }
        results = getattr(functional, name)(*drawn, **{**options, **tensors})
        leaves = {f"inputs/{i}": tensor for i, tensor in enumerate(drawn) if tensor.requires_grad}
        self.store.cases.append(
            {
                "kind": "functional",
                "name": f"{name}/{number}/{str(dtype)[6:]}",
                "function": name,
                "inputs": list(self.keep(f"{number}/in", {str(i): t for i, t in enumerate(drawn)}).values()),
                "call": {
                    **options,
                    **{key: self.store.put(f"{number}/{key}", t) for key, t in tensors.items()},
                },
                **self.outcome(results, leaves),
                "tolerance": TOLERANCE[dtype],
            }
        )

    def initial(self, description: dict, seed: int) -> None:
        number = self.number()
        torch.manual_seed(seed)
        layer = construct(description)
        self.store.cases.append(
            {
                "kind": "initial",
                "name": f"{description['module']}/{number}/seed {seed}",
                **description,
                "seed": seed,
                "state": self.keep(f"{number}/state", layer.state_dict()),
                "next": self.store.put(f"{number}/next", torch.rand(3))["tensor"],
                "tolerance": 0,
            }
        )

    def initializer(self, name: str, shape: tuple, args: list, kwargs: dict) -> None:
        number = self.number()
        torch.manual_seed(number)
        tensor = torch.empty(shape)
        getattr(nn.init, name)(tensor, *args, **kwargs)
        self.store.cases.append(
            {
                "kind": "initializer",
                "name": f"{name}/{number}",
                "function": name,
                "shape": list(shape),
                "args": args,
                "kwargs": kwargs,
                "seed": number,
                "outputs": [self.store.put(f"{number}/out/0", tensor)["tensor"]],
                "tolerance": 1e-7,
            }
        )


def generate(folder: Path, seed: int) -> Store:
    cases = LayerCases(folder, seed)
    for dtype in (torch.float32, torch.float64):
        for entry in FORWARD:
            cases.forward(entry, dtype, training=False)
        for name, inputs, options in functional_calls():
            cases.function(name, inputs, options, dtype)
    for entry in FORWARD:
        cases.forward(entry, torch.float32, training=True)
    for description in INITIAL:
        cases.initial(description, 42)
    for entry in INITIALIZERS:
        cases.initializer(*entry)
    return cases.store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    store = generate(arguments.out, arguments.seed)
    store.save(seed=arguments.seed)
    print(f"{len(store.cases)} cases of layers")


if __name__ == "__main__":
    main()
