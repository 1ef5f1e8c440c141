"""The example of the documentation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from local_hub import ROOT, LocalHub, content, write_repository


def _examples(document: str) -> list[str]:
    text = (ROOT / "docs" / document).read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def _run(example: str, hub: LocalHub, store: Path) -> list[str]:
    variables = {"HF_ENDPOINT": hub.url, "MODEL_CACHE_DIR": str(store)}
    arguments = [sys.executable, "-c", example]
    program = subprocess.run(
        arguments, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **variables}
    )
    return program.stdout.splitlines()


def test_the_example_does_what_it_says(tmp_path: Path) -> None:
    (example,) = _examples("python.md")
    weights = content("documentation", 100_000)
    repo = "onnx-community/all-MiniLM-L6-v2-ONNX"
    write_repository(
        tmp_path / "hub", repo, {"onnx/model_quantized.onnx": weights, "onnx/model.onnx": weights}
    )
    with LocalHub(tmp_path / "hub", "--unlimited") as hub:
        printed = _run(example, hub, tmp_path / "store")
    assert printed[0] == "['fp32', 'q8']"
    assert printed[-2:] == ["100000 of 100000 bytes", "100000 100000"]


def test_the_example_of_onnx_runtime_does_what_it_says(tmp_path: Path) -> None:
    (example,) = (text for text in _examples("engines.md") if "create_session" in text)
    with LocalHub(ROOT / ".work" / "hub", "--unlimited") as hub:
        assert _run(example, hub, tmp_path / "store") == ["(1, 4, 384)"]


def test_the_example_of_numpy_does_what_it_says(tmp_path: Path) -> None:
    (example,) = (text for text in _examples("engines.md") if "cache.tensors" in text)
    with LocalHub(ROOT / ".work" / "hub", "--unlimited") as hub:
        inspected, words = _run(example, hub, tmp_path / "store")
    assert inspected.startswith("safetensors 22")
    assert words == "float32 (30522, 384) False"
