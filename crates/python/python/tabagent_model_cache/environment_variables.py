"""Defaults that the environment gives to `ModelCache`; this file alone reads the environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tabagent_model_cache.argument import check_readable, check_url

Variables = Mapping[str, str]

# Some of these replace the system's certificates elsewhere, some are added to them; here all are added.
AUTHORITIES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


def default_folder(variables: Variables = os.environ) -> Path:
    """`MODEL_CACHE_DIR`, else the folder in the platform's cache directory that Node uses too."""
    named = _named(variables, "MODEL_CACHE_DIR")
    return Path(named) if named else _cache_directory(variables) / "model-cache"


def read_endpoint(variables: Variables = os.environ) -> str | None:
    """`HF_ENDPOINT`."""
    endpoint = _named(variables, "HF_ENDPOINT")
    if endpoint:
        check_url(endpoint, "HF_ENDPOINT")
    return endpoint


def read_token(variables: Variables = os.environ) -> str | None:
    """`HF_TOKEN`, then its older name, then the token file; white space around it never belongs to a token.

    None at all where only a token that is passed may be sent.
    """
    if _is_true(variables, "HF_HUB_DISABLE_IMPLICIT_TOKEN"):
        return None
    named = _named(variables, "HF_TOKEN") or _named(variables, "HUGGING_FACE_HUB_TOKEN")
    if named:
        return named
    path = _path(variables, "HF_TOKEN_PATH") or _hf_home(variables) / "token"
    try:
        return path.read_text("utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def read_offline(variables: Variables = os.environ) -> bool:
    """`HF_HUB_OFFLINE`, else `TRANSFORMERS_OFFLINE`."""
    name = "HF_HUB_OFFLINE" if _named(variables, "HF_HUB_OFFLINE") else "TRANSFORMERS_OFFLINE"
    return _is_true(variables, name)


def read_proxies(variables: Variables = os.environ) -> dict[str, str]:
    """`HTTP_PROXY`, `HTTPS_PROXY` and `ALL_PROXY`, by scheme.

    A request header `Proxy` reaches CGI programs as `HTTP_PROXY`: there it names no proxy.
    """
    plain = variables
    if variables.get("REQUEST_METHOD"):
        plain = {name: value for name, value in variables.items() if name != "HTTP_PROXY"}
    found = {
        "http": _either(plain, "http_proxy") or _either(variables, "all_proxy"),
        "https": _either(variables, "https_proxy") or _either(variables, "all_proxy"),
    }
    return {scheme: proxy for scheme, proxy in found.items() if proxy}


def read_no_proxy(variables: Variables = os.environ) -> str | None:
    """`NO_PROXY`."""
    return _either(variables, "no_proxy")


def read_authorities(variables: Variables = os.environ) -> list[Path]:
    """The certificate files that the usual variables name."""
    named = {name: value for name in AUTHORITIES if (value := _named(variables, name))}
    for name, value in named.items():
        check_readable(Path(value), name)
    return [Path(value) for value in dict.fromkeys(named.values())]


def hf_cache_folder(variables: Variables = os.environ) -> Path:
    """The folder in which huggingface_hub keeps what it downloads."""
    named = _path(variables, "HF_HUB_CACHE") or _path(variables, "HUGGINGFACE_HUB_CACHE")
    return named or _hf_home(variables) / "hub"


def _hf_home(variables: Variables) -> Path:
    cache = _path(variables, "XDG_CACHE_HOME") or Path.home() / ".cache"
    return _path(variables, "HF_HOME") or cache / "huggingface"


def _cache_directory(variables: Variables) -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "tabagent"
    if sys.platform == "win32":
        local = variables.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "tabagent" / "Cache"
    cache = variables.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "tabagent"


def _path(variables: Variables, name: str) -> Path | None:
    """A path that huggingface_hub reads: a shell that did not expand `~` and variables in it is made up for."""
    named = _named(variables, name)
    # `Path.expanduser` fails where there is no such user; huggingface_hub then takes the name as it is.
    return Path(os.path.expandvars(os.path.expanduser(named))) if named else None  # noqa: PTH111


def _is_true(variables: Variables, name: str) -> bool:
    return (_named(variables, name) or "").upper() in {"1", "ON", "YES", "TRUE"}


def _either(variables: Variables, name: str) -> str | None:
    return _named(variables, name) or _named(variables, name.upper())


def _named(variables: Variables, name: str) -> str | None:
    return variables.get(name, "").strip() or None
