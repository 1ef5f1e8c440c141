"""Checks of arguments that the core does not make: they raise `InvalidArgumentError` naming the argument."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from tabagent_model_cache.error import InvalidArgumentError

_PROXY_SCHEMES = {"http", "https", "socks5", "socks5h"}


def check_integer(value: int | None, name: str, least: int, most: int = 2**53 - 1) -> None:
    """A whole number from `least` to `most`, or None."""
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, got {type(value).__name__}")
    if not least <= value <= most:
        raise InvalidArgumentError(f"{name} must be a whole number from {least} to {most}, got {value}")


def check_choice(value: str, name: str, *choices: str) -> None:
    """One of some words."""
    if value not in choices:
        words = ", ".join(f'"{choice}"' for choice in choices)
        raise InvalidArgumentError(f"{name} must be one of {words}, got {value!r}")


def check_url(value: str, name: str) -> None:
    """An http or https URL."""
    parts = urlsplit(value)
    if parts.scheme.lower() not in {"http", "https"} or not parts.netloc:
        raise InvalidArgumentError(f"{name} must be an http or https URL{_suggest_url(value)}, got {value!r}")


def _suggest_url(value: str) -> str:
    """What was meant where only the scheme is missing: of this machine http."""
    host = re.match(r"(localhost|[\w-]+(\.[\w-]+)+)(:\d+)?(/|$)", value, re.IGNORECASE)
    if host is None:
        return ""
    scheme = "http" if re.match(r"localhost|127\.", value, re.IGNORECASE) else "https"
    return f" such as {scheme}://{value}"


def check_proxy(value: str, name: str) -> None:
    """URL of a proxy; without a scheme http is meant. What was given is not shown: it may hold a password."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a URL, got {type(value).__name__}")
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        is_url = parts.scheme.lower() in _PROXY_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise InvalidArgumentError(
            f"{name} must be a URL with a host that begins with http, https, socks5 or socks5h"
        )


def check_readable(path: Path, name: str) -> None:
    """A path that can be read."""
    if not os.access(path, os.R_OK):
        raise InvalidArgumentError(f"{name} names certificates that cannot be read: {path}")
