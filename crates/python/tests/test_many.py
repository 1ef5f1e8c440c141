"""Eight processes, of Node and Python, at once on one store."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from conftest import FILES
from local_hub import NODE, ROOT, LocalHub, write_repository
from tabagent_model_cache import ModelCache

REPOS = ("owner/one", "owner/two", "owner/three")
EACH = 4

SECONDS = float(os.environ.get("MODEL_CACHE_STRESS_SECONDS", "8"))
"""How long they work: 8 seconds unless this is set."""

SEED = int(os.environ.get("MODEL_CACHE_STRESS_SEED", time.time_ns() % 1_000_000))
"""Set it to the seed of a run to have the same decisions again."""

FOLDER = Path(__file__).parent


def _start(cache: ModelCache, number: int, digests: str) -> subprocess.Popen[str]:
    shared = [str(cache.path), cache.endpoint, str(SEED + number + 1), str(SECONDS), digests]
    if number % 2 == 0:
        program = [sys.executable, str(FOLDER / "many_steps.py"), *shared]
    else:
        program = [NODE, str(FOLDER / "many_steps.mjs"), (ROOT / "dist" / "index.js").as_uri(), *shared]
    return subprocess.Popen(program, stdout=subprocess.PIPE, text=True)


def test_eight_processes_of_two_languages_read_only_right_bytes(tmp_path: Path) -> None:
    files = {repo: {**FILES, "config.json": f'{{"name":"{repo}"}}'.encode()} for repo in REPOS}
    for repo, content in files.items():
        write_repository(tmp_path / "hub", repo, content)
    digests = {
        f"{repo}/{path}": hashlib.sha256(content).hexdigest()
        for repo, contents in files.items()
        for path, content in contents.items()
    }
    sys.stdout.write(f"MODEL_CACHE_STRESS_SEED={SEED}\n")
    with (
        LocalHub(tmp_path / "hub", "--unlimited") as hub,
        ModelCache(tmp_path / "store", endpoint=hub.url) as cache,
    ):
        processes = [_start(cache, number, json.dumps(digests)) for number in range(2 * EACH)]
        outputs = [process.communicate()[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * len(processes)
        done = [json.loads(output) for output in outputs]
        assert min(each["reads"] for each in done) > 0
        assert cache.stats().readers == 0, "a reader outlives its process"
        used = cache.stats().disk_bytes
        steps, reads = (sum(each[what] for each in done) for what in ("steps", "reads"))
        sys.stdout.write(f"counts: {steps} steps, {reads} files read, {used} bytes on the disk in the end\n")
        _expect_nothing_left(cache)


def _expect_nothing_left(cache: ModelCache) -> None:
    report = cache.verify()
    assert not report.damaged, report.damaged
    assert not report.missing, report.missing
    for manifest in cache.list_manifests():
        cache.remove_repo(manifest.repo)
    cache.prune(partial_age=0)
    stats = cache.stats()
    assert (stats.files, stats.blobs, stats.bytes, stats.partial_bytes) == (0, 0, 0, 0)
