"""ONNX models as paths, loaded by ONNX Runtime itself."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import onnxruntime
import pytest
from conftest import REPO
from local_hub import ROOT, LocalHub
from onnx_files import MINILM, MODEL, run, stubs, tokens
from tabagent_model_cache import InvalidArgumentError, ModelCache, ModelFileNotFoundError, ReadOnlyError


@pytest.mark.parametrize("stored", ["inline", "external", "many"], indirect=True)
def test_the_results_are_those_of_the_plain_file(stored: tuple[ModelCache, Path]) -> None:
    cache, plain = stored
    with cache.onnx_model(REPO, MODEL) as model:
        assert (model.repo, model.path, len(model.commit)) == (REPO, MODEL, 40)
        assert model.model_path.stat().st_size < 3000
        assert os.fspath(model) == str(model.model_path)
        expected = run(plain)
        assert expected[0] != expected[1]
        assert run(model) == expected
    assert stubs(cache) == []


@pytest.mark.parametrize("variant", ["model", "model_fp16", "model_quantized", "model_q4"])
def test_a_real_model_computes_the_same_to_the_last_bit(tmp_path: Path, variant: str) -> None:
    root = ROOT / ".work" / "hub"
    file = f"onnx/{variant}.onnx"

    def compute(model: str | os.PathLike[str]) -> bytes:
        (hidden, *_) = onnxruntime.InferenceSession(model).run(None, tokens())
        return hidden.tobytes()

    with LocalHub(root, "--unlimited") as hub, ModelCache(tmp_path / "s", endpoint=hub.url) as cache:
        cache.download_file(MINILM, file)
        with cache.onnx_model(MINILM, file) as model:
            assert compute(model) == compute(root / MINILM / file)


def test_only_close_ends_a_model(stored: tuple[ModelCache, Path]) -> None:
    cache, plain = stored
    path = cache.onnx_model(REPO, MODEL).model_path
    gc.collect()
    assert run(path) == run(plain)
    again = cache.onnx_model(REPO, MODEL)
    assert again.model_path == path
    again.close()
    again.close()
    assert stubs(cache) == [path.name]


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
        assert run(model) == run(plain)
    assert stubs(cache) == []


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
