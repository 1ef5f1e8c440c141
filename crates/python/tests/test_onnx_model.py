"""ONNX models as paths, loaded by ONNX Runtime itself."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import REPO
from local_hub import ROOT, LocalHub
from onnx import TensorProto, helper, numpy_helper
from tabagent_model_cache import InvalidArgumentError, ModelCache, ModelFileNotFoundError, ReadOnlyError

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


def _run(model: str | os.PathLike[str]) -> list[bytes]:
    session = onnxruntime.InferenceSession(model)
    x = np.linspace(-1, 1, ROWS, dtype=np.float32)
    results = [session.run(None, {"x": x, "positive": np.array(positive)}) for positive in (True, False)]
    return [array.tobytes() for (array,) in results]


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


def _stubs(cache: ModelCache) -> list[str]:
    return [
        path.name for path in (cache.path / "model_cache_chunks").iterdir() if path.name.startswith("stub-")
    ]


@pytest.mark.parametrize("stored", ["inline", "external", "many"], indirect=True)
def test_the_results_are_those_of_the_plain_file(stored: tuple[ModelCache, Path]) -> None:
    cache, plain = stored
    with cache.onnx_model(REPO, MODEL) as model:
        assert (model.repo, model.path, len(model.commit)) == (REPO, MODEL, 40)
        assert model.model_path.stat().st_size < 3000
        assert os.fspath(model) == str(model.model_path)
        expected = _run(plain)
        assert expected[0] != expected[1]
        assert _run(model) == expected
    assert _stubs(cache) == []


@pytest.mark.parametrize("variant", ["model", "model_fp16", "model_quantized", "model_q4"])
def test_a_real_model_computes_the_same_to_the_last_bit(tmp_path: Path, variant: str) -> None:
    root = ROOT / ".work" / "hub"
    file = f"onnx/{variant}.onnx"
    ids = np.array([[101, 7592, 2088, 2003, 102]], dtype=np.int64)
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}

    def run(model: str | os.PathLike[str]) -> bytes:
        (hidden, *_) = onnxruntime.InferenceSession(model).run(None, feeds)
        return hidden.tobytes()

    with LocalHub(root, "--unlimited") as hub, ModelCache(tmp_path / "s", endpoint=hub.url) as cache:
        cache.download_file(MINILM, file)
        with cache.onnx_model(MINILM, file) as model:
            assert run(model) == run(root / MINILM / file)


def test_only_close_ends_a_model(stored: tuple[ModelCache, Path]) -> None:
    cache, plain = stored
    path = cache.onnx_model(REPO, MODEL).model_path
    gc.collect()
    assert _run(path) == _run(plain)
    again = cache.onnx_model(REPO, MODEL)
    assert again.model_path == path
    again.close()
    again.close()
    assert _stubs(cache) == [path.name]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_end_of_a_forked_child_leaves_its_parents_model(stored: tuple[ModelCache, Path]) -> None:
    cache, plain = stored
    with cache.onnx_model(REPO, MODEL) as model:
        child = os.fork()
        if child == 0:
            model.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert _run(model) == _run(plain)
    assert _stubs(cache) == []


def test_what_cannot_be_is_told(stored: tuple[ModelCache, Path]) -> None:
    cache, _ = stored
    with pytest.raises(ModelFileNotFoundError):
        cache.onnx_model(REPO, "onnx/other.onnx")
    with pytest.raises(InvalidArgumentError, match="revision"):
        cache.onnx_model(REPO, MODEL, revision="")
    path, endpoint = cache.path, cache.endpoint
    cache.close()
    with (
        ModelCache(path, endpoint=endpoint, read_only=True) as reader,
        pytest.raises(ReadOnlyError, match="hand its bytes"),
    ):
        reader.onnx_model(REPO, MODEL)
