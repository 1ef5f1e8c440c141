"""A generated llama, run by llama-cpp-python from a plain file of the store."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from local_hub import ROOT, LocalHub
from tabagent_model_cache import ModelCache

llama_cpp = pytest.importorskip(
    "llama_cpp", reason="llama-cpp-python is not installed: it takes 15 minutes to build"
)

REPO = "acme/chain-llama-GGUF"
FIRST = [-0.0023, 0.0005, 0.0378, 0.0077, 0.0172, -0.0073, 0.0386, -0.0286]
"""Of the embedding of "the model cache", computed by an independent program."""


def test_llama_cpp_python_computes_the_known_answers(tmp_path: Path) -> None:
    with (
        LocalHub(ROOT / ".work" / "hub", "--unlimited") as hub,
        ModelCache(tmp_path / "store", endpoint=hub.url) as cache,
    ):
        cache.download_quant(REPO, "F16")
        with cache.materialize(REPO, "F16") as files:
            assert files.path.stat().st_size > 100_000_000
            options = {"n_ctx": 64, "n_threads": 1, "n_gpu_layers": 0, "verbose": False}
            model = llama_cpp.Llama(
                os.fspath(files), embedding=True, pooling_type=llama_cpp.LLAMA_POOLING_TYPE_LAST, **options
            )
            vector = np.array(model.embed("the model cache", normalize=True))
            assert np.abs(vector[:8] - FIRST).max() <= 0.001
            model.close()
            model = llama_cpp.Llama(os.fspath(files), **options)
            text = model.create_completion([1, 262], max_tokens=16, temperature=0)["choices"][0]["text"]
            assert (
                text.strip()
                == "model cache keeps every weight on disk once and shares it with all engines without any"
            )
            model.close()
