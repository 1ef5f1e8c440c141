"""Stored files as plain files that all callers and processes share."""

from __future__ import annotations

import atexit
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tabagent_model_cache._native import NativePlainFiles
from tabagent_model_cache.closing import Closing


@dataclass(frozen=True, slots=True)
class PlainFile:
    """One plain file."""

    path: str
    """Path within the repository."""
    file: Path
    """Where it is; read-only."""
    size: int
    """Bytes."""
    method: Literal["reflink", "copy", "shared"]
    """How it came to be there: it shares its disk blocks with the store, it was copied, or it was there already."""


class PlainFiles(Closing):
    """Plain files, held until `close()`: an engine's use of a path is not visible to the garbage collector.

    It is a path itself (`os.fspath(files)` is `path`). The files go with the last handle of all processes, unless they are kept.

    >>> with cache.materialize("owner/name", "Q4_K_M") as files:    # doctest: +SKIP
    ...     model = Llama(model_path=os.fspath(files))
    """

    path: Path
    """The file for an engine: the one asked for, the first of its numbered parts, or the first with weights of the quant."""
    folder: Path
    """The folder in which the files have their listed paths."""
    files: tuple[PlainFile, ...]
    """All files, in the order of the listing."""
    copied: int
    """Bytes that this call copied, which the files now take on the disk; 0 where blocks are shared."""

    def __init__(self, native: NativePlainFiles) -> None:
        self._native = native
        self.path = native.path
        self.folder = native.folder
        self.files = tuple(PlainFile(**file) for file in native.list())
        self.copied = native.copied
        _held.add(self)

    @property
    def closed(self) -> bool:
        """Whether the files are no longer held by this handle."""
        return self._native.is_closed()

    def close(self) -> None:
        """Let the files go: those that nobody holds and that are not kept are removed. Closing again does nothing."""
        self._native.close()
        _held.discard(self)

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"<PlainFiles {self.path}{', closed' if self.closed else ''}>"


_held: set[PlainFiles] = set()


def _close_all() -> None:
    for files in list(_held):
        files.close()


atexit.register(_close_all)
