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
from tabagent_model_cache import InvalidArgumentError, ModelCache, Progress


def test_progress_comes_on_the_calling_thread_and_ends_at_all(cache: ModelCache) -> None:
    seen: list[Progress] = []
    threads = set()

    def note(progress: Progress) -> None:
        seen.append(progress)
        threads.add(threading.get_ident())

    cache.download_quant(REPO, "q4", progress=note)
    count = len(seen)
    assert threads == {threading.get_ident()}
    assert seen[-1].loaded == seen[-1].total >= SIZE
    assert (seen[-1].repo, seen[-1].quant) == (REPO, "q4")
    assert [one.loaded for one in seen] == sorted(one.loaded for one in seen)
    assert seen[-1].files == ()
    assert len(seen) == count


def test_the_last_report_comes_before_the_call_returns_also_when_all_is_stored(cache: ModelCache) -> None:
    calls = {
        "download": lambda progress: cache.download_quant(REPO, "q4", progress=progress),
        "again": lambda progress: cache.download_quant(REPO, "q4", progress=progress),
        "file": lambda progress: cache.fetch_file(REPO, "README.md", progress=progress),
        "verify": lambda progress: cache.verify(progress=progress),
        "export": lambda progress: cache.export_quant(
            REPO, "q4", cache.path / ".." / "plain", progress=progress
        ),
    }
    for name, call in calls.items():
        order: list[str | tuple[int, int]] = []
        call(lambda progress, order=order: order.append((progress.loaded, progress.total)))
        order.append("returned")
        loaded, total = order[-2]
        assert loaded == total > 0, name
        # The report at 100 % comes once.
        assert order.count((total, total)) == 1, (name, order)


@pytest.mark.parametrize("call", ["download_quant", "verify", "materialize"])
def test_true_shows_a_bar_of_tqdm(cache: ModelCache, call: str) -> None:
    words = "" if call == "verify" else "sys.argv[3], 'q4', "
    program = (
        "import sys\n"
        "from tabagent_model_cache import ModelCache\n"
        "with ModelCache(sys.argv[1], endpoint=sys.argv[2]) as cache:\n"
        f"    cache.{call}({words}progress=True)\n"
    )
    if call != "download_quant":
        cache.download_quant(REPO, "q4")
    arguments = [sys.executable, "-c", program, str(cache.path), cache.endpoint, REPO]
    ended = subprocess.run(arguments, check=True, capture_output=True, text=True)
    assert ended.stdout == ""
    last = ended.stderr.rstrip().splitlines()[-1].split("\r")[-1]
    assert last.startswith(f"{REPO}: 100%|" if call == "verify" else f"{REPO} q4: 100%|")
    assert "5.24M/5.24M" in last


def test_a_bar_needs_tqdm(cache: ModelCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    monkeypatch.delitem(sys.modules, "tabagent_model_cache.progress_bar", raising=False)
    with pytest.raises(InvalidArgumentError, match="install tqdm"):
        cache.download_file(REPO, "README.md", progress=True)
    assert not cache.has_file(REPO, "README.md")
    cache.download_file(REPO, "README.md", progress=False)


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
