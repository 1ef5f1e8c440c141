"""One on-disk store of model files for all applications of a machine.

Scan a Hugging Face repository, download a quantization variant (parallel, resumable, verified), and read every file as one
contiguous buffer that copies nothing. Node and Python processes share one store.
"""

from tabagent_model_cache._native import VERSION
from tabagent_model_cache.cache import ModelCache
from tabagent_model_cache.cached_file import CachedFile, Extent
from tabagent_model_cache.error import (
    ERROR_CODES,
    ClosedError,
    CorruptError,
    GatedError,
    HttpError,
    InputOutputError,
    IntegrityError,
    InUseError,
    InvalidArgumentError,
    ModelCacheError,
    ModelFileNotFoundError,
    NetworkError,
    NoSpaceError,
    OfflineError,
    QuantNotFoundError,
    RateLimitedError,
    ReadOnlyError,
    RepoNotFoundError,
    RevisionNotFoundError,
    TooLargeError,
    UnauthorizedError,
    UnsupportedFilesystemError,
    VersionMismatchError,
)
from tabagent_model_cache.inspection import Graph, GraphPort, Inspection, TensorInfo
from tabagent_model_cache.manifest import Digest, FileInfo, Manifest, Quant, QuantError
from tabagent_model_cache.onnx_model import OnnxModel
from tabagent_model_cache.plain_files import PlainFile, PlainFiles
from tabagent_model_cache.progress import FileProgress, Progress
from tabagent_model_cache.report import (
    CacheStats,
    DamagedRange,
    DamagedRecord,
    ExportedFile,
    ExportReport,
    ImportedFile,
    ImportReport,
    Kept,
    MissingFile,
    PrunedQuant,
    PruneReport,
    RemoveReport,
    Skipped,
    VerifyReport,
)
from tabagent_model_cache.tensors import Tensors
from tabagent_model_cache.watch import ManifestWatch

__version__ = VERSION


def __dir__() -> list[str]:
    """The public names; the modules that have them are none."""
    return sorted(__all__)


__all__ = [
    "ERROR_CODES",
    "CacheStats",
    "CachedFile",
    "ClosedError",
    "CorruptError",
    "DamagedRange",
    "DamagedRecord",
    "Digest",
    "ExportReport",
    "ExportedFile",
    "Extent",
    "FileInfo",
    "FileProgress",
    "GatedError",
    "Graph",
    "GraphPort",
    "HttpError",
    "ImportReport",
    "ImportedFile",
    "InUseError",
    "InputOutputError",
    "Inspection",
    "IntegrityError",
    "InvalidArgumentError",
    "Kept",
    "Manifest",
    "ManifestWatch",
    "MissingFile",
    "ModelCache",
    "ModelCacheError",
    "ModelFileNotFoundError",
    "NetworkError",
    "NoSpaceError",
    "OfflineError",
    "OnnxModel",
    "PlainFile",
    "PlainFiles",
    "Progress",
    "PruneReport",
    "PrunedQuant",
    "Quant",
    "QuantError",
    "QuantNotFoundError",
    "RateLimitedError",
    "ReadOnlyError",
    "RemoveReport",
    "RepoNotFoundError",
    "RevisionNotFoundError",
    "Skipped",
    "TensorInfo",
    "Tensors",
    "TooLargeError",
    "UnauthorizedError",
    "UnsupportedFilesystemError",
    "VerifyReport",
    "VersionMismatchError",
    "__version__",
]
