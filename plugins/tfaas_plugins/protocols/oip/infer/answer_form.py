"""AnswerForm: what all answers of a version have in common."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import BatchAxis, TensorSpec
from tfaas_plugins.codecs.json.pieces import dumped
from tfaas_plugins.protocols.oip.datatypes import datatype_of, has_datatype

_OUTPUTS = b',"outputs":['


class OutputForm:
    """That of one output."""

    def __init__(self, spec: TensorSpec, is_batched: bool) -> None:
        self._spec = spec
        self.is_batched = is_batched
        """Whether its first axis is one of rows."""
        self._datatype = datatype_of(spec) if has_datatype(spec) else ""
        named = dumped({"name": spec.name})[:-1]
        self._begin = b'%b,"datatype":"%b","shape":' % (named, self._datatype.encode())
        self._begin_of_classes = b'%b,"datatype":"BYTES","shape":' % named

    @property
    def datatype(self) -> str:
        """Raises BadBody if the protocol has none for it."""
        return self._datatype or datatype_of(self._spec)

    def begin(self, shape: Sequence[int], are_classes: bool) -> bytes:
        """How its JSON begins; a further field, and a bracket, end it."""
        begin = self._begin_of_classes if are_classes else self._begin
        return b"%b%b," % (begin, orjson.dumps(shape))


class AnswerForm:
    """That of all outputs, by name."""

    def __init__(self, version: ModelVersion) -> None:
        names = {"model_name": version.name, "model_version": str(version.version)}
        self._names = dumped(names)[:-1]
        self._begin = self._names + _OUTPUTS
        has_batch = version.signature.batch is not BatchAxis.NONE
        self.outputs = {
            spec.name: OutputForm(spec, has_batch and not spec.constant)
            for spec in version.signature.outputs
        }

    def begin(self, request_id: str | None) -> bytes:
        """How the JSON begins, up to its outputs."""
        if request_id is None:
            return self._begin
        return b'%b,"id":%b%b' % (self._names, dumped(request_id), _OUTPUTS)
