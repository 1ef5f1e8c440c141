"""Progress as a bar of tqdm."""

from __future__ import annotations

import importlib
from typing import Any

from tabagent_model_cache.closing import Closing
from tabagent_model_cache.error import InvalidArgumentError
from tabagent_model_cache.progress import Progress

try:
    tqdm: Any = importlib.import_module("tqdm.auto").tqdm
except ImportError as missing:
    raise InvalidArgumentError(
        "progress=True shows a bar of tqdm: install tqdm, or pass a function"
    ) from missing


class ProgressBar(Closing):
    """A bar of one call, there from its first report on. It stays where the call ended."""

    def __init__(self) -> None:
        self._bar: Any = None

    def show(self, progress: Progress) -> None:
        """Move the bar, or draw it."""
        if self._bar is None:
            name = progress.repo if progress.quant is None else f"{progress.repo} {progress.quant}"
            options = {"unit": "B", "unit_scale": True, "unit_divisor": 1000}
            self._bar = tqdm(desc=name, total=progress.total, initial=progress.resumed_from, **options)
        self._bar.total = progress.total
        self._bar.update(progress.loaded - self._bar.n)

    def close(self) -> None:
        """Leave it where it is."""
        if self._bar is not None:
            self._bar.close()
