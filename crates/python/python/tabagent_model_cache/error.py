"""What went wrong, by what the caller can do about it: one exception for each error code."""

from __future__ import annotations

import errno
from typing import Any, ClassVar


class ModelCacheError(Exception):
    """Every failure of this package but wrong types, which are `TypeError`. Fields mean something only where they are set."""

    code: ClassVar[str]
    _errno: ClassVar[int | None] = None

    def __init__(
        self,
        message: str,
        *,
        repo: str | None = None,
        path: str | None = None,
        url: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
        expected: str | None = None,
        actual: str | None = None,
        needed: int | None = None,
        available: int | None = None,
    ) -> None:
        super().__init__(message)
        self.repo = repo
        """Repository the call was about."""
        self.path = path
        """File of the repository, or path on this machine."""
        self.url = url
        """Address that was asked, without its query."""
        self.status = status
        """HTTP status of the answer."""
        self.retry_after = retry_after
        """Seconds to wait before the next try."""
        self.expected = expected
        """Digest or value that was announced."""
        self.actual = actual
        """Digest or value that was found."""
        self.needed = needed
        """Bytes the call needs."""
        self.available = available
        """Bytes that are free."""
        if isinstance(self, OSError):
            object.__setattr__(self, "errno", self._errno)

    def __reduce__(self) -> tuple[Any, ...]:
        fields = {name: value for name in FIELDS if (value := getattr(self, name)) is not None}
        return _restore, (type(self), str(self), fields)


class InvalidArgumentError(ModelCacheError, ValueError):
    """An argument cannot be used; the message names it."""

    code = "ERR_INVALID_ARGUMENT"


class RepoNotFoundError(ModelCacheError, FileNotFoundError):
    """No such repository, or not visible to this token."""

    code = "ERR_REPO_NOT_FOUND"
    _errno = errno.ENOENT


class RevisionNotFoundError(ModelCacheError, FileNotFoundError):
    """No such branch, tag or commit."""

    code = "ERR_REVISION_NOT_FOUND"
    _errno = errno.ENOENT


class ModelFileNotFoundError(ModelCacheError, FileNotFoundError):
    """The commit has no such file, or what is to be exported is not stored."""

    code = "ERR_FILE_NOT_FOUND"
    _errno = errno.ENOENT


class QuantNotFoundError(ModelCacheError, FileNotFoundError):
    """The commit has no such quant; the message lists those it has."""

    code = "ERR_QUANT_NOT_FOUND"
    _errno = errno.ENOENT


class UnauthorizedError(ModelCacheError, PermissionError):
    """The endpoint wants a token, or refuses this one."""

    code = "ERR_UNAUTHORIZED"
    _errno = errno.EACCES


class GatedError(ModelCacheError, PermissionError):
    """Access must be asked for on the page named by `url`."""

    code = "ERR_GATED"
    _errno = errno.EACCES


class RateLimitedError(ModelCacheError, ConnectionError):
    """The endpoint limits requests: try again after `retry_after` seconds."""

    code = "ERR_RATE_LIMITED"


class OfflineError(ModelCacheError, ConnectionError):
    """The network is needed and forbidden."""

    code = "ERR_OFFLINE"


class NetworkError(ModelCacheError, ConnectionError):
    """No connection, or it broke or stalled too often; the partial download is kept."""

    code = "ERR_NETWORK"


class HttpError(ModelCacheError, ConnectionError):
    """Any other refusal: see `status` and `url`."""

    code = "ERR_HTTP"


class IntegrityError(ModelCacheError, OSError):
    """Other bytes than the listing promised came; nothing of them was kept."""

    code = "ERR_INTEGRITY"


class NoSpaceError(ModelCacheError, OSError):
    """The disk, or `max_size`, has no room for `needed` bytes, only for `available`."""

    code = "ERR_NO_SPACE"
    _errno = errno.ENOSPC


class CorruptError(ModelCacheError, OSError):
    """A stored record or block is damaged."""

    code = "ERR_CORRUPT"
    _errno = errno.EIO


class InUseError(ModelCacheError, OSError):
    """Something else holds what the call wants to change: call again later."""

    code = "ERR_IN_USE"
    _errno = errno.EBUSY


class ReadOnlyError(ModelCacheError, PermissionError):
    """The store is opened read-only, or its folder cannot be written."""

    code = "ERR_READ_ONLY"
    _errno = errno.EROFS


class ClosedError(ModelCacheError, ValueError):
    """The cache or file was closed, or belongs to the process this one was forked from: open it again."""

    code = "ERR_CLOSED"


class TooLargeError(ModelCacheError, OverflowError):
    """Larger than what this process can map."""

    code = "ERR_TOO_LARGE"


class VersionMismatchError(ModelCacheError, RuntimeError):
    """The store is of a newer format, or another libmdbx holds it."""

    code = "ERR_VERSION_MISMATCH"


class UnsupportedFilesystemError(ModelCacheError, OSError):
    """The folder's file system cannot hold the store, or share blocks with it."""

    code = "ERR_UNSUPPORTED_FILESYSTEM"
    _errno = errno.EOPNOTSUPP


class InputOutputError(ModelCacheError, OSError):
    """Any other failure of the system."""

    code = "ERR_IO"
    _errno = errno.EIO


FIELDS = ("repo", "path", "url", "status", "retry_after", "expected", "actual", "needed", "available")

_CLASSES = {error.code: error for error in ModelCacheError.__subclasses__()}

ERROR_CODES = tuple(_CLASSES)
"""Every code; the same list as in the Rust core."""


def from_native(code: str, message: str, fields: dict[str, Any], causes: list[str]) -> ModelCacheError:
    """The exception of an error of the core; its causes, outermost first, become its `__cause__`."""
    error = _CLASSES[code](message, **fields)
    outer: BaseException = error
    for cause in causes:
        inner = OSError(cause)
        outer.__cause__ = inner
        outer = inner
    return error


def closed_file() -> ClosedError:
    """The exception of a handle that was closed."""
    return ClosedError("this handle of a file is closed: open the file again")


def _restore(kind: type[ModelCacheError], message: str, fields: dict[str, Any]) -> ModelCacheError:
    return kind(message, **fields)
