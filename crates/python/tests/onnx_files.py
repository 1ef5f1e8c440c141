"""Models that the package `onnx` writes, stored and plain."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import REPO
from local_hub import LocalHub
from onnx import TensorProto, helper, numpy_helper
from tabagent_model_cache import ModelCache

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MODEL = "onnx/model.onnx"
ROWS = 20_000


def _weights(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(ROWS, dtype=np.float32)


def _model() -> onnx.ModelProto:
    """Weights in an initializer, a `Constant` node and the branches of an `If` that is decided when it runs."""
    vector = [ROWS]

    def branch(seed: int) -> onnx.GraphProto:
        output = helper.make_tensor_value_info(f"o{seed}", TensorProto.FLOAT, vector)
        add = helper.make_node("Add", ["z", f"b{seed}"], [output.name])
        return helper.make_graph(
            [add], f"branch{seed}", [], [output], [numpy_helper.from_array(_weights(seed), f"b{seed}")]
        )

    nodes = [
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(_weights(1), "c")),
        helper.make_node("Mul", ["x", "c"], ["y"]),
        helper.make_node("Add", ["y", "w"], ["z"]),
        helper.make_node("If", ["positive"], ["out"], then_branch=branch(2), else_branch=branch(3)),
    ]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, vector),
        helper.make_tensor_value_info("positive", TensorProto.BOOL, []),
    ]
    outputs = [helper.make_tensor_value_info("out", TensorProto.FLOAT, vector)]
    initializers = [numpy_helper.from_array(_weights(4), "w")]
    graph = helper.make_graph(nodes, "test", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _write(folder: Path, form: str) -> list[str]:
    """Writes the model, and returns the paths of its files in the repository."""
    folder.mkdir(parents=True)
    options = {
        "inline": {},
        "external": {"save_as_external_data": True, "location": "model.onnx_data", "convert_attribute": True},
        "many": {"save_as_external_data": True, "all_tensors_to_one_file": False, "convert_attribute": True},
    }
    onnx.save_model(_model(), folder / "model.onnx", **options[form])
    return [f"onnx/{path.name}" for path in folder.iterdir()]


def feeds(positive: bool) -> dict[str, np.ndarray]:
    """Inputs of the model."""
    return {"x": np.linspace(-1, 1, ROWS, dtype=np.float32), "positive": np.array(positive)}


def tokens() -> dict[str, np.ndarray]:
    """Inputs of a BERT-like model."""
    ids = np.array([[101, 7592, 2088, 2003, 102]], dtype=np.int64)
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def run(model: str | os.PathLike[str]) -> list[bytes]:
    """What the model at a path computes, bit by bit."""
    session = onnxruntime.InferenceSession(model)
    return [array.tobytes() for positive in (True, False) for array in session.run(None, feeds(positive))]


@pytest.fixture
def stored(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[ModelCache, Path]]:
    """A store with the model in it, and the plain files."""
    folder = tmp_path / "hub" / REPO / "onnx"
    files = _write(folder, getattr(request, "param", "inline"))
    with (
        LocalHub(tmp_path / "hub", "--unlimited") as hub,
        ModelCache(tmp_path / "s", endpoint=hub.url) as cache,
    ):
        for file in files:
            cache.download_file(REPO, file)
        yield cache, folder / "model.onnx"


def stubs(cache: ModelCache) -> list[str]:
    """Names of the stubs in a store."""
    return [
        path.name for path in (cache.path / "model_cache_chunks").iterdir() if path.name.startswith("stub-")
    ]
