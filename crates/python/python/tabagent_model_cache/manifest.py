"""What is known of a repository."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Digest:
    """Digest of a file, as the endpoint announced it."""

    algorithm: Literal["sha256", "git-sha1"]
    """`sha256` of the bytes, or `git-sha1` of a git blob (small files)."""
    value: str
    """Lower-case hexadecimal."""


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One file of a repository."""

    path: str
    """Path within the repository, with `/`."""
    size: int
    """Bytes."""
    digest: Digest
    """Digest the endpoint announced."""
    role: str
    """What the file is for: `weights`, `external-data`, `tokenizer`, `config`, `projector`, `draft`, `imatrix`, ..."""
    stored: bool
    """Whether all its bytes are in the store."""


@dataclass(frozen=True, slots=True)
class QuantError:
    """Why a download failed."""

    code: str
    """One of `ERROR_CODES`."""
    message: str
    """For a person."""


@dataclass(frozen=True, slots=True)
class Quant:
    """One quantization variant of a repository: everything an engine needs to load it."""

    name: str
    """As tools of its format call it: `q4f16`, `Q4_K_M`, `bf16`, ...; `format:name` where formats collide."""
    format: Literal["onnx", "gguf", "safetensors", "openvino", "pytorch", "other"]
    """File format."""
    status: Literal["available", "downloading", "downloaded", "failed"]
    """`downloading` only while some process does it; an interrupted one is `available` with `downloaded` above 0."""
    files: tuple[FileInfo, ...]
    """Everything this quant needs, shared files included."""
    size: int
    """Bytes of all its files."""
    downloaded: int
    """Bytes of them that are stored; while a process downloads, the bytes it has, which may not be durable yet."""
    error: QuantError | None
    """Why the last download failed; only with status `failed`."""
    updated_at: datetime
    """When that changed."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is known of one revision of a repository."""

    repo: str
    """The name the endpoint gives it, which may differ in case from the one asked for."""
    revision: str
    """Branch, tag or commit that was asked for."""
    commit: str
    """The commit it stood for; files are always those of one commit."""
    pipeline_task: str | None
    """Such as `feature-extraction`."""
    library_name: str | None
    """Such as `transformers.js`."""
    license: str | None
    """License, if the endpoint names one."""
    tags: tuple[str, ...]
    """Tags."""
    gated: bool
    """Whether access must be asked for at the endpoint."""
    stale: bool
    """Whether the endpoint could not be asked: this is the last known state, or what an import found."""
    scanned_at: datetime
    """When the listing was made."""
    quants: dict[str, Quant]
    """By name, in order of the names."""
    shared_files: tuple[FileInfo, ...]
    """Files that every quant needs."""


def to_manifest(native: dict[str, Any]) -> Manifest:
    """A manifest of the native module."""
    quants = {quant["name"]: _to_quant(quant) for quant in native["quants"]}
    converted = {
        "tags": tuple(native["tags"]),
        "scanned_at": _to_datetime(native["scanned_at"]),
        "quants": quants,
        "shared_files": to_files(native["shared_files"]),
    }
    return Manifest(**{**native, **converted})


def to_file(native: dict[str, Any]) -> FileInfo:
    """A file of the native module."""
    return FileInfo(**{**native, "digest": Digest(**native["digest"])})


def to_files(native: list[dict[str, Any]]) -> tuple[FileInfo, ...]:
    """A list of files of the native module."""
    return tuple(to_file(file) for file in native)


def _to_quant(native: dict[str, Any]) -> Quant:
    error = native["error"]
    converted = {
        "files": to_files(native["files"]),
        "error": None if error is None else QuantError(**error),
        "updated_at": _to_datetime(native["updated_at"]),
    }
    return Quant(**{**native, **converted})


def _to_datetime(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
