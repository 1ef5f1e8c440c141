"""The cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tabagent_model_cache import environment_variables as environment
from tabagent_model_cache._native import NativeCache, NativeWatch
from tabagent_model_cache.argument import check_integer, check_url
from tabagent_model_cache.cached_file import CachedFile
from tabagent_model_cache.closing import Closing
from tabagent_model_cache.error import ModelFileNotFoundError
from tabagent_model_cache.inspection import Inspection, to_inspection
from tabagent_model_cache.manifest import FileInfo, Manifest, to_file, to_files, to_manifest
from tabagent_model_cache.onnx_model import OnnxModel
from tabagent_model_cache.options import (
    Link,
    StrPath,
    authorities,
    export_options,
    proxies_by_scheme,
    user_agent,
)
from tabagent_model_cache.plain_files import PlainFiles
from tabagent_model_cache.progress import ProgressCallback, receiving
from tabagent_model_cache.report import (
    CacheStats,
    ExportReport,
    ImportReport,
    PruneReport,
    RemoveReport,
    VerifyReport,
    to_export_report,
    to_import_report,
    to_prune_report,
    to_remove_report,
    to_verify_report,
)
from tabagent_model_cache.tensors import Tensors
from tabagent_model_cache.watch import ManifestWatch


class ModelCache(Closing):
    """A store of model files on this machine. Any number of processes and threads may have the same one open.

    Calls wait without the interpreter's lock and answer Ctrl-C; what an interrupted download stored is kept. Every failure is
    a `ModelCacheError`, except wrong types (`TypeError`) and what a `progress` callback raises, which ends the call. Progress
    comes on the calling thread, at most 20 times a second, and always once at 100 %; `progress=True` shows a bar of tqdm, which
    must be installed. `tabagent_model_cache.aio` has the same calls to be awaited.

    `revision` is a branch, tag or commit, `main` by default. Times are milliseconds and sizes are bytes.

    >>> with ModelCache() as cache:    # doctest: +SKIP
    ...     cache.download_quant("onnx-community/all-MiniLM-L6-v2-ONNX", "q8")
    ...     file = cache.get_file("onnx-community/all-MiniLM-L6-v2-ONNX", "onnx/model_quantized.onnx")
    """

    def __init__(
        self,
        path: StrPath | None = None,
        *,
        endpoint: str | None = None,
        token: str | None = None,
        offline: bool | None = None,
        read_only: bool = False,
        zero_copy: bool = True,
        connections: int | None = None,
        stall_timeout: int | None = None,
        retries: int | None = None,
        max_size: int | None = None,
        max_bytes_per_second: int | None = None,
        proxy: str | dict[str, str] | None = None,
        no_proxy: str | None = None,
        certificate_authority: StrPath | Sequence[StrPath] | None = None,
    ) -> None:
        """Open the store, and make it where there is none. What is None comes from the environment, else from the defaults.

        - `path`: `MODEL_CACHE_DIR`, else `tabagent/model-cache` in the platform's cache directory.
        - `endpoint`: `HF_ENDPOINT`, else `https://huggingface.co`.
        - `token`: `HF_TOKEN`, else the token file of huggingface_hub; none with `HF_HUB_DISABLE_IMPLICIT_TOKEN`. Sent to the
          endpoint's own origin only.
        - `offline`: `HF_HUB_OFFLINE`, else `TRANSFORMERS_OFFLINE`. Never use the network: what is not stored fails with
          `OfflineError`.
        - `read_only`: downloads and removals fail with `ReadOnlyError`; the store must exist.
        - `zero_copy`: hand out the stored bytes themselves instead of copies.
        - `connections`: of all downloads together, 1 to 64. Default 8.
        - `stall_timeout`: milliseconds of silence after which a call fails. Default 30000.
        - `retries`: tries of a request without progress after the first. Default 5.
        - `max_size`: bytes to store at most; before a download that would exceed it the least recently used quants go.
        - `max_bytes_per_second`: that all downloads receive together at most.
        - `proxy`: URL of a proxy, or a dict of URLs by "http" and "https"; `{}` means none, whatever the environment says.
        - `no_proxy`: hosts that are asked directly, separated by commas.
        - `certificate_authority`: PEM files of authorities to trust besides the system's.

        Fails with `VersionMismatchError`, `ReadOnlyError`, `UnsupportedFilesystemError`, `CorruptError` or `InputOutputError`.
        """
        check_integer(connections, "connections", 1, 64)
        check_integer(stall_timeout, "stall_timeout", 1)
        check_integer(retries, "retries", 0, 1000)
        check_integer(max_size, "max_size", 1)
        check_integer(max_bytes_per_second, "max_bytes_per_second", 1)
        if endpoint is not None:
            check_url(endpoint, "endpoint")
        proxies = proxies_by_scheme(proxy)
        folder = environment.default_folder() if path is None else Path(path)
        token = environment.read_token() if token is None else token
        self._offline = environment.read_offline() if offline is None else offline
        self._authenticated = token is not None
        self._native = NativeCache(
            folder.absolute(),
            {
                "endpoint": environment.read_endpoint() if endpoint is None else endpoint,
                "token": token,
                "offline": self._offline,
                "read_only": read_only,
                "zero_copy": zero_copy,
                "connections": connections,
                "stall_timeout": stall_timeout,
                "retries": retries,
                "max_bytes_per_second": max_bytes_per_second,
                "max_size": max_size,
                "http_proxy": proxies.get("http"),
                "https_proxy": proxies.get("https"),
                "no_proxy": environment.read_no_proxy() if no_proxy is None else no_proxy,
                "certificate_authorities": authorities(certificate_authority),
                "user_agent": user_agent(),
            },
        )

    @property
    def path(self) -> Path:
        """Absolute path of the store's folder."""
        return self._native.path

    @property
    def endpoint(self) -> str:
        """Where repositories are listed and resolved."""
        return self._native.endpoint

    @property
    def offline(self) -> bool:
        """Whether the network is never used."""
        return self._offline

    @property
    def authenticated(self) -> bool:
        """Whether a token goes with the requests to the endpoint; never the token itself."""
        return self._authenticated

    def scan_repo(
        self, repo: str, *, revision: str | None = None, refresh: bool = False, headers: bool = False
    ) -> Manifest:
        """List a repository and sort its files into quants, with one request; with none for a commit scanned before.

        Offline, or when the endpoint does not answer, the answer is what was scanned before, and is `stale`. `refresh` asks for
        the whole listing whatever is stored. With `headers` the headers of files are read too where no name says how a quant's
        weights are stored, and the quant is named by that, for good: `model.gguf` becomes `Q4_K_M`. These are at most 16 requests
        for a quant, for 32 quants in one call; nothing is kept of them but the name, and the old name goes on being understood.
        Fails with `RepoNotFoundError`, `RevisionNotFoundError`, `UnauthorizedError`, `GatedError`, `RateLimitedError`,
        `OfflineError`, `NetworkError` or `HttpError`.
        """
        return to_manifest(self._native.scan_repo(repo, revision, refresh, headers))

    def get_manifest(self, repo: str, *, revision: str | None = None) -> Manifest | None:
        """What the last scan of the revision found, with the quants' present state; None if it was never scanned."""
        native = self._native.get_manifest(repo, revision)
        return None if native is None else to_manifest(native)

    def list_manifests(self) -> list[Manifest]:
        """The manifests of all scanned revisions of all repositories."""
        return [to_manifest(native) for native in self._native.list_manifests()]

    def download_quant(
        self,
        repo: str,
        quant: str,
        *,
        revision: str | None = None,
        keep: bool = False,
        progress: ProgressCallback | bool | None = None,
    ) -> Manifest:
        """Download every file of a quant that is not stored yet.

        Callers of the same quant, in this and other processes, share one transfer; what an interrupted one stored is not
        fetched again. `keep` marks it as never to be evicted to make room. Fails as `scan_repo` does, and with
        `QuantNotFoundError`, `IntegrityError`, `NoSpaceError`, `ReadOnlyError` or `InputOutputError`.
        """
        with receiving(progress) as receive:
            return to_manifest(self._native.download_quant(repo, quant, revision, keep, receive))

    def download_file(
        self,
        repo: str,
        path: str,
        *,
        revision: str | None = None,
        keep: bool = False,
        progress: ProgressCallback | bool | None = None,
    ) -> FileInfo:
        """Download one file that is not stored yet; as `download_quant`, but `ModelFileNotFoundError`."""
        with receiving(progress) as receive:
            return to_file(self._native.download_file(repo, path, revision, keep, receive))

    def has_file(self, repo: str, path: str, *, revision: str | None = None) -> bool:
        """Whether all bytes of the file are stored. Never uses the network."""
        return self._native.has_file(repo, path, revision)

    def get_file(
        self, repo: str, path: str, *, revision: str | None = None, verify: bool = False
    ) -> CachedFile | None:
        """Open a stored file; None if it is not stored. Never uses the network and copies nothing.

        With `verify` all bytes are compared with their checksums before the first are handed out; damage is `CorruptError`.
        """
        native = self._native.get_file(repo, path, revision, verify)
        return None if native is None else CachedFile(native)

    def fetch_file(
        self,
        repo: str,
        path: str,
        *,
        revision: str | None = None,
        keep: bool = False,
        verify: bool = False,
        progress: ProgressCallback | bool | None = None,
    ) -> CachedFile:
        """Open a file, which is downloaded first where it is not stored; fails as `download_file` does."""
        with receiving(progress) as receive:
            return CachedFile(self._native.fetch_file(repo, path, revision, keep, verify, receive))

    def onnx_model(self, repo: str, path: str, *, revision: str | None = None) -> OnnxModel:
        """The path of a stored ONNX model, for ONNX Runtime and what is built on it. Never uses the network.

        It is that of a small file that says where in the store the weights are, those in the model itself and those in files
        beside it: an engine maps them from there instead of reading a copy. Weights that lie across a multiple of 100 MiB of
        their file are copied for as long as somebody uses the model (on btrfs and XFS without taking room).

        `ModelFileNotFoundError` names the model or the file with its weights that is not stored. `InvalidArgumentError` also says
        that it is no ONNX model, or names weights outside its own folder. `ReadOnlyError` for a cache opened with `read_only`,
        which has `get_file`; `UnsupportedFilesystemError` on Windows, where no other program can read the store; `TooLargeError`,
        `NoSpaceError`, `InputOutputError`.
        """
        return OnnxModel(self._native.onnx_model(repo, path, revision))

    def inspect(self, repo: str, path: str, *, revision: str | None = None) -> Inspection:
        """Read what a safetensors, GGUF or ONNX file says of itself: its tensors with their places, and its metadata.

        Of a file that is not stored only the bytes that say so are fetched, and kept: a download does not fetch them again. They
        take their own room on the disk, but where there is none for the whole file nothing is kept. Files under 64 KiB and those
        with a git digest are downloaded. Fails as `scan_repo` does, with `ModelFileNotFoundError`, and with
        `InvalidArgumentError` for a file that is none of these, or is damaged in the repository itself.
        """
        return to_inspection(self._native.inspect(repo, path, revision))

    def tensors(self, repo: str, path: str, *, revision: str | None = None, verify: bool = False) -> Tensors:
        """The tensors of a stored safetensors file as numpy arrays by name, without a copy; of GGUF and ONNX those that numpy has
        types for.

        Never uses the network. `ModelFileNotFoundError` if the file is not stored; `verify` as of `get_file`.
        """
        file = self.get_file(repo, path, revision=revision, verify=verify)
        if file is None:
            raise ModelFileNotFoundError(
                f"{repo}/{path} is not stored: download it first", repo=repo, path=path
            )
        return Tensors(file, self.inspect(repo, path, revision=file.commit))

    def list_files(self, repo: str, *, revision: str | None = None) -> list[FileInfo]:
        """The stored files of a revision."""
        return list(to_files(self._native.list_files(repo, revision)))

    def remove_file(self, repo: str, path: str, *, revision: str | None = None) -> RemoveReport:
        """Remove a file, and its bytes unless other files share them. Views of it stay right.

        `InUseError` while a process downloads a quant that needs it, `ModelFileNotFoundError`, `ReadOnlyError`.
        """
        return to_remove_report(self._native.remove_file(repo, path, revision))

    def remove_quant(self, repo: str, quant: str, *, revision: str | None = None) -> RemoveReport:
        """Remove the files of a quant that no other stored quant needs."""
        return to_remove_report(self._native.remove_quant(repo, quant, revision))

    def remove_repo(self, repo: str, *, revision: str | None = None) -> RemoveReport:
        """Remove what is stored and known of a repository: of one revision where it is named, else of all."""
        return to_remove_report(self._native.remove_repo(repo, revision))

    def verify(
        self,
        *,
        repo: str | None = None,
        repair: bool = False,
        progress: ProgressCallback | bool | None = None,
    ) -> VerifyReport:
        """Compare every stored byte, or those of `repo`, with the checksum it had when it was stored.

        Damage is no error but in the report. With `repair` damaged records are made again from others, and just the damaged
        blocks are fetched again.
        """
        with receiving(progress) as receive:
            return to_verify_report(self._native.verify(repo, repair, receive))

    def prune(
        self,
        *,
        dry_run: bool = False,
        max_size: int | None = None,
        partial_age: int | None = None,
        plain_files: bool = False,
    ) -> PruneReport:
        """Remove what nobody needs, and give free space back to the disk.

        That is what processes that died left behind, partial downloads that nobody went on with for `partial_age` milliseconds
        (default: a week), and down to `max_size` bytes (default: that of the cache) the least recently used quants.
        `plain_files` also removes the plain files that were to be kept and that nobody holds.
        """
        check_integer(max_size, "max_size", 0)
        check_integer(partial_age, "partial_age", 0)
        return to_prune_report(self._native.prune(dry_run, max_size, partial_age, plain_files))

    def export_quant(
        self,
        repo: str,
        quant: str,
        directory: StrPath,
        *,
        revision: str | None = None,
        link: Link = "auto",
        overwrite: bool = False,
        progress: ProgressCallback | bool | None = None,
    ) -> ExportReport:
        """Write all files of a stored quant as plain files below `directory`, under their listed paths.

        Each is complete and durable or not there at all. `link`: "reflink" shares disk blocks with the store or fails with
        `UnsupportedFilesystemError`, "copy" never does, "auto" where it can. A file that exists is `InvalidArgumentError` unless
        `overwrite` is set.
        """
        options = export_options(revision, link, overwrite)
        folder = Path(directory).absolute()
        with receiving(progress) as receive:
            return to_export_report(self._native.export_quant(repo, quant, folder, options, receive))

    def export_file(
        self,
        repo: str,
        path: str,
        destination: StrPath,
        *,
        revision: str | None = None,
        link: Link = "auto",
        overwrite: bool = False,
        progress: ProgressCallback | bool | None = None,
    ) -> ExportReport:
        """Write one stored file as the plain file `destination`, whose parent folders are made; see `export_quant`."""
        options = export_options(revision, link, overwrite)
        file = Path(destination).absolute()
        with receiving(progress) as receive:
            return to_export_report(self._native.export_file(repo, path, file, options, receive))

    def materialize(
        self,
        repo: str,
        path_or_quant: str,
        *,
        revision: str | None = None,
        keep: bool = False,
        progress: ProgressCallback | bool | None = None,
    ) -> PlainFiles:
        """Hold plain files of a stored file (with its numbered parts) or of a quant, for engines that want a path.

        All callers and processes that want the same share them. They share disk blocks with the store where the file system can
        (btrfs and XFS); elsewhere the first caller copies them, and `PlainFiles.copied` says how many bytes that took. They go
        with the last handle, or with `keep` when their bytes are removed from the store or by `prune(plain_files=True)`.
        Stored bytes are taken as they are: `verify` finds damage. Fails as `export_file` does, and with `ReadOnlyError`.
        """
        with receiving(progress) as receive:
            return PlainFiles(self._native.materialize(repo, path_or_quant, revision, keep, receive))

    def import_hf_cache(
        self,
        directory: StrPath | None = None,
        *,
        repo: str | None = None,
        progress: ProgressCallback | bool | None = None,
    ) -> ImportReport:
        """Take models from a cache folder of huggingface_hub, without any network; the folder is left as it is.

        `directory`: `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else `huggingface/hub` in the user's cache folder.
        """
        folder = environment.hf_cache_folder() if directory is None else Path(directory)
        with receiving(progress) as receive:
            return to_import_report(self._native.import_hf_cache(folder.absolute(), repo, receive))

    def watch(self, *, repo: str | None = None) -> ManifestWatch:
        """Watch manifests, of `repo` or of all: first the present ones, then each that changes, whichever process changes it.

        The iterator waits for the next one; it ends when it or the cache is closed.
        """
        return ManifestWatch(NativeWatch(self._native, repo))

    def stats(self) -> CacheStats:
        """What the store holds now."""
        return CacheStats(**self._native.stats())

    def close(self) -> None:
        """End this cache: its running calls fail with `ClosedError` and keep what they stored. Files stay valid."""
        self._native.close()

    def __repr__(self) -> str:
        return f"<ModelCache {self.path}>"
