"""The example of the documentation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from local_hub import ROOT, LocalHub, content, write_repository


def test_the_example_does_what_it_says(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "python.md").read_text("utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    weights = content("documentation", 100_000)
    repo = "onnx-community/all-MiniLM-L6-v2-ONNX"
    write_repository(
        tmp_path / "hub", repo, {"onnx/model_quantized.onnx": weights, "onnx/model.onnx": weights}
    )
    with LocalHub(tmp_path / "hub", "--unlimited") as hub:
        variables = {"HF_ENDPOINT": hub.url, "MODEL_CACHE_DIR": str(tmp_path / "store")}
        printed = subprocess.run(
            [sys.executable, "-c", example],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **variables},
        ).stdout.splitlines()
    assert printed[0] == "['fp32', 'q8']"
    assert printed[-2:] == ["100000 of 100000 bytes", "100000 100000"]
