"""Defaults from the environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from local_hub import NODE, ROOT
from tabagent_model_cache import InvalidArgumentError, ModelCache
from tabagent_model_cache import environment_variables as environment


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"HF_HOME": "~/x"},
        {"HF_HUB_CACHE": "${NAMED}/$NONE", "NAMED": "/named"},
        {"HUGGINGFACE_HUB_CACHE": "~"},
        {"XDG_CACHE_HOME": "~/$NAMED", "NAMED": "named"},
    ],
)
def test_both_languages_have_the_same_folder(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {"XDG_CACHE_HOME": str(tmp_path), **variables}.items():
        monkeypatch.setenv(name, value)
    module = (ROOT / "dist" / "environment-variables.js").as_uri()
    program = f"const m = await import('{module}'); console.log(await m.defaultFolder()); console.log(m.hfCacheFolder())"
    answer = subprocess.run(
        [NODE, "--input-type=module", "-e", program], check=True, stdout=subprocess.PIPE, text=True
    )
    assert answer.stdout.splitlines() == [
        str(environment.default_folder()),
        str(environment.hf_cache_folder()),
    ]


def test_a_token_is_a_variable_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(" from-file \n")
    home = {"HF_HOME": str(tmp_path)}
    assert environment.read_token(home) == "from-file"
    assert environment.read_token({**home, "HUGGING_FACE_HUB_TOKEN": "old"}) == "old"
    assert environment.read_token({**home, "HUGGING_FACE_HUB_TOKEN": "old", "HF_TOKEN": " new "}) == "new"
    assert environment.read_token({**home, "HF_TOKEN_PATH": str(tmp_path / "none")}) is None


def test_variables_of_huggingface_hub_mean_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file")
    monkeypatch.setenv("WHERE", str(tmp_path))
    named = {"HF_TOKEN_PATH": "$WHERE/token"}
    assert environment.read_token(named) == "from-file"
    assert environment.read_token({**named, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "true"}) is None
    assert environment.read_token({"HF_TOKEN": "new", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}) is None
    assert environment.hf_cache_folder({"HF_HOME": "~/x"}) == Path.home() / "x" / "hub"
    assert environment.read_offline({"TRANSFORMERS_OFFLINE": "1"})
    assert not environment.read_offline({"TRANSFORMERS_OFFLINE": "1", "HF_HUB_OFFLINE": "0"})


def test_proxies_are_read_as_curl_does() -> None:
    assert environment.read_proxies({"ALL_PROXY": "socks5://a:1", "https_proxy": "http://b:2"}) == {
        "http": "socks5://a:1",
        "https": "http://b:2",
    }
    assert environment.read_proxies({"HTTP_PROXY": "http://evil:1", "REQUEST_METHOD": "GET"}) == {}


def test_certificates_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="SSL_CERT_FILE"):
        environment.read_authorities({"SSL_CERT_FILE": str(tmp_path / "none.pem")})


def test_explicit_options_win(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODEL_CACHE_DIR", str(tmp_path / "named"))
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example/")
    with ModelCache() as cache:
        assert (cache.path, cache.endpoint) == (tmp_path / "named", "http://hub.example")
    with ModelCache(tmp_path / "own", endpoint="http://other.example") as cache:
        assert (cache.path, cache.endpoint) == (tmp_path / "own", "http://other.example")
    assert sys.platform != "win32" or environment.default_folder({}).name == "model-cache"
