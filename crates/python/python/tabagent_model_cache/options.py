"""What callers of `ModelCache` give, as the native module takes it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tabagent_model_cache import environment_variables as environment
from tabagent_model_cache._native import VERSION
from tabagent_model_cache.argument import check_choice, check_proxy

StrPath = str | os.PathLike[str]
Link = Literal["auto", "reflink", "copy"]


def user_agent() -> str:
    """What requests say of this program. `platform` would give the version too, but its import takes longer than all others."""
    return (
        f"tabagent-model-cache/{VERSION}; python/{'.'.join(str(number) for number in sys.version_info[:3])}"
    )


def proxies_by_scheme(given: str | dict[str, str] | None) -> dict[str, str]:
    """URLs of proxies by "http" and "https"; those of the environment where none are given."""
    if given is None:
        return environment.read_proxies()
    proxies = {"http": given, "https": given} if isinstance(given, str) else given
    if not isinstance(proxies, dict):
        raise TypeError(f"proxy must be a string or a dict, got {type(given).__name__}")
    for scheme, url in proxies.items():
        check_choice(scheme, "proxy", "http", "https")
        check_proxy(url, "proxy")
    return proxies


def authorities(given: StrPath | Sequence[StrPath] | None) -> list[Path]:
    """Certificate files; those of the environment where none are given."""
    if given is None:
        return environment.read_authorities()
    paths = [given] if isinstance(given, str | os.PathLike) else given
    return [Path(path).absolute() for path in paths]


def export_options(revision: str | None, link: str, overwrite: bool) -> dict[str, str | bool | None]:
    """Options of an export."""
    check_choice(link, "link", "auto", "reflink", "copy")
    return {"revision": revision, "link": link, "overwrite": overwrite}
