"""What the Python module costs: prints figures as JSON. Its parameter is JSON with the `folder` to work in.

A file of 1 GiB and a safetensors file of 90 MB are made there and imported into a store. Every round is a process
of its own, and what is compared takes turns.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path

from tabagent_model_cache import ModelCache

ROUNDS = int(os.environ.get("MODEL_CACHE_BENCH_ROUNDS", "9"))
REPO, COMMIT = "bench/python", "b" * 40
LARGE, TENSORS = "large.bin", "model.safetensors"
LARGE_SIZE = 1 << 30
SHAPES = {"embed": (30_000, 384), **{f"layer.{n}": (384, 1536) for n in range(18)}}

# Each is run by a process of its own, which has `store`, `plain` (a folder) and `timed`, and prints milliseconds or bytes.
PREAMBLE = """
import sys, time
from pathlib import Path
store, plain = sys.argv[1], Path(sys.argv[2])
def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))
def timed(work):
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000
"""
OPEN = f"""
from tabagent_model_cache import ModelCache
cache = ModelCache(store, offline=True)
cache.get_manifest({REPO!r})
"""
VIEW = f"""
before = anonymous()
took = timed(lambda: globals().update(view=memoryview(cache.get_file({REPO!r}, {LARGE!r}, revision={COMMIT!r}))))
print(took, anonymous() - before)
"""
SUM = f"""
import numpy
file = cache.get_file({REPO!r}, {LARGE!r}, revision={COMMIT!r})
view = None
def first():
    global view
    view = numpy.frombuffer(file, numpy.float32)
    view.sum(dtype=numpy.float64)
print(timed(first), timed(lambda: view.sum(dtype=numpy.float64)))
"""
MEMMAP = f"""
import numpy
view = None
def first():
    global view
    view = numpy.memmap(plain / {LARGE!r}, numpy.float32, "r")
    view.sum(dtype=numpy.float64)
print(timed(first), timed(lambda: view.sum(dtype=numpy.float64)))
"""
OURS = f"""
import numpy
before = anonymous()
took = timed(lambda: globals().update(
    kept={{name: array for name, array in cache.tensors({REPO!r}, {TENSORS!r}, revision={COMMIT!r}).items()}}))
print(took, anonymous() - before)
"""
THEIRS = f"""
import numpy, safetensors.numpy
before = anonymous()
took = timed(lambda: globals().update(kept=safetensors.numpy.load_file(plain / {TENSORS!r})))
print(took, anonymous() - before)
"""


def _write_files(folder: Path) -> None:
    block = bytes(range(63)) * (1 << 20)
    block = block[: 1 << 26]
    with (folder / LARGE).open("wb") as file:
        for _ in range(LARGE_SIZE // len(block)):
            file.write(block)
    document, end = {}, 0
    for name, (rows, columns) in SHAPES.items():
        start, end = end, end + rows * columns * 4
        document[name] = {"dtype": "F32", "shape": [rows, columns], "data_offsets": [start, end]}
    head = json.dumps(document).encode()
    with (folder / TENSORS).open("wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        for at in range(0, end, len(block)):
            file.write(block[: min(len(block), end - at)])


def _import(folder: Path, store: Path) -> None:
    """The files as huggingface_hub has them, and from there into the store."""
    repo = folder / "hub" / "models--bench--python"
    snapshot = repo / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repo / "blobs").mkdir()
    for name in (LARGE, TENSORS):
        with (folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        (repo / "blobs" / digest).hardlink_to(folder / name)
        (snapshot / name).symlink_to(repo / "blobs" / digest)
    with ModelCache(store, offline=True) as cache:
        imported = cache.import_hf_cache(folder / "hub").imported
        assert len(imported) == 2


def _rounds(ways: dict[str, str], store: Path, plain: Path) -> dict[str, list[list[float]]]:
    measured: dict[str, list[list[float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, program in ways.items():
            command = [sys.executable, "-c", PREAMBLE + program, str(store), str(plain)]
            printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            measured[name].append([float(number) for number in printed.split()])
    return measured


def _wall(program: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return (time.perf_counter() - start) * 1000


def _middle(rounds: list[list[float]], place: int = 0) -> float:
    return statistics.median(one[place] for one in rounds)


def _figure(what: str, value: float, unit: str, bound: float | None, detail: str) -> dict[str, object]:
    return {"what": what, "value": value, "unit": unit, "bound": bound, "detail": detail}


def _against(what: str, rounds: dict[str, list[list[float]]], place: int, bound: float) -> dict[str, object]:
    """How long the first way takes, as a part of the second one."""
    ours, theirs = rounds.values()
    ratio = statistics.median(a[place] / b[place] for a, b in zip(ours, theirs, strict=True))
    detail = f"{_middle(ours, place):.1f} ms against {_middle(theirs, place):.1f} ms"
    return _figure(what, ratio, "x", bound, detail)


def figures(store: Path, plain: Path) -> list[dict[str, object]]:
    """All figures."""
    view = _rounds({"view": OPEN + VIEW}, store, plain)["view"]
    sums = _rounds({"ours": OPEN + SUM, "memmap": MEMMAP}, store, plain)
    walls = [(_wall("import tabagent_model_cache"), _wall("pass")) for _ in range(ROUNDS)]
    found = [
        _figure("Python: view of 1 GiB", _middle(view), "ms", 1, f"{ROUNDS} processes"),
        _figure("Python: view of 1 GiB, new memory", _middle(view, 1) / 2**20, "MiB", 5, "RssAnon"),
        _against("Python: sum over frombuffer of 1 GiB, numpy.memmap", sums, 1, 1.05),
        _against("the same with the open and the page faults of the first time", sums, 0, 1.15),
        _figure(
            "Python: import over bare python", statistics.median(ours - bare for ours, bare in walls), "ms", 50,
            f"{ROUNDS} rounds",
        ),
    ]  # fmt: skip
    loads = _rounds({"ours": OPEN + OURS, "theirs": THEIRS}, store, plain)
    memory = [_middle(loads[name], 1) / 2**20 for name in ("ours", "theirs")]
    return [
        *found,
        _against("Python: all of tensors(), safetensors load_file", loads, 0, 0.25),
        _figure("Python: tensors(), new memory", memory[0], "MiB", 5, f"load_file {memory[1]:.0f} MiB"),
    ]


if __name__ == "__main__":
    work = Path(json.loads(sys.argv[1])["folder"])
    work.mkdir(parents=True, exist_ok=True)
    _write_files(work)
    _import(work, work / "store")
    print(json.dumps(figures(work / "store", work)))
