"""Likeness: whether a document is the one that was expected."""

from __future__ import annotations

import math
from typing import Any

from tfaas_core.testing.conformance.words import brief

_RELATIVE = 1e-6
"""Of float32, whose answers may be written in several ways."""


class Near(float):
    """A number that has to be met exactly, as float64 is."""


def difference(expected: Any, got: Any, is_subset: bool = False, at: str = "") -> str:
    """Where ``got`` first is another than ``expected``, and what it is there; "" if nowhere.

    Floats may differ in the seventh digit, and whole numbers may stand for them, but no float for a
    whole number. ``is_subset``: objects of ``got`` may have further keys.
    """
    if isinstance(expected, dict):
        return _of_objects(expected, got, is_subset, at)
    if isinstance(expected, list):
        return _of_lists(expected, got, is_subset, at)
    return "" if _is_like(expected, got) else _found(got, at)


def _found(got: Any, at: str) -> str:
    return f"{brief(got)} at {at}" if at else brief(got)


def _of_objects(expected: dict[str, Any], got: Any, is_subset: bool, at: str) -> str:
    if not isinstance(got, dict):
        return _found(got, at)
    missing = [key for key in expected if key not in got]
    extra = [key for key in got if key not in expected and not is_subset]
    if missing or extra:
        return f"no {missing[0]!r} in {_found(got, at)}" if missing else _found(got, at)
    parts = (difference(e, got[key], is_subset, f"{at}.{key}") for key, e in expected.items())
    return next(filter(None, parts), "")


def _of_lists(expected: list[Any], got: Any, is_subset: bool, at: str) -> str:
    if not isinstance(got, list) or len(got) != len(expected):
        return _found(got, at)
    pairs = enumerate(zip(expected, got, strict=True))
    parts = (difference(e, g, is_subset, f"{at}[{i}]") for i, (e, g) in pairs)
    return next(filter(None, parts), "")


def _is_like(expected: Any, got: Any) -> bool:
    if not isinstance(expected, float):
        return type(expected) is type(got) and bool(expected == got)
    if isinstance(got, bool) or not isinstance(got, (int, float)):
        return False
    try:
        number = float(got)
    except OverflowError:
        return False
    if math.isnan(expected):
        return math.isnan(number)
    tolerance = 0.0 if isinstance(expected, Near) else _RELATIVE
    return math.isclose(expected, number, rel_tol=tolerance)
