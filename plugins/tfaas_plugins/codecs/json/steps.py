"""Steps: JSON of megabytes, read a part at a time.

A call that reads millions of values lets nothing else run, not even in another thread. So the text
is cut at commas: a part that holds whole members of one list or object is read as such a list or
object, and these are put together. What is longer than a part is gone into.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from typing import Any

import orjson

from tfaas_plugins.codecs.json.dialect import STANDARD, Dialect
from tfaas_plugins.codecs.json.long_string import read_string
from tfaas_plugins.codecs.json.members import (
    ListMembers,
    Members,
    NoNumbers,
    NumberMembers,
    ObjectMembers,
)
from tfaas_plugins.codecs.json.places import NOWHERE, Places
from tfaas_plugins.codecs.values.number_lists import NumberLists, Path

LONG_BYTES = 1 << 20
"""A text of no more is read at once."""

PART_BYTES = 1 << 18
"""Of text that is read in one step."""

_LONGEST_NUMBER = 1 << 18
"""In bytes. What is longer would hold up others, and is a number of nobody's."""

_DEEPEST = 1024
"""How deep orjson reads."""

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'


def _item(deepest: int) -> bytes:
    """A string, or a list or object in which no other is nested ``deepest`` deep."""
    inner = b"|" + _item(deepest - 1) if deepest else b""
    return rb"%b|[\[{](?:[^\"\[\]{}]++|%b%b)*+[\]}]" % (_STRING, _STRING, inner)


_ITEM = _item(3)
_MEMBERS = re.compile(
    # Members with a comma behind each, and the last ones, if the list or object ends.
    rb'(?>[^"\[\]{}]*,|[^"\[\]{}]*+(?:(?:%b)[^"\[\]{},]*+)++,)*+' % _ITEM
    + rb'(?:(?:[^"\[\]{}]++|%b)*+[\]}])?' % _ITEM,
    re.DOTALL,
)
_SPACES = re.compile(rb"[ \t\n\r]++")
_SCALAR = re.compile(rb'[^"\[\]{},: \t\n\r]++')


class _Other(Exception):
    """It is no JSON from the byte ``at`` on, if ``before`` stands before it."""

    def __init__(self, before: bytes, at: int) -> None:
        super().__init__(at)
        self.before = before
        self.at = at


def loaded(body: bytes, dialect: Dialect = STANDARD) -> Any:
    """The value that ``body`` spells, in steps if it is long. Raises orjson.JSONDecodeError."""
    return dialect.value(body) if len(body) <= LONG_BYTES else read_in_steps(body, dialect)


def read_in_steps(
    body: bytes,
    dialect: Dialect = STANDARD,
    numbers: Places = NOWHERE,
    part_bytes: int = PART_BYTES,
) -> Any:
    """The value that ``body`` spells, with NumberLists for long lists in the places ``numbers``.

    Raises orjson.JSONDecodeError, with its place in ``body``, if the words of ``dialect`` are as
    long as what is read for them.
    """
    try:
        try:
            return _Reader(body, dialect, numbers, part_bytes).read()
        except NoNumbers:
            return _Reader(body, dialect, NOWHERE, part_bytes).read()
    except _Other as other:
        return _refused(body, dialect, other)


def _refused(body: bytes, dialect: Dialect, other: _Other) -> Any:
    """Raises what is wrong with the body, in the words that orjson has for the whole of it."""
    try:
        dialect.value(other.before + body[other.at :])
    except orjson.JSONDecodeError as error:
        # That of a text that is no UTF-8 is 0.
        place = error.pos - len(other.before)
        at = len(body[: other.at].decode()) + place if error.pos else 0
        raise orjson.JSONDecodeError(error.msg, body.decode(errors="replace"), at) from None
    return dialect.value(body)


class _Root(ListMembers):
    """The body itself, as the one member of a list that has no brackets."""

    bracket, end = b"", b"nothing"


class _Reader:
    """Reads one body, once."""

    def __init__(self, body: bytes, dialect: Dialect, numbers: Places, part_bytes: int) -> None:
        self._body = body
        self._dialect = dialect
        self._numbers = numbers
        self._part_bytes = part_bytes
        self._root = _Root(())
        self._open: list[tuple[str, Members]] = [("", self._root)]
        """What has not ended, the innermost last; each with its key in the one before."""

    def read(self) -> Any:
        """The value. Raises _Other and NoNumbers."""
        at = self._one_member(0)
        while len(self._open) > 1:
            at = self._members(at)
        if self._after_spaces(at) != len(self._body):
            raise _Other(b"0 ", at)
        return self._root.value()[0]

    # Each gets where to begin, and returns where what follows begins.

    def _members(self, at: int) -> int:
        """As many as a part holds, or else the next one."""
        members = self._open[-1][1]
        found = _MEMBERS.match(self._body, at, at + self._part_bytes)
        if found is None or found.end() == at:
            return self._one_member(at)
        try:
            members.read(found[0], self._dialect)
        except orjson.JSONDecodeError:
            raise self._other(at) from None
        members.has_some = True
        if found[0][-1:] == b",":
            return found.end()
        self._end()
        return self._behind_member(found.end())

    def _one_member(self, start: int) -> int:
        """One that no part holds: it is gone into, unless it is a string or a number."""
        members, at, key = self._open[-1][1], self._after_spaces(start), ""
        if self._byte(at) == members.end and not members.has_some:
            self._end()
            return self._behind_member(at + 1)
        if isinstance(members, ObjectMembers):
            key, at = self._key(start, at)
        match self._byte(at):
            case b"[" | b"{":
                self._begin(start, self._byte(at), key)
                return at + 1
            case b'"':
                value, at = self._string(start, at)
            case _:
                value, at = self._scalar(start, at)
        members.add(key, value)
        return self._behind_member(at)

    def _behind_member(self, at: int) -> int:
        """A comma, or the ends of lists and objects, and what is behind these."""
        while True:
            members = self._open[-1][1]
            members.has_some = True
            if members is self._root:
                return at
            place = self._after_spaces(at)
            if self._byte(place) == b",":
                return place + 1
            if self._byte(place) != members.end:
                raise self._other(at, is_behind_member=True)
            self._end()
            at = place + 1

    def _after_spaces(self, at: int) -> int:
        while found := _SPACES.match(self._body, at, at + self._part_bytes):
            at = found.end()
        return at

    def _byte(self, at: int) -> bytes:
        return self._body[at : at + 1]

    # These get where the member begins, too.

    def _key(self, start: int, at: int) -> tuple[str, int]:
        key, at = self._string(start, at)
        at = self._after_spaces(at)
        if self._byte(at) != b":":
            raise self._other(start)
        return key, self._after_spaces(at + 1)

    def _string(self, start: int, at: int) -> tuple[str, int]:
        found = None
        if self._byte(at) == b'"':
            with suppress(orjson.JSONDecodeError):
                found = read_string(self._body, at, self._part_bytes)
        if found is None:
            raise self._other(start)
        return found

    def _scalar(self, start: int, at: int) -> tuple[Any, int]:
        end = at
        while found := _SCALAR.match(self._body, end, end + self._part_bytes):
            end = found.end()
        if end - at > _LONGEST_NUMBER:
            raise orjson.JSONDecodeError(f"a number of {end - at} digits is too long", "", at)
        try:
            if end > at:
                return self._dialect.value(self._body[at:end]), end
        except orjson.JSONDecodeError:
            pass
        raise self._other(start)

    # What has not ended.

    def _begin(self, start: int, bracket: bytes, key: str) -> None:
        outer = self._open[-1][1]
        if len(self._open) > _DEEPEST:
            raise self._other(start)
        path = outer.path
        if outer is not self._root:
            path = (*path, len(outer) if isinstance(outer, ListMembers) else key)
        self._open.append((key, self._new(bracket, path, outer)))

    def _new(self, bracket: bytes, path: Path, outer: Members) -> Members:
        if bracket == b"{":
            return ObjectMembers(path)
        is_numbers = isinstance(outer, NumberMembers) or self._numbers.has(path)
        return NumberMembers(path) if is_numbers else ListMembers(path)

    def _end(self) -> None:
        key, members = self._open.pop()
        outer, value = self._open[-1][1], members.value()
        if isinstance(members, NumberMembers) and not isinstance(outer, NumberMembers):
            again = partial(loaded, dialect=self._dialect)
            value = NumberLists(value, self._body, members.path, again)
        outer.add(key, value)

    def _other(self, at: int, is_behind_member: bool = False) -> _Other:
        outer = [b'{"":' if isinstance(each, ObjectMembers) else b"[" for _, each in self._open]
        members = self._open[-1][1]
        before = members.before
        if is_behind_member:
            before = before.removesuffix(b",") + b" "
        return _Other(b"".join((*outer[1:-1], before)), at)
