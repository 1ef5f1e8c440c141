"""What all tests use: a hub with one repository, and a store of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from local_hub import LocalHub, content, write_repository
from tabagent_model_cache import ModelCache

pytest_plugins = ["onnx_files"]

REPO = "owner/model"
WEIGHTS = "onnx/model_q4.onnx"
SIZE = 5 << 20
FILES = {
    "config.json": b'{"model_type":"bert"}\n',
    "README.md": "# A model with \u00fcmlauts\n".encode(),
    WEIGHTS: content(WEIGHTS, SIZE),
    "onnx/model_fp16.onnx": content("fp16", SIZE),
}
VARIABLES = [
    "MODEL_CACHE_DIR", "HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HOME", "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE",
    "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS", "http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN_PATH", "none")
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHub]:
    """A hub that serves `REPO`."""
    root = tmp_path_factory.mktemp("hub")
    write_repository(root, REPO, FILES)
    with LocalHub(root, "--unlimited") as hub:
        yield hub


@pytest.fixture
def cache(hub: LocalHub, tmp_path: Path) -> Iterator[ModelCache]:
    """An empty store."""
    with ModelCache(tmp_path / "store", endpoint=hub.url) as cache:
        yield cache
