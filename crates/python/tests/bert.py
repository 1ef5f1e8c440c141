"""A BERT encoder in numpy, written from the paper and not from any exported graph."""

from __future__ import annotations

import json
import math

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[np.float32]
HEADS = 12
LAYERS = 6

_erf = np.vectorize(math.erf, otypes=[np.float32])


def read_tensors(file: memoryview) -> dict[str, Tensor]:
    """The float32 tensors of a safetensors file, where they lie."""
    length = int.from_bytes(file[:8], "little")
    header = json.loads(bytes(file[8 : 8 + length]))
    return {
        name: np.frombuffer(
            file, np.float32, math.prod(entry["shape"]), 8 + length + entry["data_offsets"][0]
        ).reshape(entry["shape"])
        for name, entry in header.items()
        if entry.get("dtype") == "F32"
    }


def encode(tensors: dict[str, Tensor], tokens: list[int]) -> Tensor:
    """The sentence's vector: mean over the tokens, length 1."""

    def dense(name: str, value: Tensor) -> Tensor:
        return value @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    def normalized(name: str, value: Tensor) -> Tensor:
        centred = value - value.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    def heads(value: Tensor) -> Tensor:
        return value.reshape(len(tokens), HEADS, -1).swapaxes(0, 1)

    def attention(name: str, value: Tensor) -> Tensor:
        query, key, content = (
            heads(dense(f"{name}.self.{part}", value)) for part in ("query", "key", "value")
        )
        scores = query @ key.swapaxes(1, 2) / math.sqrt(query.shape[-1])
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (weights / weights.sum(-1, keepdims=True)) @ content
        return mixed.swapaxes(0, 1).reshape(value.shape)

    words, positions, kinds = (
        tensors[f"embeddings.{part}_embeddings.weight"] for part in ("word", "position", "token_type")
    )
    state = normalized("embeddings.LayerNorm", words[tokens] + positions[: len(tokens)] + kinds[0])
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        mixed = dense(f"{name}.attention.output.dense", attention(f"{name}.attention", state))
        state = normalized(f"{name}.attention.output.LayerNorm", state + mixed)
        inner = dense(f"{name}.intermediate.dense", state)
        inner = inner * (1 + _erf(inner / math.sqrt(2))) / 2
        state = normalized(f"{name}.output.LayerNorm", state + dense(f"{name}.output.dense", inner))
    return unit(state.mean(0))


def unit(vector: Tensor) -> Tensor:
    """A vector of length 1."""
    return vector / np.linalg.norm(vector)
