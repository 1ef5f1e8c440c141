"""Several processes, forked ones included, and two languages on one store."""

from __future__ import annotations

import hashlib
import json
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_workers_of_multiprocessing_use_their_own(hub: LocalHub, cache: ModelCache) -> None:
    cache.download_file(REPO, WEIGHTS)
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    workers = [context.Process(target=lambda: answers.put(_child(cache, hub.url))) for _ in range(2)]
    for worker in workers:
        worker.start()
    assert [answers.get(timeout=60) for _ in workers] == ["ERR_CLOSED True True"] * 2
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert cache.get_file(REPO, WEIGHTS).bytes() == FILES[WEIGHTS]


NODE_WORKER = """
const [module, path, endpoint, repo, rounds, ...files] = process.argv.slice(1)
const { ModelCache } = await import(module)
const { createHash } = await import('node:crypto')
const cache = await ModelCache.open({ path, endpoint })
const busy = (error) => ['ERR_IN_USE', 'ERR_FILE_NOT_FOUND'].includes(error.code)
const digests = new Set()
for (let round = 0; round < Number(rounds); round += 1) {
  for (const file of files) {
    const opened = await cache.fetchFile(repo, file).catch((error) => { if (!busy(error)) throw error })
    if (opened) digests.add(`${file} ${createHash('sha256').update(opened.buffer).digest('hex')}`)
    opened?.close()
    if (round % 2 === 0) await cache.removeFile(repo, file).catch((error) => { if (!busy(error)) throw error })
  }
  const { damaged } = await cache.verify()
  if (damaged.length > 0) throw new Error(JSON.stringify(damaged))
}
await cache.close()
console.log(JSON.stringify([...digests].sort()))
"""

PYTHON_WORKER = """
import hashlib, json, sys
from tabagent_model_cache import InUseError, ModelCache, ModelFileNotFoundError
path, endpoint, repo, rounds, *files = sys.argv[1:]
digests = set()
with ModelCache(path, endpoint=endpoint) as cache:
    for number in range(int(rounds)):
        for file in files:
            try:
                with cache.fetch_file(repo, file) as opened:
                    digests.add(f"{file} {hashlib.sha256(opened).hexdigest()}")
                if number % 2:
                    cache.remove_file(repo, file)
            except (InUseError, ModelFileNotFoundError):
                pass
        assert cache.verify().damaged == ()
print(json.dumps(sorted(digests)))
"""


def test_processes_of_both_languages_download_read_remove_and_verify_at_once(cache: ModelCache) -> None:
    module = (ROOT / "dist" / "index.js").as_uri()
    arguments = [str(cache.path), cache.endpoint, REPO, "6", WEIGHTS, "onnx/model_fp16.onnx"]
    node = [NODE, "--input-type=module", "-e", NODE_WORKER, "--", module, *arguments]
    programs = [node, [sys.executable, "-c", PYTHON_WORKER, *arguments]]
    running = [subprocess.Popen(one, stdout=subprocess.PIPE, text=True) for one in programs * 2]
    expected = sorted(
        f"{path} {hashlib.sha256(FILES[path]).hexdigest()}" for path in (WEIGHTS, "onnx/model_fp16.onnx")
    )
    for process in running:
        printed = process.communicate()[0]
        assert process.returncode == 0
        assert json.loads(printed) == expected
    report = cache.verify()
    assert (report.damaged, report.missing, report.orphans) == ((), (), 0)


def test_the_module_is_imported_without_the_network_or_a_store() -> None:
    program = "import sys, tabagent_model_cache; print('asyncio' in sys.modules, 'ssl' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True)
    assert answer.stdout == "False False\n"
