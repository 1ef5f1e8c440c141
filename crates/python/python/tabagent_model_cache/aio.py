"""The calls of `ModelCache` to be awaited. Imported only by those who want it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from tabagent_model_cache._native import NativeOperation
from tabagent_model_cache.cache import ModelCache
from tabagent_model_cache.manifest import Manifest
from tabagent_model_cache.progress import Progress

if TYPE_CHECKING:
    from typing_extensions import Self

P = ParamSpec("P")
T = TypeVar("T")

_MOST_THREADS = 64
"""Calls under way at once; each waits on a thread. More wait for their turn."""


def _awaited(
    method: Callable[Concatenate[ModelCache, P], T],
) -> Callable[Concatenate[AsyncModelCache, P], Coroutine[Any, Any, T]]:
    @functools.wraps(method)
    async def call(self: AsyncModelCache, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(functools.partial(method, self.sync), *args, **kwargs)

    return cast("Callable[Concatenate[AsyncModelCache, P], Coroutine[Any, Any, T]]", call)


class AsyncModelCache:
    """The long calls of a `ModelCache` as coroutines; the quick ones are those of `sync`.

    Cancelling a task ends its call at once, and a transfer when nobody else wants it; what was stored is kept. `progress` is
    called in the event loop, for the last time before the call returns; what it raises ends the call.

    >>> async with AsyncModelCache() as cache:    # doctest: +SKIP
    ...     await asyncio.gather(*(cache.download_quant(repo, "q8") for repo in repos))
    ...     file = cache.sync.get_file(repos[0], "onnx/model_quantized.onnx")
    """

    def __init__(self, cache: ModelCache | None = None) -> None:
        """For an open cache, or for one opened with the defaults. Closing one closes the other."""
        self.sync = ModelCache() if cache is None else cache
        """The cache itself."""
        self._threads = ThreadPoolExecutor(_MOST_THREADS, "model-cache-call")

    scan_repo = _awaited(ModelCache.scan_repo)
    download_quant = _awaited(ModelCache.download_quant)
    download_file = _awaited(ModelCache.download_file)
    fetch_file = _awaited(ModelCache.fetch_file)
    inspect = _awaited(ModelCache.inspect)
    onnx_model = _awaited(ModelCache.onnx_model)
    remove_file = _awaited(ModelCache.remove_file)
    remove_quant = _awaited(ModelCache.remove_quant)
    remove_repo = _awaited(ModelCache.remove_repo)
    verify = _awaited(ModelCache.verify)
    prune = _awaited(ModelCache.prune)
    export_quant = _awaited(ModelCache.export_quant)
    export_file = _awaited(ModelCache.export_file)
    import_hf_cache = _awaited(ModelCache.import_hf_cache)

    async def watch(self, *, repo: str | None = None) -> AsyncIterator[Manifest]:
        """Watch manifests as `ModelCache.watch` does; it ends with the cache, or when the iteration is left."""
        with self.sync.watch(repo=repo) as watch:
            while (manifest := await self._call(lambda: next(watch, None))) is not None:
                yield manifest

    async def close(self) -> None:
        """End the cache: its running calls fail with `ClosedError` and keep what they stored. Files stay valid."""
        await self._call(self.sync.close)
        self._threads.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        progress = kwargs.get("progress")
        if not callable(progress):
            return await self._call(functools.partial(method, *args, **kwargs))
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[None] = loop.create_future()

        def show(report: Progress) -> None:
            try:
                if not failed.done():
                    progress(report)
            except Exception as error:  # noqa: BLE001 - it ends the call, which raises it
                failed.set_exception(error)

        def relay(report: Progress) -> None:
            loop.call_soon_threadsafe(show, report)

        work = functools.partial(cast("Callable[..., T]", method), *args, **{**kwargs, "progress": relay})
        call = asyncio.ensure_future(self._call(work))
        ends: set[asyncio.Future[Any]] = {call, failed}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if failed.done():
                failed.result()
            return call.result()
        finally:
            call.cancel()
            failed.cancel()

    async def _call(self, work: Callable[[], T]) -> T:
        operation = NativeOperation()
        running = asyncio.get_running_loop().run_in_executor(self._threads, operation.run, work)
        try:
            return await running
        except asyncio.CancelledError:
            operation.cancel()
            raise
