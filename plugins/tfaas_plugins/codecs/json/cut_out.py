"""Documents whose lists of numbers are cut out by compiled code; the rest is read by itself."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from tfaas_plugins.codecs.json import compiled
from tfaas_plugins.codecs.json.compiled import FoundLists, lists_at
from tfaas_plugins.codecs.json.dialect import Dialect
from tfaas_plugins.codecs.json.places import Places
from tfaas_plugins.codecs.values.number_lists import NumberLists, Path

_MARK = "\0"
"""Begins the string that is read in the place of lists. No other string begins with it in a body
without escapes; and within a string, that string would end too soon."""

_MOST_OTHERS = 64
"""Lists in which no numbers are found."""

_MOST_REST = 4
"""The part of a body that may be left."""


class _Otherwise(Exception):
    """Another way has to look at the body."""


class _Cut(msgspec.Struct, frozen=True):
    begin: int
    lists: FoundLists


def read_cut_out(body: bytes, places: Places, dialect: Dialect) -> dict[str, Any] | None:
    """The fields of a JSON object without escapes, with NumberLists in ``places``.

    None: another way has to look, which knows what else a body may be.
    """
    if compiled.built is None:
        return None
    try:
        cuts = _cuts(body)
        fields = dialect.value(_rest(body, cuts))
        return _Restored(body, cuts, places, dialect).fields(fields)
    except (_Otherwise, orjson.JSONDecodeError):
        return None


def _cuts(body: bytes) -> list[_Cut]:
    cuts: list[_Cut] = []
    others, at = 0, body.find(b"[")
    while at >= 0:
        lists = lists_at(body, at, len(body))
        if lists is None:
            others += 1
        else:
            cuts.append(_Cut(at, lists))
        if others + len(cuts) > _MOST_OTHERS:
            raise _Otherwise
        at = body.find(b"[", at + 1 if lists is None else lists.end)
    return cuts


def _rest(body: bytes, cuts: list[_Cut]) -> bytes:
    pieces, at = [], 0
    for number, cut in enumerate(cuts):
        pieces += [body[at : cut.begin], b'"\\u0000%d"' % number]
        at = cut.lists.end
    rest = b"".join((*pieces, body[at:]))
    if len(rest) * _MOST_REST > len(body):
        raise _Otherwise
    return rest


class _Restored:
    """Puts back what was cut out: as NumberLists in ``places``, and as lists elsewhere."""

    def __init__(self, body: bytes, cuts: list[_Cut], places: Places, dialect: Dialect) -> None:
        self._body = body
        self._cuts = cuts
        self._places = places
        self._dialect = dialect
        self._left = len(cuts)

    def fields(self, found: Any) -> dict[str, Any]:
        """Raises _Otherwise, also if a field was sent twice."""
        if type(found) is not dict:
            raise _Otherwise
        fields: dict[str, Any] = self._at((), found)
        if self._left:
            raise _Otherwise
        return fields

    def _at(self, path: Path, value: Any) -> Any:
        if type(value) is str and value.startswith(_MARK):
            self._left -= 1
            return self._lists(path, self._cuts[int(value[1:])])
        if type(value) is dict:
            return {name: self._at((*path, name), each) for name, each in value.items()}
        if type(value) is list:
            if self._places.has(path) and not self._has_objects(path, value):
                raise _Otherwise
            return [self._at((*path, place), each) for place, each in enumerate(value)]
        return value

    def _has_objects(self, path: Path, value: list[Any]) -> bool:
        return self._places.has_within(path) and type(value[0]) is dict if value else False

    def _lists(self, path: Path, cut: _Cut) -> Any:
        lists = cut.lists
        if self._places.has(path):
            return NumberLists(lists.whole(), self._body, path, self._dialect.value)
        if self._places.has_within(path):
            raise _Otherwise
        return orjson.loads(self._body[cut.begin : lists.end])
