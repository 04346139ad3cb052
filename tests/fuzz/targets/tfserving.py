"""Bodies of TensorFlow Serving's REST API: refused, or answered as what Python's parser reads."""

from __future__ import annotations

import json

from tests.fuzz.asked_host import MODELS, asked_host, end
from tests.fuzz.dice import Dice
from tests.fuzz.documents import json_mutator

__all__ = ["check", "end", "mutate"]

_VERBS = ("predict", "predict", "classify", "regress")

mutate = json_mutator(
    *("instances", "inputs", "examples", "context", "signature_name", "serving_default"),
    *("x", "y", "b64", "NaN"),
    head_bytes=2,
)


def check(data: bytes) -> None:
    dice = Dice(data)
    model, number = dice.one_of(tuple(MODELS)), dice.number()
    body = dice.rest()
    path = f"/v1/models/{model}:{_VERBS[number % len(_VERBS)]}"
    answer = asked_host().answer(path, body, packed=number >= 1 << 7)
    if answer.status != 200:
        return
    json.loads(answer.body)
    try:
        again = json.dumps(json.loads(body)).encode()
    except ValueError:  # of Inf and -NaN, which it does not know
        return
    assert asked_host().answer(path, again).body == answer.body
