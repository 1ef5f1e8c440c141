#!/usr/bin/env python3
"""Build the repository local/all-MiniLM-L6-v2-external-data: the float32 model of build_repo.py with its weights in a file beside it.

    python external_data.py ROOT

What the two repositories share are hard links. The settings file is written last: when it is there, everything is.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import onnx
from build_repo import REPO, SETTINGS

EXTERNAL = "local/all-MiniLM-L6-v2-external-data"
SHARED = ["config.json", "tokenizer.json", "tokenizer_config.json"]


def main(root):
    repo = root / EXTERNAL
    # The weights are appended to a file that is there.
    shutil.rmtree(repo, ignore_errors=True)
    (repo / "onnx").mkdir(parents=True)
    for name in SHARED:
        os.link(root / REPO / name, repo / name)
    model = onnx.load(root / REPO / "onnx" / "model.onnx")
    place = {"save_as_external_data": True, "location": "model.onnx_data", "size_threshold": 1024}
    onnx.save_model(model, repo / "onnx" / "model.onnx", **place)
    (root / f"{EXTERNAL}.json").write_text(json.dumps(SETTINGS, indent=2) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
