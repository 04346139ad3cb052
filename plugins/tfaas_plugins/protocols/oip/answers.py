"""The answer to an infer request: JSON, and binary tensors behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from tfaas_core.errors import BadBody
from tfaas_core.predict.inference import InferenceResult
from tfaas_core.route import Response
from tfaas_core.tensors import Array, BatchAxis
from tfaas_plugins.protocols.json_text import dumped, is_finite, with_tokens, writable
from tfaas_plugins.protocols.oip.datatypes import datatype_of, to_raw
from tfaas_plugins.protocols.oip.requests import WantedOutput

JSON_LENGTH = "Inference-Header-Content-Length"
"""The header that says how many bytes of a body are JSON."""

_BINARY = "application/octet-stream"


class _Written(msgspec.Struct, frozen=True):
    document: dict[str, Any]
    raw: bytes | memoryview | None
    finite: bool = True


def infer_answer(
    result: InferenceResult, wanted: Sequence[WantedOutput], request_id: str | None
) -> Response:
    """The outputs as they are wanted. Raises BadBody if JSON cannot hold them."""
    version = result.version
    outputs = outputs_of(result, wanted)
    written = [_written(each, *found) for each, found in zip(wanted, outputs, strict=True)]
    document: dict[str, Any] = {
        "model_name": version.name,
        "model_version": str(version.version),
    }
    if request_id is not None:
        document["id"] = request_id
    document["outputs"] = [each.document for each in written]
    finite = all(each.finite for each in written)
    text = dumped(document) if finite else with_tokens(document)
    raws = [each.raw for each in written if each.raw is not None]
    if not any(len(raw) for raw in raws):
        return Response(text)
    body = b"".join([text, *raws])
    return Response(body, media_type=_BINARY, headers={JSON_LENGTH: str(len(text))})


def outputs_of(
    result: InferenceResult, wanted: Sequence[WantedOutput]
) -> Iterator[tuple[Array, str]]:
    """Each wanted output with its datatype, or its classes, if these are. Raises BadBody."""
    signature, labels = result.version.signature, result.version.labels
    specs = {spec.name: spec for spec in signature.outputs}
    has_batch = signature.batch is not BatchAxis.NONE
    for each in wanted:
        array, spec = result.outputs[each.name], specs[each.name]
        datatype = datatype_of(spec)
        if each.classes:
            batched = has_batch and not spec.constant
            yield _classified(array, each.classes, batched, labels), "BYTES"
        else:
            yield array, datatype


def _written(wanted: WantedOutput, array: Array, datatype: str) -> _Written:
    document: dict[str, Any] = {
        "name": wanted.name,
        "datatype": datatype,
        "shape": list(array.shape),
    }
    if wanted.binary:
        raw = to_raw(array, datatype)
        document["parameters"] = {"binary_data_size": len(raw)}
        return _Written(document, raw)
    values = array.reshape(-1)
    if array.dtype == object:
        document["data"] = _texts(values, wanted.name)
        return _Written(document, None)
    shown = writable(values)
    document["data"] = shown if shown.size else []
    return _Written(document, None, is_finite(values))


def _texts(values: Array, name: str) -> list[str]:
    try:
        return [value.decode() for value in values]
    except UnicodeDecodeError:
        raise BadBody(
            f"output {name!r} holds bytes that are no UTF-8, which JSON cannot hold; ask for it "
            "with the parameter 'binary_data'"
        ) from None


def _classified(array: Array, most: int, batched: bool, labels: Sequence[str]) -> Array:
    """The highest values, each as ``value:index:label``; of equal ones, the lower index first."""
    if array.dtype == object or array.dtype.kind == "c":
        raise BadBody("classification is of numbers, and this output holds none")
    # Of one value a row, there would be nothing to choose: they are the classes themselves.
    keeps_batch = batched and array.ndim > 1
    rows = array.reshape(len(array), -1) if keeps_batch and array.size else array.reshape(1, -1)
    found = np.empty((len(rows), min(most, rows.shape[1])), object)
    for number, row in enumerate(rows):
        order = _highest(row)[: found.shape[1]]
        found[number] = [_class(row[index], int(index), labels) for index in order]
    return found if keeps_batch else found[0]


def _highest(row: Array) -> Array:
    if row.dtype.kind == "f":
        return np.argsort(-row, kind="stable")
    # What unsigned numbers and the lowest one of others cannot do is to be negated.
    return len(row) - 1 - np.argsort(row[::-1], kind="stable")[::-1]


def _class(value: Any, index: int, labels: Sequence[str]) -> bytes:
    text = f"{value:.6f}" if isinstance(value, np.floating) else str(int(value))
    label = f":{labels[index]}" if index < len(labels) else ""
    return f"{text}:{index}{label}".encode()
