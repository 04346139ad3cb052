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
from tfaas_core.values.pieces import joined_bytes
from tfaas_plugins.codecs.json.pieces import dumped
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.json_arrays import fragment
from tfaas_plugins.protocols.oip.datatypes import datatype_of, to_raw
from tfaas_plugins.protocols.oip.requests import WantedOutput

JSON_LENGTH = "Inference-Header-Content-Length"
"""The header that says how many bytes of a body are JSON."""

_BINARY = "application/octet-stream"


class _Written(msgspec.Struct, frozen=True):
    document: dict[str, Any]
    raw: bytes | memoryview | None


def infer_answer(
    result: InferenceResult,
    wanted: Sequence[WantedOutput],
    request_id: str | None,
    allowance: Allowance,
) -> Response:
    """The outputs as they are wanted. Raises BadBody if JSON cannot hold them.

    ``allowance``: of classes. Raises TooLarge if more are asked for.
    """
    version = result.version
    outputs = outputs_of(result, wanted, allowance)
    written = [_written(each, *found) for each, found in zip(wanted, outputs, strict=True)]
    document: dict[str, Any] = {
        "model_name": version.name,
        "model_version": str(version.version),
    }
    if request_id is not None:
        document["id"] = request_id
    document["outputs"] = [each.document for each in written]
    text = dumped(document)
    raws = [each.raw for each in written if each.raw is not None]
    if not any(len(raw) for raw in raws):
        return Response(text)
    body = joined_bytes([text, *raws])
    return Response(body, media_type=_BINARY, headers={JSON_LENGTH: str(len(text))})


def outputs_of(
    result: InferenceResult, wanted: Sequence[WantedOutput], allowance: Allowance
) -> Iterator[tuple[Array, str]]:
    """Each wanted output with its datatype, or its classes, if these are.

    Raises BadBody if it has none, and TooLarge for more classes than ``allowance`` has left.
    """
    signature, labels = result.version.signature, result.version.labels
    specs = {spec.name: spec for spec in signature.outputs}
    has_batch = signature.batch is not BatchAxis.NONE
    for each in wanted:
        array, spec = result.outputs[each.name], specs[each.name]
        datatype = datatype_of(spec)
        if each.classes:
            batched = has_batch and not spec.constant
            yield _classified(array, each, batched, labels, allowance), "BYTES"
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
    try:
        document["data"] = fragment(array.reshape(-1))
    except UnicodeDecodeError:
        raise BadBody(
            f"output {wanted.name!r} holds bytes that are no UTF-8, which JSON cannot hold; ask "
            "for it with the parameter 'binary_data'"
        ) from None
    return _Written(document, None)


def _classified(
    array: Array, wanted: WantedOutput, batched: bool, labels: Sequence[str], allowance: Allowance
) -> Array:
    """The highest values, each as ``value:index:label``; of equal ones, the lower index first."""
    if array.dtype == object or array.dtype.kind == "c":
        raise BadBody("classification is of numbers, and this output holds none")
    # Of one value a row, there would be nothing to choose: they are the classes themselves.
    keeps_batch = batched and array.ndim > 1
    rows = array.reshape(len(array), -1) if keeps_batch and array.size else array.reshape(1, -1)
    shape = len(rows), min(wanted.classes, rows.shape[1])
    allowance.take(shape[0] * shape[1], f"the classes of output {wanted.name!r}")
    found = np.empty(shape, object)
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
