"""Progress, exceptions in its callback, and Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import FILES, REPO, SIZE, WEIGHTS
from local_hub import LocalHub
from tabagent_model_cache import ModelCache, Progress


def test_progress_comes_on_the_calling_thread_and_ends_at_all(cache: ModelCache) -> None:
    seen: list[Progress] = []
    threads = set()

    def note(progress: Progress) -> None:
        seen.append(progress)
        threads.add(threading.get_ident())

    cache.download_quant(REPO, "q4", progress=note)
    assert threads == {threading.get_ident()}
    assert seen[-1].loaded == seen[-1].total >= SIZE
    assert (seen[-1].repo, seen[-1].quant) == (REPO, "q4")
    assert [one.loaded for one in seen] == sorted(one.loaded for one in seen)


def test_an_exception_of_the_callback_ends_the_download(hub: LocalHub, tmp_path: Path) -> None:
    def fail(progress: Progress) -> None:
        if progress.loaded > 0:
            raise LookupError("enough")

    with (
        LocalHub(hub.root, "--throttle", str(SIZE)) as slow,
        ModelCache(tmp_path / "store", endpoint=slow.url) as cache,
    ):
        with pytest.raises(LookupError, match="enough"):
            cache.download_file(REPO, WEIGHTS, progress=fail)
        assert not cache.has_file(REPO, WEIGHTS)
        cache.download_file(REPO, WEIGHTS)
        assert cache.get_file(REPO, WEIGHTS).bytes() == FILES[WEIGHTS]


# No callback: Python would look for signals whenever that is called.
INTERRUPTED = """
import sys, threading
from tabagent_model_cache import ModelCache

def tell():
    for manifest in cache.watch():
        if any(quant.downloaded > 0 for quant in manifest.quants.values()):
            return print("moving", flush=True)

with ModelCache(sys.argv[1], endpoint=sys.argv[2]) as cache:
    threading.Thread(target=tell).start()
    try:
        cache.download_file(sys.argv[3], sys.argv[4])
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal for one process")
def test_ctrl_c_ends_a_download_and_keeps_what_came(hub: LocalHub, tmp_path: Path) -> None:
    store = tmp_path / "store"
    # The whole file would take more than a minute: the signal ends the call long before.
    with LocalHub(hub.root, "--throttle", str(64 << 10)) as slow:
        arguments = [str(store), slow.url, REPO, WEIGHTS]
        child = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED, *arguments], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "moving\n"
        child.send_signal(signal.SIGINT)
        assert "interrupted" in child.communicate()[0].splitlines()
        assert child.returncode == 0
        with ModelCache(store, endpoint=slow.url) as cache:
            assert cache.stats().partial_bytes > 0
            assert not cache.has_file(REPO, WEIGHTS)
