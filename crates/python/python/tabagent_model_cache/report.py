"""What calls did, and what the store holds. All sizes are bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tabagent_model_cache.manifest import FileInfo, to_file


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that stayed."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class RemoveReport:
    """What a removal did."""

    files: int
    """Files that are no longer listed as stored."""
    blobs: int
    """Stored contents that went with them; content that another file shares stays."""
    freed: int
    """Bytes given back to the disk."""
    reusable: int
    """Bytes free inside the store, for the next download."""
    kept: tuple[Kept, ...]
    """What stayed, and why."""


@dataclass(frozen=True, slots=True)
class PrunedQuant:
    """A quant that went."""

    repo: str
    quant: str


@dataclass(frozen=True, slots=True)
class PruneReport(RemoveReport):
    """What a prune did, or would do."""

    orphans: int
    """Things nobody refers to, left by processes that died."""
    partials: int
    """Partial downloads that nobody goes on with."""
    plain_files: int
    """Plain files that nobody holds: left by processes that died, and kept ones where these were asked for."""
    plain_bytes: int
    """Bytes of these, not part of `freed`: where they shared blocks with the store, the disk got nothing back."""
    quants: tuple[PrunedQuant, ...]
    """Quants that went, the least recently used first."""
    dry_run: bool
    """Whether nothing was changed; then `freed` is the bytes of what would go."""


@dataclass(frozen=True, slots=True)
class DamagedRange:
    """Bytes of a file that are not those that were stored: damaged blocks of at most 4 MiB, neighbours joined."""

    repo: str
    commit: str
    path: str
    offset: int
    """First damaged byte of the file."""
    length: int
    repaired: bool
    """Whether they are right again."""
    why: str | None
    """Why a repair failed, or why none of the file's bytes can be told from others."""


@dataclass(frozen=True, slots=True)
class MissingFile:
    """A file whose bytes are nowhere. It does not count as stored any more."""

    repo: str
    commit: str
    path: str


@dataclass(frozen=True, slots=True)
class DamagedRecord:
    """A record of the store that cannot be read. What it says is not known until it is repaired."""

    key: str
    """Where it is, as docs/design.md lists keys."""
    why: str
    """What does not fit."""
    repaired: bool
    """Whether it was made again from other records, or forgotten, so that a scan or a download brings it back."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a check of the store found."""

    files: int
    """Stored files that were checked, counted once per commit."""
    bytes: int
    """Bytes that were compared; those that files share count once."""
    damaged: tuple[DamagedRange, ...]
    """Bytes that are not those that were stored."""
    missing: tuple[MissingFile, ...]
    """Files whose bytes are nowhere."""
    orphans: int
    """What nobody refers to and `prune()` removes; 0 when only one repository was checked, or damaged records hide it."""
    records: tuple[DamagedRecord, ...]
    """Records that cannot be read."""


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A plain file that was written."""

    path: str
    """Path within the repository."""
    destination: Path
    """Where it is."""
    size: int
    method: Literal["reflink", "copy"]
    """How it came by its bytes."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote, in the order of the listing."""

    files: tuple[ExportedFile, ...]


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file that was imported."""

    repo: str
    commit: str
    file: FileInfo


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that was left alone."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did."""

    imported: tuple[ImportedFile, ...]
    """Files that are stored now and were not before."""
    skipped: tuple[Skipped, ...]
    """What was left alone, and why."""
    bytes: int
    """Bytes of the imported files."""


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What the store holds. Repositories, quants and files are those of this endpoint, the rest is the whole store's."""

    repos: int
    """Repositories that were scanned."""
    quants: int
    """Quants that are complete."""
    files: int
    """Stored files, counted once per commit."""
    blobs: int
    """Distinct contents."""
    bytes: int
    """Bytes of the complete ones."""
    partial_bytes: int
    """Bytes that unfinished downloads have stored."""
    reusable: int
    """Bytes free inside the store, for the next download."""
    disk_bytes: int
    """Bytes the store takes on the disk."""
    plain_files: int
    """Plain files made by `materialize`."""
    plain_bytes: int
    """Bytes of these, not part of `disk_bytes`; where they share blocks with the store they take no room of their own."""
    readers: int
    """Read transactions open now, of all processes."""
    views: int
    """Views of files in this process."""


def to_remove_report(native: dict[str, Any]) -> RemoveReport:
    """A report of the native module."""
    return RemoveReport(**_removed(native))


def to_prune_report(native: dict[str, Any]) -> PruneReport:
    """A report of the native module."""
    removed = _removed(native.pop("removed"))
    quants = tuple(PrunedQuant(**quant) for quant in native.pop("quants"))
    return PruneReport(**removed, **native, quants=quants)


def to_verify_report(native: dict[str, Any]) -> VerifyReport:
    """A report of the native module."""
    damaged = tuple(DamagedRange(**one) for one in native.pop("damaged"))
    missing = tuple(MissingFile(**one) for one in native.pop("missing"))
    records = tuple(DamagedRecord(**one) for one in native.pop("records"))
    return VerifyReport(**native, damaged=damaged, missing=missing, records=records)


def to_export_report(native: dict[str, Any]) -> ExportReport:
    """A report of the native module."""
    return ExportReport(tuple(ExportedFile(**file) for file in native["files"]))


def to_import_report(native: dict[str, Any]) -> ImportReport:
    """A report of the native module."""
    imported = tuple(ImportedFile(**{**one, "file": to_file(one["file"])}) for one in native["imported"])
    skipped = tuple(Skipped(**one) for one in native["skipped"])
    return ImportReport(imported, skipped, native["bytes"])


def _removed(native: dict[str, Any]) -> dict[str, Any]:
    return {**native, "kept": tuple(Kept(**kept) for kept in native["kept"])}
