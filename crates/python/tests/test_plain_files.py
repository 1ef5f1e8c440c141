"""Plain files that programs share, as Python holds them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FILES, REPO, SIZE, WEIGHTS
from local_hub import NODE, ROOT
from tabagent_model_cache import (
    InvalidArgumentError,
    ModelCache,
    ModelFileNotFoundError,
    QuantNotFoundError,
    ReadOnlyError,
)

HOLD = """
import sys
from tabagent_model_cache import ModelCache
cache = ModelCache(sys.argv[1], endpoint=sys.argv[4])
files = cache.materialize(sys.argv[2], sys.argv[3])
assert files.files[0].method == "shared"
print(files.path)
"""

NODE_HOLD = """
const [module, path, repo, file, endpoint] = process.argv.slice(1)
const { ModelCache } = await import(module)
const cache = await ModelCache.open({ path, endpoint })
const { path: plain, files: [{ method }] } = await cache.materialize(repo, file)
console.log(method, plain)
await cache.close()
"""


def _plain(cache: ModelCache) -> list[Path]:
    return [path for path in (cache.path / "plain").rglob("*") if path.is_file()]


def test_plain_files_are_a_path_until_the_last_lets_them_go(cache: ModelCache) -> None:
    cache.download_quant(REPO, "q4")
    seen: list[int] = []
    with cache.materialize(REPO, WEIGHTS, progress=lambda progress: seen.append(progress.loaded)) as files:
        assert seen[-1] == SIZE
        assert Path(files).read_bytes() == FILES[WEIGHTS]
        assert Path(files) == files.path == files.folder / WEIGHTS
        assert files.files[0].method in {"copy", "reflink"}
        assert files.copied == (SIZE if files.files[0].method == "copy" else 0)
        with cache.materialize(REPO, "Q4") as quant:
            assert quant.path.name == Path(WEIGHTS).name
            assert {file.path for file in quant.files} == {WEIGHTS, "config.json"}
            assert quant.path.samefile(files)
        assert cache.stats().plain_files == 1
    assert files.closed
    files.close()
    assert _plain(cache) == []


def test_processes_and_languages_share_them(cache: ModelCache) -> None:
    cache.download_quant(REPO, "q4")
    with cache.materialize(REPO, WEIGHTS) as files:
        # This one ends without closing what it holds.
        program = [sys.executable, "-c", HOLD, str(cache.path), REPO, WEIGHTS, cache.endpoint]
        assert subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True).stdout.strip() == str(
            files.path
        )
        arguments = [(ROOT / "dist" / "index.js").as_uri(), str(cache.path), REPO, WEIGHTS, cache.endpoint]
        program = [NODE, "--input-type=module", "-e", NODE_HOLD, "--", *arguments]
        output = subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        assert output == f"shared {files.path}"
        assert files.path.read_bytes() == FILES[WEIGHTS]
    assert _plain(cache) == []


def test_kept_ones_stay_until_they_are_asked_for(cache: ModelCache) -> None:
    cache.download_quant(REPO, "q4")
    cache.materialize(REPO, WEIGHTS, keep=True).close()
    assert cache.prune().plain_files == 0
    report = cache.prune(plain_files=True)
    assert (report.plain_files, report.plain_bytes) == (1, SIZE)
    assert _plain(cache) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_lets_nothing_go(cache: ModelCache) -> None:
    cache.download_quant(REPO, "q4")
    files = cache.materialize(REPO, WEIGHTS)
    child = os.fork()
    if child == 0:
        files.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert files.path.read_bytes() == FILES[WEIGHTS]
    files.close()
    assert _plain(cache) == []


def test_what_cannot_be_had_says_why(cache: ModelCache) -> None:
    cache.download_quant(REPO, "q4")
    with pytest.raises(ModelFileNotFoundError, match="download it first"):
        cache.materialize(REPO, "fp16")
    with pytest.raises(QuantNotFoundError, match="q4"):
        cache.materialize(REPO, "q3")
    with pytest.raises(InvalidArgumentError):
        cache.materialize(REPO, "")
    with ModelCache(cache.path, read_only=True) as reader, pytest.raises(ReadOnlyError):
        reader.materialize(REPO, "q4")
