"""The calls of a cache in an event loop."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from conftest import FILES, REPO, SIZE, WEIGHTS
from local_hub import LocalHub
from tabagent_model_cache import ClosedError, ModelCache, ModelFileNotFoundError, Progress
from tabagent_model_cache.aio import AsyncModelCache

OTHER = "onnx/model_fp16.onnx"


def test_calls_go_on_together_and_give_what_those_of_the_cache_give(cache: ModelCache) -> None:
    seen: list[Progress] = []
    threads = set()

    def note(progress: Progress) -> None:
        seen.append(progress)
        threads.add(threading.get_ident())

    async def run() -> None:
        async with AsyncModelCache(cache) as calls:
            manifest = await calls.scan_repo(REPO)
            first, second, file = await asyncio.gather(
                calls.download_quant(REPO, "q4", progress=note),
                calls.download_file(REPO, OTHER),
                calls.fetch_file(REPO, "README.md"),
            )
            assert first.commit == manifest.commit
            assert (second.path, second.stored) == (OTHER, True)
            assert file.bytes() == FILES["README.md"]
            assert seen[-1].loaded == seen[-1].total >= SIZE
            assert threads == {threading.get_ident()}
            with pytest.raises(ModelFileNotFoundError):
                await calls.download_file(REPO, "none.bin")
            assert (await calls.verify(repo=REPO)).damaged == ()
            assert (await calls.remove_repo(REPO)).files > 0
        with pytest.raises(ClosedError):
            calls.sync.stats()

    asyncio.run(run())


@pytest.fixture
def slow(hub: LocalHub, tmp_path: Path) -> ModelCache:
    """A cache whose downloads would take more than a minute."""
    with (
        LocalHub(hub.root, "--throttle", str(64 << 10)) as slow,
        ModelCache(tmp_path / "store", endpoint=slow.url) as cache,
    ):
        yield cache


def test_cancelling_a_task_ends_its_call_and_keeps_what_came(slow: ModelCache) -> None:
    async def run() -> None:
        calls, moving = AsyncModelCache(slow), asyncio.Event()

        def note(progress: Progress) -> None:
            if progress.loaded > 0:
                moving.set()

        task = asyncio.create_task(calls.download_file(REPO, WEIGHTS, progress=note))
        other = asyncio.create_task(calls.download_file(REPO, OTHER))
        await moving.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not other.done()
        other.cancel()
        # A transfer ends with its last caller: what it brought is recorded then. How often this looks changes nothing.
        while slow.stats().partial_bytes == 0:
            await asyncio.sleep(0.01)
        assert not slow.has_file(REPO, WEIGHTS)

    asyncio.run(run())


def test_an_exception_of_the_callback_ends_the_call(slow: ModelCache) -> None:
    def fail(progress: Progress) -> None:
        if progress.loaded > 0:
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        asyncio.run(AsyncModelCache(slow).download_file(REPO, WEIGHTS, progress=fail))
    assert not slow.has_file(REPO, WEIGHTS)


def test_a_watch_is_iterated_while_other_calls_go_on(cache: ModelCache) -> None:
    async def run() -> None:
        async with AsyncModelCache(cache) as calls:
            await calls.scan_repo(REPO)
            download = asyncio.create_task(calls.download_quant(REPO, "q4"))
            async for manifest in calls.watch(repo=REPO):
                if manifest.quants["q4"].status == "downloaded":
                    break
            assert (await download).quants["q4"].status == "downloaded"

    asyncio.run(run())


def test_a_timeout_ends_a_call(slow: ModelCache) -> None:
    async def run() -> None:
        await asyncio.wait_for(AsyncModelCache(slow).download_file(REPO, WEIGHTS), 0.5)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(run())
