"""Tensors: those of the Open Inference Protocol, in JSON and in bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import msgspec

from tfaas_core.testing.conformance.exchange import Unmet
from tfaas_core.testing.conformance.words import brief

_FORMATS = {
    **{"BOOL": "?", "INT8": "b", "UINT8": "B", "INT16": "h", "UINT16": "H", "INT32": "i"},
    **{"UINT32": "I", "INT64": "q", "UINT64": "Q", "FP16": "e", "FP32": "f", "FP64": "d"},
}

FLOATS = ("FP16", "BF16", "FP32", "FP64")


class Tensor(msgspec.Struct, frozen=True):
    """An input, or an output that is expected; ``data`` is flat, of bytes or texts for BYTES."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any]

    @property
    def json(self) -> dict[str, Any]:
        """As an input whose values are in the JSON."""
        head = {"name": self.name, "shape": self.shape, "datatype": self.datatype}
        return {**head, "data": self.data}

    @property
    def binary(self) -> Binary:
        """As an input whose values are behind the JSON."""
        return Binary(self, tensor_bytes(self.datatype, self.data))


class Binary(msgspec.Struct, frozen=True):
    """An input whose values are behind the JSON; ``size_bytes``: what is told, if not the truth."""

    tensor: Tensor
    content: bytes
    size_bytes: Any = None

    @property
    def json(self) -> dict[str, Any]:
        """Its part of the JSON."""
        size = len(self.content) if self.size_bytes is None else self.size_bytes
        head = {k: v for k, v in self.tensor.json.items() if k != "data"}
        return {**head, "parameters": {"binary_data_size": size}}


def tensor_bytes(datatype: str, data: Sequence[Any]) -> bytes:
    """Values as binary tensors have them."""
    if datatype == "BYTES":
        raw = [v.encode() if isinstance(v, str) else v for v in data]
        return b"".join(struct.pack("<I", len(v)) + v for v in raw)
    if datatype == "BF16":
        return b"".join(struct.pack("<f", v)[2:] for v in data)
    return struct.pack(f"<{len(data)}{_FORMATS[datatype]}", *data)


def read_out(datatype: str, content: bytes) -> list[Any]:
    """The values of a binary tensor; raises Unmet."""
    if datatype == "BYTES":
        return _texts(content)
    size = 2 if datatype == "BF16" else struct.calcsize(_FORMATS.get(datatype, "b"))
    if (datatype not in _FORMATS and datatype != "BF16") or len(content) % size:
        raise Unmet(f"{len(content)} bytes of {brief(datatype)}")
    if datatype == "BF16":
        return [struct.unpack_from("<f", b"\0\0" + content[i : i + 2])[0] for i in _steps(content)]
    return list(struct.unpack(f"<{len(content) // size}{_FORMATS[datatype]}", content))


def _steps(content: bytes) -> range:
    return range(0, len(content), 2)


def _texts(content: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(content):
        start = at + 4
        end = start + int.from_bytes(content[at:start], "little")
        if end > len(content):
            raise Unmet("an element of BYTES that runs past the tensor's end")
        found.append(content[start:end])
        at = end
    return found
