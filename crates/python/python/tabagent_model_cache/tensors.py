"""The tensors of a stored model file as numpy arrays over its bytes."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tabagent_model_cache.cached_file import CachedFile
from tabagent_model_cache.error import InvalidArgumentError
from tabagent_model_cache.inspection import Inspection, TensorInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NUMPY = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BOOL": "bool",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8",
    "C64": "complex64", "C128": "complex128",
}  # fmt: skip

_ML_DTYPES = {
    "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz",
}  # fmt: skip


class Tensors(Mapping[str, "NDArray[Any]"]):
    """The tensors of a stored file by name. Each array is made when it is asked for, and copies nothing.

    Arrays are read-only and keep the file open, whatever becomes of this mapping, the cache and the stored file. numpy knows no
    BF16 and F8: these need ml_dtypes. What it has no type for at all (`Q4_K`, ...) is `InvalidArgumentError` with the name of the
    type; `raw` gives the bytes of any tensor.
    """

    def __init__(self, file: CachedFile, inspection: Inspection) -> None:
        self.inspection = inspection
        """What the file says of itself."""
        self._view = memoryview(file)
        self._infos = {tensor.name: tensor for tensor in inspection.tensors}

    def info(self, name: str) -> TensorInfo:
        """What the file says of a tensor."""
        return self._infos[name]

    def raw(self, name: str) -> memoryview:
        """The bytes of a tensor, without a copy, for what takes a buffer."""
        info = self._infos[name]
        if info.data != "raw":
            where = "in another file" if info.data == "external" else "encoded one by one"
            raise InvalidArgumentError(f"the numbers of tensor {name!r} of {self._name} are {where}")
        return self._view[info.offset : info.offset + info.length]

    def __getitem__(self, name: str) -> NDArray[Any]:
        import numpy

        info = self._infos[name]
        return numpy.frombuffer(self.raw(name), self._dtype(info)).reshape(info.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)

    def __repr__(self) -> str:
        return f"<Tensors of {self._name}, {len(self)}>"

    @property
    def _name(self) -> str:
        return f"{self.inspection.repo}/{self.inspection.path}"

    def _dtype(self, info: TensorInfo) -> Any:  # noqa: ANN401 - whatever numpy takes for a type
        if info.dtype in _NUMPY:
            # Files are little-endian, whatever the machine is.
            return importlib.import_module("numpy").dtype(_NUMPY[info.dtype]).newbyteorder("<")
        tensor = f"tensor {info.name!r} of {self._name} is {info.dtype}"
        if info.dtype not in _ML_DTYPES:
            raise InvalidArgumentError(f"{tensor}, for which numpy has no type; raw() gives its bytes")
        try:
            return getattr(importlib.import_module("ml_dtypes"), _ML_DTYPES[info.dtype])
        except ImportError as error:
            raise InvalidArgumentError(
                f"{tensor}: install ml_dtypes for that, or take the bytes of raw()"
            ) from error
