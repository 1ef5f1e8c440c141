"""What it costs ONNX Runtime to load a model: `python load_onnx.py PARAMETERS`, both in JSON.

`stub` is the path that the store gives, with the opening of the store; `path` is that of a plain file.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
from tabagent_model_cache import ModelCache


def anonymous() -> int:
    """Bytes of memory that is the process's own."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    return next(
        int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("RssAnon")
    )


def check(session: onnxruntime.InferenceSession) -> None:
    """Fail unless the model computes."""
    ids = np.array([[101, 7592, 102]], np.int64)
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    (hidden, *_) = session.run(None, inputs)
    if hidden.shape != (1, 3, 384) or not np.isfinite(hidden).all() or np.abs(hidden).max() < 0.1:
        sys.exit("it computes wrong")


def main(way: str, plain: str, store: str, endpoint: str, repo: str, file: str, prepacking: bool) -> None:
    """Load the model in one of the ways."""
    options = onnxruntime.SessionOptions()
    if not prepacking:
        options.add_session_config_entry("session.disable_prepacking", "1")
    before = anonymous()
    start = time.perf_counter()
    if way == "stub":
        cache = ModelCache(store, endpoint=endpoint, offline=True)
        model = cache.onnx_model(repo, file)
        session = onnxruntime.InferenceSession(model, options)
    else:
        session = onnxruntime.InferenceSession(plain, options)
    took = (time.perf_counter() - start) * 1000
    grown = anonymous() - before
    check(session)
    del session
    if way == "stub":
        model.close()
        cache.close()
    print(json.dumps({"time": took, "anonymous": grown}))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
