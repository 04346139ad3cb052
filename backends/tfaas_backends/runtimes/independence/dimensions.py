"""Sizes of axes, known or not: a number times symbols."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import NamedTuple

_ROWS = "rows"
_UNKNOWN = "?"
_LONGEST = 200


class Dimension(NamedTuple):
    """``coefficient`` times the product of ``symbols``, which are sorted.

    A symbol is the number of rows, a size that a request chooses, or a term over such sizes. All
    but the first are the same for all requests that share a run. Equal symbols mean equal sizes,
    but for the symbol of an unknown size, which may stand for another one each time.
    """

    coefficient: int
    symbols: tuple[str, ...] = ()


ZERO = Dimension(0)
ONE = Dimension(1)
ROWS = Dimension(1, (_ROWS,))
"""The number of rows of a run."""
UNKNOWN = Dimension(1, (_UNKNOWN,))
"""A size of which only one thing is known: it does not depend on the rows."""

Shape = tuple[Dimension, ...]


def chosen(name: str) -> Dimension:
    """A size that a request chooses."""
    return Dimension(1, (name,))


def of_rows(dimension: Dimension) -> bool:
    """Whether the size depends on the number of rows."""
    return _ROWS in dimension.symbols


def is_unknown(dimension: Dimension) -> bool:
    return _UNKNOWN in dimension.symbols


def same(one: Dimension, other: Dimension) -> bool:
    """Whether the two are certainly equal."""
    return one == other and _UNKNOWN not in one.symbols


def number(dimension: Dimension | None) -> int | None:
    """The size, if it is a plain number."""
    return dimension.coefficient if dimension is not None and not dimension.symbols else None


def times(one: Dimension, other: Dimension) -> Dimension:
    coefficient = one.coefficient * other.coefficient
    if not coefficient:
        return ZERO
    if not one.symbols or not other.symbols:
        return Dimension(coefficient, one.symbols or other.symbols)
    return Dimension(coefficient, tuple(sorted(one.symbols + other.symbols)))


def product(dimensions: Iterable[Dimension]) -> Dimension:
    return reduce(times, dimensions, ONE)


def over(one: Dimension, other: Dimension) -> Dimension | None:
    """``one`` divided by ``other``, if it is certain that nothing remains."""
    if not other.coefficient or one.coefficient % other.coefficient:
        return None
    left = list(one.symbols)
    for symbol in other.symbols:
        if symbol not in left or symbol == _UNKNOWN:
            return None
        left.remove(symbol)
    return Dimension(one.coefficient // other.coefficient, tuple(left))


def plus(one: Dimension, other: Dimension) -> Dimension | None:
    """The sum of two sizes; None: it depends on the rows in a way that has no name."""
    if one.symbols == other.symbols and not is_unknown(one):
        coefficient = one.coefficient + other.coefficient
        return Dimension(coefficient, one.symbols) if coefficient else ZERO
    if not one.coefficient or not other.coefficient:
        return one if one.coefficient else other
    if of_rows(one) or of_rows(other):
        return None
    return term("plus", *sorted((one, other)))


def term(name: str, *parts: Dimension | int | str) -> Dimension:
    """A size that ``name`` computes of ``parts``, none of which depends on the rows."""
    text = f"{name}({','.join(map(_text, parts))})"
    if _UNKNOWN in text or len(text) > _LONGEST:
        return UNKNOWN
    return Dimension(1, (text,))


def _text(part: Dimension | int | str) -> str:
    if isinstance(part, Dimension):
        return "*".join((str(part.coefficient), *part.symbols))
    return str(part)
