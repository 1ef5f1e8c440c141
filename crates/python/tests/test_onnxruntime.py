"""Sessions over stored models."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from conftest import REPO
from local_hub import ROOT, LocalHub
from onnx_files import MINILM, MODEL, feeds, run, stubs, tokens
from tabagent_model_cache import ModelCache, ModelFileNotFoundError
from tabagent_model_cache.onnxruntime import create_session

FORMS = pytest.mark.parametrize("stored", ["inline", "external", "many"], indirect=True)


def _results(session: onnxruntime.InferenceSession) -> list[bytes]:
    return [array.tobytes() for positive in (True, False) for array in session.run(None, feeds(positive))]


@FORMS
@pytest.mark.parametrize("expose_path", [True, False])
def test_a_session_computes_what_the_plain_file_does(
    stored: tuple[ModelCache, Path], expose_path: bool
) -> None:
    cache, plain = stored
    session = create_session(cache, REPO, MODEL, expose_path=expose_path)
    assert bool(stubs(cache)) == expose_path
    cache.remove_repo(REPO)
    cache.prune()
    gc.collect()
    assert _results(session) == run(plain)
    del session
    gc.collect()
    assert stubs(cache) == []
    assert cache.stats().views == 0


@FORMS
def test_a_read_only_cache_is_not_written(stored: tuple[ModelCache, Path]) -> None:
    cache, plain = stored
    path, endpoint = cache.path, cache.endpoint
    cache.close()
    with ModelCache(path, endpoint=endpoint, read_only=True) as reader:
        session = create_session(reader, REPO, MODEL)
        assert reader.stats().views > 0
        assert stubs(reader) == []
    assert _results(session) == run(plain)


def test_options_are_those_of_onnxruntime(stored: tuple[ModelCache, Path]) -> None:
    cache, plain = stored
    for expose_path in (True, False):
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.disable_prepacking", "1")
        session = create_session(
            cache,
            REPO,
            MODEL,
            expose_path=expose_path,
            sess_options=options,
            providers=["CPUExecutionProvider"],
        )
        assert session.get_session_options().get_session_config_entry("session.disable_prepacking") == "1"
        assert _results(session) == run(plain)


@pytest.mark.parametrize("variant", ["model", "model_fp16", "model_quantized", "model_q4"])
def test_a_real_model_computes_the_same_from_buffers(tmp_path: Path, variant: str) -> None:
    root = ROOT / ".work" / "hub"
    file = f"onnx/{variant}.onnx"
    with LocalHub(root, "--unlimited") as hub, ModelCache(tmp_path / "s", endpoint=hub.url) as cache:
        cache.download_file(MINILM, file)
        session = create_session(cache, MINILM, file, expose_path=False)
        plain = onnxruntime.InferenceSession(root / MINILM / file)
        results, expected = (model.run(None, tokens()) for model in (session, plain))
    assert [array.tobytes() for array in results] == [array.tobytes() for array in expected]


def test_what_fails_leaves_nothing(stored: tuple[ModelCache, Path]) -> None:
    cache, _ = stored
    with pytest.raises(ModelFileNotFoundError):
        create_session(cache, REPO, "none.onnx")
    with pytest.raises(ModelFileNotFoundError):
        create_session(cache, REPO, "none.onnx", expose_path=False)
    with pytest.raises(TypeError):
        create_session(cache, REPO, MODEL, sess_options=7)
    gc.collect()
    assert stubs(cache) == []


def test_weights_are_used_where_they_lie(stored: tuple[ModelCache, Path]) -> None:
    cache, _ = stored
    session = create_session(cache, REPO, MODEL, expose_path=False)
    (weights,) = session._model_cache_values[0].values()
    with cache.get_file(REPO, MODEL) as file:
        view = memoryview(file)
        first = np.frombuffer(view, np.uint8).ctypes.data
        assert first <= weights.data_ptr() < first + file.size
        view.release()
