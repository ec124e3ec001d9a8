"""Commands `step [i]`, `predict [i]` (one batch encoded without gradients), `train SECONDS` and `save PATH`."""

import importlib
import importlib.util
import resource
import sys
import time
from dataclasses import fields
from pathlib import Path

from batches import Batches
from plain_model import PretrainModel, Sizes, pretrain_loss
from tensor_file import read_tensors, write_tensors

import torch


def load_reference_modules(checkout: str):
    """The encoder class and the loss module of a checkout of the published implementation."""
    root = Path(checkout).resolve()
    path = root / "aam" / "training" / "losses.py"
    if not path.is_file():
        raise ValueError(f"{root} is not a checkout of the reference: {path} is missing")
    sys.path.insert(0, str(root))
    encoder = importlib.import_module("aam.models.sequence_encoder").SequenceEncoder
    # as a single file: its package imports logging and plotting libraries
    spec = importlib.util.spec_from_file_location("reference_losses", path)
    losses = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(losses)
    return encoder, losses


class PlainWork:
    def __init__(self, sizes: Sizes):
        self.sizes = sizes
        self.model = PretrainModel(sizes)

    def loss(self, tokens: torch.Tensor, distances: torch.Tensor) -> torch.Tensor:
        return pretrain_loss(
            self.model(tokens, nucleotides=True), tokens, distances, self.sizes.distance_scale
        )

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.model(tokens)["embeddings"]


class ReferenceWork:
    """The same two calls through the modules of a real checkout."""

    def __init__(self, sizes: Sizes, checkout: str):
        encoder, losses = load_reference_modules(checkout)
        stacks = ("asv", "sample", "encoder")
        self.model = encoder(
            vocab_size=sizes.vocab_size,
            embedding_dim=sizes.embedding_dim,
            max_bp=sizes.max_bp,
            token_limit=sizes.token_limit,
            predict_nucleotides=True,
            asv_chunk_size=sizes.asv_chunk_size,
            gradient_checkpointing=sizes.gradient_checkpointing,
            mask_ratio=sizes.mask_ratio,
            attn_implementation="mem_efficient",
            **{f"{stack}_num_layers": sizes.layers for stack in stacks},
            **{f"{stack}_num_heads": sizes.heads for stack in stacks},
            **{f"{stack}_dropout": sizes.dropout for stack in stacks},
        )
        self.criterion = losses.MultiTaskLoss()
        if sizes.distance_scale != 10.0:
            plain = losses.compute_pairwise_distances
            scale = sizes.distance_scale
            losses.compute_pairwise_distances = lambda embeddings: plain(
                embeddings, normalize=scale is not None, scale=scale or 1.0
            )

    def loss(self, tokens: torch.Tensor, distances: torch.Tensor) -> torch.Tensor:
        outputs = self.model(tokens, return_nucleotides=True)
        targets = {"tokens": tokens, "base_target": distances}
        return self.criterion({k: v for k, v in outputs.items() if v is not None}, targets)["total_loss"]

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.model(tokens)["embeddings"]


class TrainingWorkload:
    """Holds the model, its optimizer and the batches; each command answers with one dictionary."""

    def __init__(self, config: dict, reference: str | None, training: bool):
        known = {field.name for field in fields(Sizes)}
        sizes = Sizes(**{key: value for key, value in config.items() if key in known})
        self.device = torch.device(config.get("device", "cpu"))
        self.work = PlainWork(sizes) if reference is None else ReferenceWork(sizes, reference)
        if config.get("weights"):
            self.work.model.load_state_dict(read_tensors(config["weights"]))
        self.work.model.to(self.device).train(training)
        self.optimizer = torch.optim.AdamW(
            self.work.model.parameters(),
            lr=config.get("lr", 1e-4),
            weight_decay=config.get("weight_decay", 0.01),
        )
        self.clip = config.get("clip", 1.0)
        self.micro_batch = config.get("micro_batch")
        self.batches = Batches(config["batches"], sizes.token_limit, sizes.max_bp)
        self.next = 0

    def ready(self) -> dict:
        return {
            "parameters": sum(parameter.numel() for parameter in self.work.model.parameters()),
            "batches": self.batches.count,
            "memory": self.memory(),
        }

    def commands(self) -> dict:
        return {"step": self.step, "predict": self.predict, "train": self.train, "save": self.save}

    def take(self, words: list[str]) -> tuple[int, torch.Tensor, torch.Tensor | None]:
        index = (int(words[0]) if words else self.next) % self.batches.count
        self.next = index + 1
        tokens, distances = self.batches.dense(index)
        return index, tokens.to(self.device), None if distances is None else distances.to(self.device)

    def step(self, words: list[str]) -> dict:
        """Forward, loss, backward, clipping and update; with `micro_batch`, gradients add up over parts of it."""
        index, tokens, distances = self.take(words)
        if distances is None:
            raise ValueError(f"batch {index} has no distances, which a step needs")
        size = self.micro_batch or tokens.shape[0]
        parts = [slice(begin, begin + size) for begin in range(0, tokens.shape[0], size)]
        forward, backward, loss = 0.0, 0.0, 0.0
        begin = self.clock()
        self.optimizer.zero_grad()
        for part in parts:
            mark = self.clock()
            partial = self.work.loss(tokens[part], distances[part, part]) / len(parts)
            middle = self.clock()
            partial.backward()
            end = self.clock()
            forward, backward = forward + middle - mark, backward + end - middle
            loss += partial.item()
        norm = torch.nn.utils.clip_grad_norm_(self.work.model.parameters(), self.clip)
        self.optimizer.step()
        seconds = self.clock() - begin
        return {
            "seconds": seconds,
            "forward_seconds": forward,
            "backward_seconds": backward,
            "optimizer_seconds": seconds - forward - backward,
            "loss": loss,
            "grad_norm": norm.item(),
            "micro_batches": len(parts),
            **self.described(index, tokens),
        }

    def train(self, words: list[str]) -> dict:
        """`train SECONDS`: steps one after another; only their own time counts, not the making of batches."""
        limit, spent, losses, samples = float(words[0]), 0.0, [], 0
        while spent < limit:
            done = self.step([])
            spent += done["seconds"]
            samples += done["samples"]
            losses.append(done["loss"])
        return {"seconds": spent, "steps": len(losses), "samples": samples, "losses": losses}

    def save(self, words: list[str]) -> dict:
        """`save PATH`: the state dict as a safetensors file."""
        write_tensors(" ".join(words), self.work.model.state_dict())
        return {"saved": True}

    def predict(self, words: list[str]) -> dict:
        index, tokens, _ = self.take(words)
        with torch.no_grad():
            begin = self.clock()
            embeddings = self.work.embed(tokens)
            end = self.clock()
        return {
            "seconds": end - begin,
            "checksum": embeddings.double().abs().sum().item(),
            **self.described(index, tokens),
        }

    def described(self, index: int, tokens: torch.Tensor) -> dict:
        return {
            "batch": index,
            "samples": tokens.shape[0],
            "occurrences": self.batches.occurrences(index),
            "peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "memory": self.memory(),
        }

    def clock(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def memory(self) -> int:
        """Peak bytes: of the device's allocator on CUDA, else of the process."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
