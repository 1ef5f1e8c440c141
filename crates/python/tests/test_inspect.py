"""What model files say of themselves, and their tensors as arrays."""

from __future__ import annotations

import gc
import json
import struct
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
import safetensors
from local_hub import ROOT, LocalHub, content, write_repository
from tabagent_model_cache import (
    InvalidArgumentError,
    ModelCache,
    ModelFileNotFoundError,
    OfflineError,
    TensorInfo,
)

REPO = "owner/tensors"
PATH = "model.safetensors"
ARRAYS = {
    "embed": np.arange(120_000, dtype=np.float32).reshape(300, 400),
    "half": np.linspace(-1, 1, 1000, dtype=np.float16),
    "brain": np.linspace(-8, 8, 4096).astype(ml_dtypes.bfloat16).reshape(64, 64),
    "eighth": np.linspace(-2, 2, 64).astype(ml_dtypes.float8_e4m3fn),
    "mask": np.array([True, False, True]),
    "odd": np.arange(5, dtype=np.int64),
    "number": np.array(7, dtype=np.int32),
    "empty": np.zeros((0, 4), dtype=np.float32),
}
NAMES = {
    "float32": "F32", "float16": "F16", "bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3",
    "bool": "BOOL", "int64": "I64", "int32": "I32",
}  # fmt: skip


def _safetensors(arrays: dict[str, np.ndarray]) -> bytes:
    document, data = {}, b""
    for name, array in arrays.items():
        start, data = len(data), data + array.tobytes()
        shape = list(array.shape)
        document[name] = {
            "dtype": NAMES[str(array.dtype)],
            "shape": shape,
            "data_offsets": [start, len(data)],
        }
    head = json.dumps(document).encode()
    return struct.pack("<Q", len(head)) + head + data


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def _gguf() -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", 3, 2, 1) + _text("general.architecture") + struct.pack("<I", 8)
    head += _text("llama")
    head += _text("norm") + struct.pack("<IQIQ", 1, 64, 0, 0)
    head += _text("blocks") + struct.pack("<IQQIQ", 2, 256, 1000, 12, 256)
    return head.ljust(-(-len(head) // 32) * 32, b"\0") + content("gguf", 256 + 144_000)


@pytest.fixture
def store(tmp_path: Path) -> ModelCache:
    files = {PATH: _safetensors(ARRAYS), "m-Q4_K_M.gguf": _gguf(), "README.md": b"# Nothing\n"}
    write_repository(tmp_path / "hub", REPO, files)
    with (
        LocalHub(tmp_path / "hub", "--unlimited") as hub,
        ModelCache(tmp_path / "store", endpoint=hub.url) as cache,
    ):
        yield cache


def test_a_scan_names_quants_by_their_headers(tmp_path: Path) -> None:
    files = {PATH: _safetensors({"w": np.zeros(50_000, dtype=np.float16)}), "m.gguf": _gguf()}
    write_repository(tmp_path / "hub", REPO, files)
    with LocalHub(tmp_path / "hub", "--unlimited") as hub:
        with ModelCache(tmp_path / "store", endpoint=hub.url) as cache:
            assert sorted(cache.scan_repo(REPO).quants) == ["m", "model"]
            assert sorted(cache.scan_repo(REPO, headers=True).quants) == ["Q4_K", "fp16"]
            assert cache.stats().partial_bytes == 0
        with ModelCache(tmp_path / "store", endpoint=hub.url) as cache:
            done = cache.download_quant(REPO, "fp16")
            assert done.quants["fp16"].status == "downloaded"
            assert cache.download_quant(REPO, "model").quants == done.quants
            with pytest.raises(TypeError):
                cache.scan_repo(REPO, header=True)


def test_an_inspection_before_the_download_says_what_one_after_it_says(store: ModelCache) -> None:
    before = store.inspect(REPO, PATH)
    assert (before.format, before.size, before.graph) == ("safetensors", len(_safetensors(ARRAYS)), None)
    assert before.parameters == sum(array.size for array in ARRAYS.values())
    assert before.tensors[0] == TensorInfo(
        "embed", (300, 400), "F32", before.tensors[0].offset, 480_000, "raw", None
    )
    assert not store.has_file(REPO, PATH)
    assert store.stats().partial_bytes == 64 << 10
    store.download_file(REPO, PATH)
    assert store.inspect(REPO, PATH) == before
    with pytest.raises(InvalidArgumentError, match="none of safetensors, GGUF and ONNX"):
        store.inspect(REPO, "README.md")
    with ModelCache(store.path, endpoint=store.endpoint, offline=True) as offline:
        assert offline.inspect(REPO, PATH) == before
        with pytest.raises(OfflineError):
            offline.inspect(REPO, "m-Q4_K_M.gguf")


def test_tensors_are_the_stored_bytes_themselves(store: ModelCache) -> None:
    with pytest.raises(ModelFileNotFoundError, match="download it first"):
        store.tensors(REPO, PATH)
    store.download_file(REPO, PATH)
    tensors = store.tensors(REPO, PATH, verify=True)
    assert sorted(tensors) == sorted(ARRAYS)
    for name, expected in ARRAYS.items():
        found = tensors[name]
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        assert found.tobytes() == expected.tobytes()
        assert not found.flags.writeable
    assert np.shares_memory(tensors["embed"], store.tensors(REPO, PATH)["embed"])
    assert bytes(tensors.raw("odd")) == ARRAYS["odd"].tobytes()
    assert tensors.info("odd").dtype == "I64"
    with pytest.raises(KeyError):
        tensors["none"]


def test_tensors_are_those_of_safetensors_itself(store: ModelCache, tmp_path: Path) -> None:
    store.download_file(REPO, PATH)
    tensors = store.tensors(REPO, PATH)
    with safetensors.safe_open(tmp_path / "hub" / REPO / PATH, "numpy") as plain:
        assert sorted(tensors) == sorted(plain.keys())
        # The package knows no F8 in numpy.
        for name in tensors.keys() - {"eighth"}:
            expected = plain.get_tensor(name)
            assert (tensors[name].dtype, tensors[name].shape) == (expected.dtype, expected.shape)
            assert tensors[name].tobytes() == expected.tobytes()


@pytest.mark.parametrize("variant", ["model_quantized", "model_q4"])
def test_a_real_model_says_what_onnx_says_of_it(tmp_path: Path, variant: str) -> None:
    repo, path = "sentence-transformers/all-MiniLM-L6-v2", f"onnx/{variant}.onnx"
    plain = ROOT / ".work" / "hub" / repo / path
    model, contents = onnx.load(plain), plain.read_bytes()
    with (
        LocalHub(ROOT / ".work" / "hub", "--unlimited") as hub,
        ModelCache(tmp_path / "real", endpoint=hub.url) as cache,
    ):
        found = cache.inspect(repo, path)
        assert cache.stats().partial_bytes < len(contents) / 2
    infos = {tensor.name: tensor for tensor in found.tensors}
    constants = [node for node in model.graph.node if node.op_type == "Constant"]
    assert len(found.tensors) == len(model.graph.initializer) + len(constants)
    for tensor in model.graph.initializer:
        info = infos[tensor.name]
        assert info.shape == tuple(tensor.dims)
        assert info.data == ("raw" if tensor.HasField("raw_data") else "encoded")
        if info.data == "raw":
            assert contents[info.offset : info.offset + info.length] == tensor.raw_data
    assert found.version == model.ir_version
    assert found.graph.opsets == {one.domain or "ai.onnx": one.version for one in model.opset_import}
    names = {tensor.name for tensor in model.graph.initializer}
    assert [one.name for one in found.graph.inputs] == [
        one.name for one in model.graph.input if one.name not in names
    ]
    assert [one.name for one in found.graph.outputs] == [one.name for one in model.graph.output]


def test_an_array_outlives_the_mapping_the_cache_and_the_stored_file(store: ModelCache) -> None:
    store.download_file(REPO, PATH)
    array = store.tensors(REPO, PATH)["embed"]
    store.remove_repo(REPO)
    store.close()
    gc.collect()
    assert np.array_equal(array, ARRAYS["embed"])


def test_what_numpy_has_no_type_for_is_named(store: ModelCache, monkeypatch: pytest.MonkeyPatch) -> None:
    store.download_file(REPO, "m-Q4_K_M.gguf")
    tensors = store.tensors(REPO, "m-Q4_K_M.gguf")
    assert tensors.inspection.architecture == "llama"
    assert tensors["norm"].shape == (64,)
    assert tensors.info("blocks").shape == (1000, 256)
    with pytest.raises(InvalidArgumentError, match="Q4_K"):
        tensors["blocks"]
    assert bytes(tensors.raw("blocks")) == content("gguf", 256 + 144_000)[256:]
    store.download_file(REPO, PATH)
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(InvalidArgumentError, match="BF16: install ml_dtypes"):
        store.tensors(REPO, PATH)["brain"]
