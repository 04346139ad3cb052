"""Bodies of the Open Inference Protocol: refused, or what they hold is answered.

The first byte that is 0xff, which no UTF-8 has, stands between the JSON and the binary tensors.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tests.fuzz.asked_host import MODELS, asked_host, end
from tests.fuzz.dice import Dice
from tests.fuzz.documents import document_mutator
from tfaas_core.route import Response

__all__ = ["check", "end", "mutate"]

_BEHIND = b"\xff"
_LENGTH = "Inference-Header-Content-Length"
_NO_HEADER, _PACKED, _ACCEPTS, _RAW = 1, 2, 4, 8


def _decoded(body: bytes) -> list[Any]:
    text, _, tail = body.partition(_BEHIND)
    return [msgspec.json.decode(text), tail]


def _encoded(parts: list[Any]) -> bytes:
    document, tail = parts
    return msgspec.json.encode(document) + (_BEHIND + tail if tail else b"")


mutate = document_mutator(
    (
        *("inputs", "outputs", "parameters", "name", "datatype", "shape", "data", "id", "x", "y"),
        *("of_x", "of_y", "binary_data_size", "binary_data", "binary_data_output", "timeout"),
        *("classification", "signature_name", "FP32", "INT64", "UINT8", "BOOL", "FP16", "BYTES"),
    ),
    2,
    _decoded,
    _encoded,
)


def check(data: bytes) -> None:
    dice = Dice(data)
    path = f"/v2/models/{dice.one_of(tuple(MODELS))}/infer"
    flags = dice.number()
    text, _, tail = dice.rest().partition(_BEHIND)
    headers = {} if flags & _NO_HEADER else {_LENGTH: str(len(text))}
    if flags & _RAW:
        headers[_LENGTH] = "0"
    if flags & _ACCEPTS:
        headers["Accept-Encoding"] = "gzip;q=1, deflate"
    answer = asked_host().answer(path, text + tail, headers, bool(flags & _PACKED))
    if answer.status != 200 or flags & (_ACCEPTS | _RAW):
        return
    document = _document(answer)
    try:
        again = json.dumps(json.loads(text)).encode()
    except ValueError:  # of Inf and -NaN, which it does not know
        return
    other = asked_host().answer(path, again + tail, {_LENGTH: str(len(again))})
    assert (_document(other), other.body) == (document, answer.body)


def _document(answer: Response) -> Any:
    """The answer's JSON; its binary tensors have the sizes that it tells."""
    length = int(answer.headers.get(_LENGTH, len(answer.body)))
    document = json.loads(answer.body[:length])
    sizes = [
        output.get("parameters", {}).get("binary_data_size", 0) for output in document["outputs"]
    ]
    assert sum(sizes) == len(answer.body) - length
    return json.dumps(document)
