"""Logged requests: what TensorFlow Serving runs to warm a model up, as examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from tfaas_core.files.regular_file import open_regular
from tfaas_core.models.examples import MAX_EXAMPLES
from tfaas_core.texts.json_text import MAX_ITEMS
from tfaas_core.tools.served.logged_tensors import (
    UnusableTensor,
    json_of_examples,
    json_of_tensor,
)
from tfaas_core.tools.served.messages import MESSAGES
from tfaas_core.tools.served.tf_records import DamagedRecord, records_in
from tfaas_core.uploads.companions import MAX_WARMUP_BYTES

LOGGED_REQUESTS = Path("assets.extra") / "tf_serving_warmup_requests"
"""In the folder of a SavedModel."""

_MOST_READ_BYTES = 4 * MAX_WARMUP_BYTES
_MOST_RECORDS = 1000
_ROOM_FOR_THE_OBJECT = 64


class LoggedExample(msgspec.Struct, frozen=True):
    """An example of the codec ``json``, and the number of its record, from 1."""

    record: int
    document: dict[str, Any]


class LoggedExamples(msgspec.Struct):
    """The examples that were made, and a clause for each record that none was made of."""

    examples: list[LoggedExample]
    left_out: list[str]


def logged_examples(file: Path) -> LoggedExamples:
    """The examples of a file of logged requests, as many as a version carries.

    Blocks. Raises OSError.
    """
    found = LoggedExamples([], [])
    budget, read_bytes = _Budget(), 0
    with open_regular(file) as opened:
        for number, record in enumerate(records_in(opened, MAX_WARMUP_BYTES), 1):
            is_full = len(found.examples) == MAX_EXAMPLES
            if is_full or number > _MOST_RECORDS or read_bytes > _MOST_READ_BYTES:
                found.left_out.append(f"from number {number} on: there are more than are taken")
                break
            try:
                if isinstance(record, DamagedRecord):
                    read_bytes += record.read_bytes
                    raise record
                read_bytes += len(record)
                document = _document(record)
                budget.take(document)
                found.examples.append(LoggedExample(number, document))
            except (DamagedRecord, UnusableTensor) as error:
                found.left_out.append(f"number {number}: {error}")
    return found


class _Budget:
    """What a ``warmup.json`` still has room for."""

    def __init__(self) -> None:
        self._bytes = MAX_WARMUP_BYTES - _ROOM_FOR_THE_OBJECT
        self._items = MAX_ITEMS - _ROOM_FOR_THE_OBJECT

    def take(self, document: dict[str, Any]) -> None:
        body = msgspec.json.encode(document)
        size_bytes = len(body) + 1
        items = 1 + sum(map(body.count, (b"[", b"{", b",")))  # as read_json counts
        if size_bytes > self._bytes or items > self._items:
            raise UnusableTensor("the examples would be larger than a version may carry")
        self._bytes -= size_bytes
        self._items -= items


def _document(record: bytes) -> dict[str, Any]:
    try:
        log = MESSAGES["PredictionLog"].FromString(record)
    except DecodeError:
        raise UnusableTensor("it is no PredictionLog") from None
    if log.HasField("predict_log"):
        request = log.predict_log.request
        inputs = {each.key: _input(each) for each in request.inputs}
    elif log.HasField("classify_log") or log.HasField("regress_log"):
        logged = log.classify_log if log.HasField("classify_log") else log.regress_log
        request = logged.request
        inputs = {"inputs": json_of_examples(_serialized(request.input))}
    else:
        raise UnusableTensor("it is neither a predict, a classify nor a regress request")
    if not inputs:
        raise UnusableTensor("it has no inputs")
    document: dict[str, Any] = {"inputs": inputs}
    if request.model_spec.signature_name:
        document["signature_name"] = request.model_spec.signature_name
    return document


def _input(named: Any) -> Any:
    try:
        return json_of_tensor(named.value)
    except UnusableTensor as error:
        raise UnusableTensor(f"input {named.key[:140]!r}: {error}") from None


def _serialized(examples: Any) -> list[bytes]:
    if examples.HasField("example_list_with_context"):
        listed = examples.example_list_with_context
        # Of a feature that is in both, the last one wins.
        return [listed.context + example for example in listed.examples]
    return list(examples.example_list.examples)
