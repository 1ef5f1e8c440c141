"""Several processes, forked ones included, and two languages on one store."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FILES, REPO, WEIGHTS
from local_hub import NODE, ROOT, LocalHub
from tabagent_model_cache import ModelCache

NODE_PROGRAM = """
const [module, path, endpoint, repo, file, call] = process.argv.slice(1)
const { ModelCache } = await import(module)
const cache = await ModelCache.open({ path, endpoint, offline: call === 'read' })
const opened = call === 'read' ? cache.getFile(repo, file) : await cache.fetchFile(repo, file)
const { createHash } = await import('node:crypto')
console.log(createHash('sha256').update(opened.buffer).digest('hex'))
await cache.close()
"""


def _node(cache: ModelCache, file: str, call: str) -> str:
    module = (ROOT / "dist" / "index.js").as_uri()
    arguments = [module, str(cache.path), cache.endpoint, REPO, file, call]
    program = [NODE, "--input-type=module", "-e", NODE_PROGRAM, "--", *arguments]
    return subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def test_python_reads_what_node_downloaded(cache: ModelCache) -> None:
    digest = _node(cache, WEIGHTS, "fetch")
    with cache.get_file(REPO, WEIGHTS, verify=True) as file:
        assert file.digest.value == digest
        assert bytes(file) == FILES[WEIGHTS]


def test_node_reads_what_python_downloaded(cache: ModelCache) -> None:
    digest = cache.download_file(REPO, WEIGHTS).digest.value
    assert _node(cache, WEIGHTS, "read") == digest


def _read(path: Path, endpoint: str) -> bytes:
    with ModelCache(path, endpoint=endpoint) as cache, cache.get_file(REPO, WEIGHTS) as file:
        return bytes(file)


def test_a_spawned_process_has_its_own(cache: ModelCache) -> None:
    cache.download_file(REPO, WEIGHTS)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_read, (cache.path, cache.endpoint)) == FILES[WEIGHTS]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_is_told_and_can_open_its_own(hub: LocalHub, cache: ModelCache) -> None:
    cache.download_file(REPO, WEIGHTS)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, _child(cache, hub.url).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        assert answer.read() == "ERR_CLOSED True True"
    assert os.waitpid(child, 0)[1] == 0
    assert cache.get_file(REPO, WEIGHTS).bytes() == FILES[WEIGHTS]


def _child(inherited: ModelCache, url: str) -> str:
    try:
        inherited.get_file(REPO, WEIGHTS)
    except ValueError as error:
        code = error.code
    else:
        code = "none"
    read = _read(inherited.path, url) == FILES[WEIGHTS]
    with ModelCache(inherited.path, endpoint=url) as own:
        return f"{code} {read} {own.download_file(REPO, 'README.md').stored}"


def test_the_module_is_imported_without_the_network_or_a_store() -> None:
    program = "import sys, tabagent_model_cache; print('asyncio' in sys.modules, 'ssl' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True)
    assert answer.stdout == "False False\n"
