"""Mismatch: where an answer is not the one that was expected, both as JSON has them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

_SHOWN_CHARACTERS = 60


class Mismatch(msgspec.Struct, frozen=True):
    """The first difference.

    ``index`` is the place in the output of two values, short ones or the beginning of their JSON.
    If it is empty, the form differs, and ``expected`` and ``got`` are words. ``output`` is empty
    if the outputs are others.
    """

    output: str
    index: tuple[int, ...]
    expected: Any
    got: Any

    def __str__(self) -> str:
        if not self.output:
            return f"the answer: expected {self.expected}, got {self.got}"
        if not self.index:
            return f"output {self.output!r}: expected {self.expected}, got {self.got}"
        expected, got = _json(self.expected), _json(self.got)
        return f"output {self.output!r} at {list(self.index)}: expected {expected}, got {got}"


def mismatch(expected: Any, got: Any, outputs: Sequence[str], tolerance: float) -> Mismatch | None:
    """Where ``got``, an answer of the codec ``json``, is not ``expected``; None: nowhere.

    ``outputs`` are the names of the model's outputs: one is answered alone, several by name.
    Numbers may differ by ``tolerance * max(1, |expected|)``. None, which stands for NaN and the
    infinities, equals None only; all else must be equal, and of the same shape.
    """
    if len(outputs) == 1:
        return _of_output(outputs[0], expected, got, tolerance)
    if not isinstance(expected, dict) or expected.keys() != got.keys():
        return Mismatch("", (), _form(expected), _form(got))
    for name in outputs:
        found = _of_output(name, expected[name], got[name], tolerance)
        if found is not None:
            return found
    return None


def _of_output(name: str, expected: Any, got: Any, tolerance: float) -> Mismatch | None:
    if not isinstance(expected, list) or _shape(expected) != _shape(got):
        return Mismatch(name, (), _form(expected), _form(got))
    return _of_values(name, (), expected, got, tolerance)


def _of_values(
    name: str, index: tuple[int, ...], expected: Any, got: Any, tolerance: float
) -> Mismatch | None:
    """The first difference of two values of the same shape."""
    if not isinstance(expected, list):
        if _is_same(expected, got, tolerance):
            return None
        return Mismatch(name, index, _short(expected), _short(got))
    for place, pair in enumerate(zip(expected, got, strict=True)):
        found = _of_values(name, (*index, place), *pair, tolerance)
        if found is not None:
            return found
    return None


def _is_same(expected: Any, got: Any, tolerance: float) -> bool:
    if not (_is_number(expected) and _is_number(got)):
        return type(expected) is type(got) and bool(expected == got)
    try:
        return bool(abs(got - expected) <= tolerance * max(1, abs(expected)))
    except OverflowError:  # an integer beyond all floats
        return bool(expected == got)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shape(value: Any) -> tuple[int, ...] | None:
    """The sizes of nested lists; None if they are ragged."""
    if not isinstance(value, list):
        return ()
    inner = {_shape(child) for child in value} or {()}
    first = inner.pop()
    return None if inner or first is None else (len(value), *first)


def _form(value: Any) -> str:
    if value == {}:
        return "an empty object"
    if isinstance(value, dict):
        return f"an object of {', '.join(map(repr, value))}"[:500]
    if not isinstance(value, list):
        return _json(_short(value))
    shape = _shape(value)
    return "ragged lists" if shape is None else f"shape {list(shape)}"


def _short(value: Any) -> Any:
    text = _json(value)
    return value if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
