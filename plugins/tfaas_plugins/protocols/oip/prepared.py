"""Prepared: what a client says before its binary tensors, worked out once for all that it sends.

A client that sends binary tensors says the same of each, over and over: their names, datatypes and
shapes. What follows from that is kept, and nothing is left to do but to look at the tensors.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.oip.datatypes import is_plain
from tfaas_plugins.protocols.oip.inputs import arrays_of
from tfaas_plugins.protocols.oip.requests import InferBody

_MOST_KEPT = 1024
_MOST_BYTES = 1024


class _Tensor(msgspec.Struct, frozen=True):
    """A tensor, and where it begins in the bytes behind the JSON."""

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    at: int


class _Layout(msgspec.Struct, frozen=True):
    """The inputs of a version."""

    version: ModelVersion
    tensors: Mapping[str, _Tensor]


class Prepared:
    """A request but for its tensors, all of which are plain bytes of numbers."""

    def __init__(self, body: InferBody) -> None:
        self._body = msgspec.structs.replace(body, tails={})
        self._sizes = {place: len(tail) for place, tail in body.tails.items()}
        self.tail_bytes = sum(self._sizes.values())
        self.signature = body.signature
        self._layout: _Layout | None = None

    def read(
        self, tail: memoryview, version: ModelVersion, allowance: Allowance
    ) -> tuple[InferBody, dict[str, Array]]:
        """What the request asks of ``version``, its tensors being in ``tail``. Raises BadBody."""
        layout = self._layout
        if layout is not None and layout.version is version:
            return self._body, {
                name: np.ndarray(tensor.shape, tensor.dtype, tail, tensor.at)
                for name, tensor in layout.tensors.items()
            }
        arrays = arrays_of(self._with(tail), version, allowance)
        self._layout = self._laid_out(version, arrays)
        return self._body, arrays

    def _with(self, tail: memoryview) -> InferBody:
        tails, at = {}, 0
        for place, size in self._sizes.items():
            tails[place] = tail[at : at + size]
            at += size
        return msgspec.structs.replace(self._body, tails=tails)

    def _laid_out(self, version: ModelVersion, arrays: Mapping[str, Array]) -> _Layout:
        tensors, at = {}, 0
        for place, size in self._sizes.items():
            name = self._body.inputs[place]["name"]
            if (array := arrays.get(name)) is not None:  # else the model does not look at it
                tensors[name] = _Tensor(array.dtype, array.shape, at)
            at += size
        return _Layout(version, tensors)


class PreparedRequests:
    """Those that were asked before, by what they say, and of which model."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bytes], Prepared] = {}

    def of(self, path: str, text: bytes) -> Prepared | None:
        """What ``text``, sent to ``path``, says; None: it has not been kept."""
        return self._kept.get((path, text))

    def keep(self, path: str, text: bytes, body: InferBody) -> None:
        """Takes note of a request, if it is one that comes again."""
        if len(text) > _MOST_BYTES or body.id is not None or len(body.tails) != len(body.inputs):
            return
        if all(is_plain(each.get("datatype")) for each in body.inputs):
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[path, text] = Prepared(body)
