"""What model files say of themselves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor of a model file."""

    name: str
    """Name."""
    shape: tuple[int, ...]
    """Size of each dimension, outermost first in all formats (GGUF files list them the other way round)."""
    dtype: str
    """Type of its numbers: `F32`, `BF16`, `I64`, `F8_E4M3`, ... as in safetensors, `Q4_K`, ... as in GGUF."""
    offset: int
    """First byte in the file."""
    length: int
    """Bytes; of external weights 0 where the model does not say how many."""
    data: Literal["raw", "external", "encoded"]
    """What lies there: its numbers, little-endian; the same, but in the file `location`; or its protobuf message, in which the
    numbers are encoded one by one (small tensors of ONNX)."""
    location: str | None
    """The file that `offset` is meant of, relative to the folder of the model; only of external weights."""


@dataclass(frozen=True, slots=True)
class GraphPort:
    """An input or output of an ONNX graph."""

    name: str
    """Name."""
    dtype: str
    """As of a tensor; `SEQUENCE`, `MAP` or `OPTIONAL` for what is no tensor."""
    shape: tuple[int | str, ...]
    """Outermost first; a name, which may be empty, stands for any size."""


@dataclass(frozen=True, slots=True)
class Graph:
    """What only ONNX models have."""

    opsets: dict[str, int]
    """Version of each set of operators, by domain; the standard one is `ai.onnx`."""
    inputs: tuple[GraphPort, ...]
    """Without those that only name weights."""
    outputs: tuple[GraphPort, ...]
    """Outputs."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a model file says of itself."""

    repo: str
    """Repository, as the endpoint writes it."""
    path: str
    """Path within the repository."""
    commit: str
    """Commit it belongs to."""
    size: int
    """Bytes of the whole file."""
    format: Literal["safetensors", "gguf", "onnx"]
    """Which format it has."""
    version: int | None
    """Version of the format: of GGUF its own, of ONNX the `ir_version`."""
    architecture: str | None
    """Such as `llama`; only of GGUF."""
    producer: str | None
    """Program that wrote it; only of ONNX."""
    parameters: int
    """Numbers in all tensors. Where several are packed into one (GPTQ, AWQ), that counts as one."""
    tensors: tuple[TensorInfo, ...]
    """In the order of the file; of ONNX also those of subgraphs and `Constant` nodes."""
    metadata: dict[str, Any]
    """What else the file says, by key. Of an array with more than 1024 values only a dict of its `type` and `length`."""
    graph: Graph | None
    """Only of ONNX."""


def to_inspection(native: dict[str, Any]) -> Inspection:
    """An inspection of the native module."""
    graph = native["graph"]
    converted = {
        "tensors": tuple(_to_tensor(tensor) for tensor in native["tensors"]),
        "metadata": json.loads(native["metadata"]),
        "graph": None if graph is None else _to_graph(graph),
    }
    return Inspection(**{**native, **converted})


def _to_tensor(native: dict[str, Any]) -> TensorInfo:
    return TensorInfo(**{**native, "shape": tuple(native["shape"])})


def _to_graph(native: dict[str, Any]) -> Graph:
    inputs, outputs = (
        tuple(GraphPort(**{**port, "shape": tuple(port["shape"])}) for port in native[key])
        for key in ("inputs", "outputs")
    )
    return Graph(opsets=native["opsets"], inputs=inputs, outputs=outputs)
