"""Sessions of ONNX Runtime over stored models. Needs the package `onnxruntime` of yours, which is imported at the first call."""

from __future__ import annotations

import weakref
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tabagent_model_cache.cache import ModelCache
from tabagent_model_cache.cached_file import CachedFile
from tabagent_model_cache.error import ReadOnlyError, UnsupportedFilesystemError

# By `TensorProto.DataType`. Whole numbers of 32 and 64 bits are shapes and positions, which ONNX Runtime looks at while it loads.
_TYPES = {1: "f4", 2: "u1", 3: "i1", 4: "u2", 5: "i2", 9: "?", 10: "f2", 11: "f8"}


def create_session(
    cache: ModelCache,
    repo: str,
    path: str,
    *,
    revision: str | None = None,
    expose_path: bool = True,
    sess_options: Any = None,  # noqa: ANN401 - types of onnxruntime, which may not be there
    **kwargs: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """An `onnxruntime.InferenceSession` over a stored ONNX model whose weights are those in the store, not copies.

    They stay in place until the session is collected. `sess_options` and the other keywords (`providers`, ...) are those of
    `InferenceSession`; without `session.disable_prepacking` it copies the matrices that it rearranges.

    With `expose_path=False`, in a cache that was opened with `read_only` and on Windows nothing is written into the store:
    ONNX Runtime then gets the model as bytes and its large weights as buffers (`SessionOptions.add_initializer`), except those in
    subgraphs and `Constant` nodes, which it copies. It copies all of them where it computes with weights while it loads (those of
    fp16 models, for example), after it has logged an error. `sess_options` can then be used for this session only.

    Fails as `cache.onnx_model` does, and with whatever ONNX Runtime raises.
    """
    runtime = import_module("onnxruntime")
    options = runtime.SessionOptions() if sess_options is None else sess_options
    if expose_path:
        try:
            model = cache.onnx_model(repo, path, revision=revision)
        except (ReadOnlyError, UnsupportedFilesystemError):
            pass
        else:
            try:
                session = runtime.InferenceSession(model, options, **kwargs)
            except BaseException:
                model.close()
                raise
            weakref.finalize(session, model.close)
            return session
    detached = cache._native.detached_model(repo, path, revision, list(_TYPES))
    return _create_detached(runtime, detached, options, kwargs)


def _create_detached(
    runtime: Any,  # noqa: ANN401
    detached: dict[str, Any],
    options: Any,  # noqa: ANN401
    kwargs: dict[str, Any],
) -> Any:  # noqa: ANN401
    files = {f"{detached['file']}{n}": memoryview(CachedFile(f)) for n, f in enumerate(detached["files"])}
    values = {weights["name"]: _value(runtime, weights, [*files.values()]) for weights in detached["weights"]}
    for name, value in values.items():
        options.add_initializer(name, value)
    errors = runtime.capi.onnxruntime_pybind11_state
    with TemporaryDirectory() as folder:
        # Looked for, and read only by what needs weights while the model is loaded.
        for name in files:
            Path(folder, name).touch()
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
        try:
            session = runtime.InferenceSession(detached["model"], options, **kwargs)
        except (errors.Fail, errors.RuntimeException):  # the second: before 1.24
            _give_files(options, folder, files)
            session = runtime.InferenceSession(detached["model"], options, **kwargs)
    # A session holds no reference to what it was given.
    session._model_cache_values = (values, files)
    return session


def _give_files(options: Any, folder: str, files: dict[str, memoryview]) -> None:  # noqa: ANN401
    if hasattr(options, "add_external_initializers_from_files_in_memory"):
        sizes = [view.nbytes for view in files.values()]
        options.add_external_initializers_from_files_in_memory([*files], [*files.values()], sizes)
        return
    # Before 1.24 it reads them from files only.
    for name, view in files.items():
        Path(folder, name).write_bytes(view)


def _value(runtime: Any, weights: dict[str, Any], files: list[memoryview]) -> Any:  # noqa: ANN401
    numpy = import_module("numpy")
    part = files[weights["file"]][weights["start"] : weights["end"]]
    array = numpy.frombuffer(part, _TYPES[weights["element_type"]]).reshape(weights["shape"])
    return runtime.OrtValue.ortvalue_from_numpy(array)
