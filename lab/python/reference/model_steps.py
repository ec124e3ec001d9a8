"""Training steps of a small GPT and a small residual network, as lab/bench/modelSteps.ts has them."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

GPT = {"vocabulary": 65, "width": 128, "heads": 4, "layers": 4, "length": 64, "batch": 8}
IMAGES = {"side": 32, "batch": 16, "classes": 10}


class GptBlock(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = self.qkv(self.norm1(x)).chunk(3, -1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        x = x + self.projection(mixed)
        return x + self.narrow(functional.gelu(self.wide(self.norm2(x))))


def gpt(device: str, **options: bool) -> Callable[[], object]:
    width, length = GPT["width"], GPT["length"]
    tokens, places = nn.Embedding(GPT["vocabulary"], width), nn.Embedding(length, width)
    blocks = [GptBlock(width, GPT["heads"]) for _ in range(GPT["layers"])]
    rest = nn.Sequential(*blocks, nn.LayerNorm(width), nn.Linear(width, GPT["vocabulary"]))
    model = nn.ModuleList([tokens, places, rest]).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, **options)
    text = torch.randint(GPT["vocabulary"], (GPT["batch"], length + 1), device=device)
    x, y, at = text[:, :-1], text[:, 1:].reshape(-1), torch.arange(length, device=device)

    def run() -> None:
        optimizer.zero_grad()
        logits = rest(tokens(x) + places(at))
        functional.cross_entropy(logits.view(-1, GPT["vocabulary"]), y).backward()
        optimizer.step()

    return run


def convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs)]


class ResidualBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        first = convolution(inputs, outputs, 3, stride)
        self.body = nn.Sequential(*first, nn.ReLU(), *convolution(outputs, outputs, 3))
        self.around = nn.Sequential(*(convolution(inputs, outputs, 1, stride) if stride > 1 else []))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.body(x) + self.around(x))


def resnet(device: str, **options: bool) -> Callable[[], object]:
    blocks = [ResidualBlock(16, 16, 1), ResidualBlock(16, 32, 2), ResidualBlock(32, 64, 2)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, IMAGES["classes"])]
    model = nn.Sequential(*convolution(3, 16, 3), nn.ReLU(), *blocks, *head).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9, **options)
    x = torch.rand(IMAGES["batch"], 3, IMAGES["side"], IMAGES["side"], device=device)
    y = torch.randint(IMAGES["classes"], (IMAGES["batch"],), device=device)

    def run() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return run
