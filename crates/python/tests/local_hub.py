"""The Hub of the project's tests, as a child process."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

ROOT = Path(__file__).parents[3]
NODE = shutil.which("node") or "node"


def content(seed: str, size: int) -> bytes:
    """Bytes that are the same for the same seed."""
    return random.Random(seed).randbytes(size)


class LocalHub:
    """Serves a folder of repositories until it is closed."""

    def __init__(self, root: Path, *arguments: str) -> None:
        program = [NODE, str(ROOT / "build" / "local-hub" / "main.js"), str(root), *arguments]
        self._process = subprocess.Popen(program, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.root = root
        self.url: str = json.loads(self._process.stdout.readline())["url"]

    def close(self) -> None:
        """End the process."""
        assert self._process.stdout is not None
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_repository(root: Path, repo: str, files: dict[str, bytes]) -> None:
    """Write a repository into the root of a hub."""
    for path, contents in files.items():
        file = root / repo / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(contents)
