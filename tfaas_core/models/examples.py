"""Examples: inputs that a version carries, and the outputs that they must have."""

from __future__ import annotations

import difflib
import math
from typing import Any

import msgspec

from tfaas_core.errors import DoesNotFit, TfaasError, TooLarge
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.params import MAX_DEPTH, Params, WarmUpRuns, is_deeper
from tfaas_core.texts.json_text import read_json
from tfaas_core.texts.spelling import printable

WARMUP = "warmup"
PARAMS_EXAMPLE = "params.example"
"""Where examples come from, as messages name it: a bundle's ``warmup.json``, and the params."""

MAX_EXAMPLES = 100
"""Of one document."""

DEFAULT_TOLERANCE = 1e-4

_OF_THE_REQUEST = ("model", "version", "label")


class Example(msgspec.Struct, frozen=True):
    """One example. ``where`` names it, like ``warmup.examples[2]``.

    ``document`` is one of the codec ``json``; ``outputs`` are in the shape of its answer, None for
    whatever comes.
    """

    where: str
    document: dict[str, Any]
    outputs: Any
    tolerance: float


def parse_warmup(body: bytes) -> dict[str, Any]:
    """Reads a ``warmup.json``; a bare list becomes the object with ``examples``.

    Raises BadBody if it is not JSON, and what ``read_examples`` raises.
    """
    document = read_json(body, f"{WARMUP}.json", field=WARMUP)
    if isinstance(document, list):
        document = {"examples": document}
    if not isinstance(document, dict):
        raise _wrong(WARMUP, document, _EXPECTED)
    read_examples(document, WARMUP)
    return document


def read_examples(document: Any, where: str) -> list[Example]:
    """The examples of a document: the object with ``examples``, a list of them, or one; None: none.

    ``where`` is WARMUP or PARAMS_EXAMPLE. Raises DoesNotFit if it says something else, with what
    and where, and TooLarge if there are more than MAX_EXAMPLES.
    """
    if document is None:
        return []
    if is_deeper(document, MAX_DEPTH):
        raise DoesNotFit(f"{where} is nested more than {MAX_DEPTH} deep", field=where)
    tolerance = DEFAULT_TOLERANCE
    if isinstance(document, dict) and "examples" in document:
        _check_fields(document, where)
        tolerance = _tolerance(document, where, tolerance)
        document, where = document["examples"], f"{where}.examples"
        if not isinstance(document, list):
            raise _wrong(where, document, "a list of objects")
    if not isinstance(document, list):
        return [_example(document, where, tolerance)]
    if len(document) > MAX_EXAMPLES:
        raise TooLarge(
            f"{where} has {len(document)} examples, {MAX_EXAMPLES} are allowed",
            field=where,
            expected=MAX_EXAMPLES,
            got=len(document),
        )
    return [_example(each, f"{where}[{i}]", tolerance) for i, each in enumerate(document)]


def examples_of(version: ModelVersion) -> list[Example]:
    """All examples that a version carries; raises as ``read_examples`` does."""
    return examples_in(version.warmup, version.params)


def examples_in(warmup: dict[str, Any] | None, params: dict[str, Any]) -> list[Example]:
    """All examples of a ``warmup.json`` and a ``params.json``; raises as ``read_examples`` does."""
    return [
        *read_examples(warmup, WARMUP),
        *read_examples(params.get("example"), PARAMS_EXAMPLE),
    ]


def examples_to_run(version: ModelVersion) -> list[Example]:
    """Those that warm it up: all, unless its params want nothing run. Raises as ``examples_of``."""
    examples = examples_of(version)
    return [] if Params.of(version.params).warmup is WarmUpRuns.NONE else examples


def _example(fields: Any, where: str, tolerance: float) -> Example:
    if not isinstance(fields, dict):
        raise _wrong(where, fields, _EXPECTED)
    _check_own_fields(fields, where)
    outputs = fields.get("outputs")
    if not isinstance(outputs, list | dict | None):
        expected = "what the model answers: a list, or an object with a list for each output"
        raise _wrong(f"{where}.outputs", outputs, expected)
    rest = {name: value for name, value in fields.items() if name not in ("outputs", "tolerance")}
    return Example(where, rest, outputs, _tolerance(fields, where, tolerance))


def _check_fields(document: dict[str, Any], where: str) -> None:
    for name in document:
        if name not in ("examples", "tolerance"):
            field = _place(where, name)
            raise DoesNotFit(f"{field} is unknown; there are: examples, tolerance", field=field)


def _check_own_fields(fields: dict[str, Any], where: str) -> None:
    for name in fields:
        field = _place(where, name)
        if name in _OF_THE_REQUEST:
            raise DoesNotFit(
                f"{field} is not for an example, which is of the version that it comes with; "
                "leave it out",
                field=field,
            )
        # Other fields are ignored, as in a request; but these would be missed.
        near = difflib.get_close_matches(name, ("outputs", "tolerance"), n=1, cutoff=0.8)
        if near and near[0] != name:
            raise DoesNotFit(f"{field} is unknown; did you mean {near[0]}?", field=field)


def _place(where: str, name: str) -> str:
    return f"{where}.{printable(name[:40])}"


def _tolerance(fields: dict[str, Any], where: str, default: float) -> float:
    value = fields.get("tolerance")
    if value is None:
        return default
    field = f"{where}.tolerance"
    if not _is_number(value):
        raise _wrong(field, value, "a number")
    if value < 0:
        raise DoesNotFit(f"{field} is {value}, it cannot be negative", field=field, got=value)
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_EXPECTED = 'an example, an object like {"values": [1, 2], "outputs": [3]}'


def _wrong(where: str, value: Any, expected: str) -> TfaasError:
    got = _kind(value)
    return DoesNotFit(f"{where} is {got}, send {expected}", field=where, got=got)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"
