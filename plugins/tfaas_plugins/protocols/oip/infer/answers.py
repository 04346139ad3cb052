"""The answer to an infer request: JSON, and binary tensors behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, repeat
from types import MappingProxyType
from typing import Any

import numpy as np

from tfaas_core.errors import BadBody
from tfaas_core.notes import noted
from tfaas_core.predict.inference import InferenceResult
from tfaas_core.route import Response
from tfaas_core.tensors import Array
from tfaas_core.values.pieces import in_turn, joined_bytes
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.json_arrays import parts
from tfaas_plugins.protocols.oip.datatypes import is_plain, to_raw
from tfaas_plugins.protocols.oip.infer.answer_form import AnswerForm, OutputForm
from tfaas_plugins.protocols.oip.infer.requests import WantedOutput
from tfaas_plugins.protocols.small_arrays import small_written
from tfaas_plugins.protocols.template import Template, blanks_of

JSON_LENGTH = "Inference-Header-Content-Length"
"""The header that says how many bytes of a body are JSON."""

_BINARY = "application/octet-stream"
_DATA = b'"data":'


def infer_answer(
    result: InferenceResult,
    wanted: Sequence[WantedOutput],
    request_id: str | None,
    allowance: Allowance,
) -> Response:
    """The outputs as they are wanted. Raises BadBody if JSON cannot hold them.

    ``allowance``: of classes. Raises TooLarge if more are asked for.
    """
    form = noted(result.version, AnswerForm)
    texts = [form.begin(request_id)]
    comma = b""
    raws: list[bytes | memoryview] = []
    for each in wanted:
        output = form.outputs[each.name]
        array, datatype = _output(result, each, output, allowance)
        begin = output.begin(array.shape, are_classes=each.classes > 0)
        if each.binary:
            raws.append(raw := to_raw(array, datatype))
            texts += comma, begin, b'"parameters":{"binary_data_size":%d}}' % len(raw)
        else:
            texts += comma, begin, _DATA, *_data(each, array), b"}"
        comma = b","
    texts.append(b"]}")
    text = b"".join(texts)
    body = joined_bytes((text, *raws)) if raws else text
    if len(body) == len(text):
        return Response(text)
    return Response(body, media_type=_BINARY, headers={JSON_LENGTH: str(len(text))})


def infer_template(
    result: InferenceResult, wanted: Sequence[WantedOutput], answer: Response
) -> Template[Response] | None:
    """What ``answer`` has in common with others of such outputs; None: nothing that is sure."""
    if any(each.classes for each in wanted) or not wanted:
        return None
    form = noted(result.version, AnswerForm)
    datatypes = [form.outputs[each.name].datatype for each in wanted]
    if all(each.binary for each in wanted) and all(map(is_plain, datatypes)):
        text = answer.body[: int(answer.headers.get(JSON_LENGTH, 0))]
        make = partial(Response, media_type=_BINARY, headers=MappingProxyType(answer.headers))
        before = chain((text,), repeat(b"", len(wanted) - 1))
        return Template(blanks_of(result, before), b"", np.ndarray.tobytes, make)
    if any(each.binary for each in wanted):
        return None
    texts, begin = [], form.begin(None)
    for each in wanted:
        shape = result.outputs[each.name].shape
        texts.append(begin + form.outputs[each.name].begin(shape, are_classes=False) + _DATA)
        begin = b"},"
    return Template(blanks_of(result, texts), b"}]}", _small_written, Response)


def _small_written(array: Array) -> bytes | None:
    return small_written(array.reshape(-1))


def outputs_of(
    result: InferenceResult, wanted: Sequence[WantedOutput], allowance: Allowance
) -> Iterator[tuple[Array, str]]:
    """Each wanted output with its datatype, or its classes, if these are.

    Raises BadBody if it has none, and TooLarge for more classes than ``allowance`` has left.
    """
    forms = noted(result.version, AnswerForm).outputs
    for each in wanted:
        yield _output(result, each, forms[each.name], allowance)


def _output(
    result: InferenceResult, wanted: WantedOutput, form: OutputForm, allowance: Allowance
) -> tuple[Array, str]:
    array, datatype = result.outputs[wanted.name], form.datatype
    if not wanted.classes:
        return array, datatype
    labels = result.version.labels
    return _classified(array, wanted, form.is_batched, labels, allowance), "BYTES"


def _data(wanted: WantedOutput, array: Array) -> Iterable[bytes]:
    flat = array.reshape(-1)
    small = small_written(flat)
    if small is not None:
        return (small,)
    try:
        return list(parts(flat))
    except UnicodeDecodeError:
        raise BadBody(
            f"output {wanted.name!r} holds bytes that are no UTF-8, which JSON cannot hold; ask "
            "for it with the parameter 'binary_data'"
        ) from None


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
    for number, row in enumerate(in_turn(rows)):
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
