"""Stored files, open."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabagent_model_cache._native import NativeFile
from tabagent_model_cache.closing import Closing
from tabagent_model_cache.manifest import Digest


@dataclass(frozen=True, slots=True)
class Extent:
    """A piece of a stored file's bytes in the store's data file."""

    file: Path
    """Path of the data file."""
    offset: int
    """First byte of the piece in it."""
    length: int
    """Bytes of the piece."""


class CachedFile(Closing, NativeFile):
    """A handle of a stored file, and a buffer of its bytes: read-only, in one piece, without a copy.

    `memoryview(file)` and whatever takes a buffer show the stored bytes themselves (files
    under 64 KiB are copied). They stay right while the file is removed and its space is used again.

    >>> with cache.get_file("owner/name", "model.onnx") as file:    # doctest: +SKIP
    ...     numpy.frombuffer(memoryview(file), dtype=numpy.uint8).sum()
    """

    repo: str
    """Repository."""
    path: str
    """Path within the repository."""
    commit: str
    """Commit the file belongs to."""
    size: int
    """Bytes."""
    digest: Digest
    """Digest the endpoint announced."""
    zero_copy: bool
    """Whether views show the stored bytes themselves."""

    def __init__(self, native: NativeFile) -> None:
        description = self.describe()
        native.end()
        self.repo = description["repo"]
        self.path = description["path"]
        self.commit = description["commit"]
        self.size = description["size"]
        self.digest = Digest(**description["digest"])
        self.zero_copy = description["zero_copy"]

    @property
    def closed(self) -> bool:
        """Whether the handle is closed."""
        return self.is_closed()

    def bytes(self) -> bytes:
        """A copy of the bytes."""
        return self.copy()

    def text(self) -> str:
        """The file decoded as UTF-8."""
        return str(self.copy(), "utf-8")

    def json(self) -> Any:  # noqa: ANN401 - as json.loads() has it
        """The file parsed as JSON."""
        return json.loads(self.copy())

    def extents(self) -> list[Extent]:
        """Where the bytes lie, for engines that take a path and an offset.

        Valid until `close()`. From the first call on only that ends the view: an engine's use of the file is not visible to
        the garbage collector. Empty for files under 64 KiB, which have no place of their own.
        """
        extents = [Extent(**extent) for extent in self.list_extents()]
        _pinned.add(self)
        return extents

    def close(self) -> None:
        """End this handle; `BufferError` while views of it exist, as with `mmap`. Closing again does nothing."""
        self.end()
        _pinned.discard(self)

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{self.size} bytes"
        return f"<CachedFile {self.repo}/{self.path} at {self.commit[:12]}, {state}>"


_pinned: set[CachedFile] = set()
