"""What the OpenAPI document says of TensorFlow Serving's REST API."""

from __future__ import annotations

from collections.abc import Mapping

from tfaas_core.operation import OBJECT, Operation, object_of

_TYPES = ("application/json",)
_ROWS = object_of(signature_name="string")
_EXAMPLES = object_of(("examples",), examples="array", signature_name="string")

_LOOKS = {"": "the states of a model", "/metadata": "what a model takes and gives"}
_ASKS = {
    "predict": ("predicts, of instances or inputs", _ROWS),
    "classify": ("classifies examples", _EXAMPLES),
    "regress": ("estimates a number for each example", _EXAMPLES),
}
_MODELS = (
    "models/{name}",
    "models/{name}/versions/{version}",
    "models/{name}/labels/{label}",
)


def _looks() -> Mapping[str, Operation]:
    return {
        f"{model}{what}": Operation(summary, answer=OBJECT)
        for model in _MODELS
        for what, summary in _LOOKS.items()
    }


def _asks() -> Mapping[str, Operation]:
    return {
        f"{model}:{verb}": Operation(summary, _TYPES, body, answer=OBJECT, statuses=(412, 501))
        for model in _MODELS
        for verb, (summary, body) in _ASKS.items()
    }


MODELS = Operation("lists the names of models", answer=OBJECT)
GET = Operation("TensorFlow Serving's REST API", below=_looks())
POST = Operation("TensorFlow Serving's REST API", below=_asks())
