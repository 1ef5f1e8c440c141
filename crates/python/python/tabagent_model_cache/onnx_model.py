"""A stored ONNX model as the path of a file."""

from __future__ import annotations

from pathlib import Path

from tabagent_model_cache._native import NativeOnnxModel
from tabagent_model_cache.closing import Closing


class OnnxModel(Closing):
    """A stored ONNX model as the path of a file, for ONNX Runtime and what is built on it; also an `os.PathLike`.

    The file is a stub: the model without its weights, which it says to be in the store's own data file. An engine maps them from
    there, so that nothing is copied and processes share the memory.

    It stays valid until `close()`, and only that ends it: an engine's use of the weights is not visible to the garbage collector.
    A session reads them as long as it lives, so close the model after the session is gone, never before. A forked child must not
    outlive its parent's model: it opens its own.
    """

    def __init__(self, native: NativeOnnxModel) -> None:
        description = native.describe() or {}
        self._native = native
        self.repo: str = description["repo"]
        """Repository, as the endpoint writes it."""
        self.path: str = description["path"]
        """Path of the model within the repository."""
        self.commit: str = description["commit"]
        """Commit it belongs to."""
        self.model_path: Path = description["model_path"]
        """Absolute path of the stub on this machine: what an engine loads."""
        _pinned.add(self)

    def close(self) -> None:
        """Let go of the stub and of the weights it points to. Closing again does nothing."""
        self._native.close()
        _pinned.discard(self)

    def __fspath__(self) -> str:
        return str(self.model_path)

    def __repr__(self) -> str:
        return f"<OnnxModel {self.repo}/{self.path} at {self.commit[:12]}, {self.model_path}>"


_pinned: set[OnnxModel] = set()
