"""What a running call tells. All sizes are bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FileProgress:
    """How far one file of a download is."""

    path: str
    """Path within the repository."""
    loaded: int
    """Bytes that are stored."""
    total: int
    """Size of the file."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call is."""

    repo: str
    """Repository the call is about."""
    quant: str | None
    """Quant that is downloaded; None when a single file was asked for."""
    path: str | None
    """The file now moving."""
    loaded: int
    """Bytes of the whole call that are stored, those of earlier runs and of other processes included."""
    total: int
    """Bytes of the whole call."""
    file_loaded: int | None
    """Bytes of `path` that are stored."""
    file_total: int | None
    """Size of `path`."""
    files: tuple[FileProgress, ...]
    """All files under way, at most 16, in a lasting order; empty at 100 %."""
    bytes_per_second: float
    """Speed of the last seconds."""
    resumed_from: int
    """Bytes that were already stored when the call began."""


ProgressCallback = Callable[[Progress], object]


Receiver = Callable[[dict[str, Any]], None]


@contextmanager
def receiving(progress: ProgressCallback | bool | None) -> Iterator[Receiver | None]:
    """What the native module calls for the caller's `progress`, as long as the call goes on. True is a bar of tqdm."""
    if progress is None or progress is False:
        yield None
    elif progress is True:
        # Only who wants a bar needs tqdm.
        from tabagent_model_cache.progress_bar import ProgressBar

        with ProgressBar() as bar:
            yield _receiver(bar.show)
    elif callable(progress):
        yield _receiver(progress)
    else:
        raise TypeError(f"progress must be a callable or True for a bar, got {type(progress).__name__}")


def _receiver(progress: ProgressCallback) -> Receiver:
    def receive(native: dict[str, Any]) -> None:
        files = tuple(FileProgress(**file) for file in native.pop("files"))
        progress(Progress(**native, files=files))

    return receive
