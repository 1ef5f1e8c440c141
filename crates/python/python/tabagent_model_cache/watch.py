"""Manifests as they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabagent_model_cache._native import NativeWatch
from tabagent_model_cache.closing import Closing
from tabagent_model_cache.manifest import Manifest, to_manifest

if TYPE_CHECKING:
    from typing_extensions import Self


class ManifestWatch(Closing):
    """An iterator that waits for the next changed manifest. It ends with `close()` of itself or of the cache."""

    def __init__(self, native: NativeWatch) -> None:
        self._native = native

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Manifest:
        """The next manifest, when there is one."""
        manifest = self._native.next()
        if manifest is None:
            raise StopIteration
        return to_manifest(manifest)

    def close(self) -> None:
        """End the watch, also for a thread that waits for the next manifest."""
        self._native.close()
