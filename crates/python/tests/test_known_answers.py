"""The known answers, from Node and Python, out of one store that one process of Node filled."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnxruntime
import pytest
from bert import Tensor, encode, read_tensors, unit
from local_hub import NODE, ROOT, LocalHub
from tabagent_model_cache import ModelCache

ANSWERS = json.loads((ROOT / "examples" / "minilm" / "known-answers.json").read_text())
REPO = ANSWERS["repo"]
WEIGHTS = {
    "fp32": "onnx/model.onnx",
    "fp16": "onnx/model_fp16.onnx",
    "q8": "onnx/model_quantized.onnx",
    "q4": "onnx/model_q4.onnx",
}


def node(script: str, *arguments: str) -> str:
    program = [NODE, str(ROOT / "build" / "__test__" / "engines" / script), *arguments]
    return subprocess.run(program, stdout=subprocess.PIPE, check=True, cwd=ROOT, text=True).stdout


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ModelCache, dict[str, Any]]]:
    """The store as Python opens it, and what Node computed from it."""
    path = tmp_path_factory.mktemp("answers") / "store"
    with LocalHub(ROOT / ".work" / "hub", "--unlimited") as hub:
        node("fill-store.js", str(path), hub.url)
    # From here on there is no hub.
    found = json.loads(node("node-answers.js", str(path), hub.url))
    with ModelCache(path, endpoint=hub.url, offline=True) as cache:
        yield cache, found


def distance(dtype: str, vectors: list[Tensor]) -> float:
    """How far the vectors are from what they should be, in tolerances: at most 1 is right."""
    first, second, third = vectors
    expected = ANSWERS["similarities"][dtype]
    found = np.array([first @ second, first @ third, second @ third])
    error = np.abs(found - expected["values"]).max() / expected["tolerance"]
    if dtype != "fp32":
        return float(error)
    numbers = ANSWERS["embedding"]["numbers"]
    return float(
        max(error, np.abs(first[: len(numbers)] - numbers).max() / ANSWERS["embedding"]["tolerance"])
    )


@pytest.mark.parametrize("engine", ["onnxruntime-node", "transformers.js"])
@pytest.mark.parametrize("dtype", WEIGHTS)
def test_node_computes_them(filled: tuple[ModelCache, dict[str, Any]], engine: str, dtype: str) -> None:
    _, found = filled
    if engine not in found:
        pytest.skip(f"{engine} is not installed")
    assert distance(dtype, [np.array(vector, np.float32) for vector in found[engine][dtype]]) <= 1


@pytest.mark.parametrize("dtype", WEIGHTS)
def test_onnxruntime_computes_them_from_the_stub(
    filled: tuple[ModelCache, dict[str, Any]], dtype: str
) -> None:
    cache, found = filled

    def vector(session: onnxruntime.InferenceSession, tokens: list[int]) -> Tensor:
        ids = np.array([tokens], np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        (hidden, *_) = session.run(None, inputs)
        return unit(hidden[0].mean(0))

    with cache.onnx_model(REPO, WEIGHTS[dtype]) as model:
        session = onnxruntime.InferenceSession(model)
        assert distance(dtype, [vector(session, tokens) for tokens in found["tokens"]]) <= 1
        del session


def test_numpy_computes_them_from_the_view_and_notices_one_zeroed_tensor(
    filled: tuple[ModelCache, dict[str, Any]],
) -> None:
    cache, found = filled
    file = cache.get_file(REPO, "model.safetensors")
    assert file is not None
    tensors = read_tensors(memoryview(file))
    assert distance("fp32", [encode(tensors, tokens) for tokens in found["tokens"]]) <= 1
    name = "encoder.layer.0.attention.self.value.bias"
    damaged = {**tensors, name: np.zeros_like(tensors[name])}
    assert distance("fp32", [encode(damaged, tokens) for tokens in found["tokens"]]) > 1
