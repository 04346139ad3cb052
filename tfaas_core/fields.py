"""Fields: names with their values, in the order they were sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar, overload

T = TypeVar("T")


class Fields(Mapping[str, str]):
    """The fields of a query. A name may be repeated: a plain look-up gives its first value.

    It never changes.
    """

    __slots__ = ("_first", "_pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs = tuple((self._key(name), value) for name, value in pairs)
        self._first: dict[str, str] = {}
        for name, value in self._pairs:
            self._first.setdefault(name, value)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every name with its value, repeated ones too, in order."""
        return self._pairs

    def all(self, name: str) -> tuple[str, ...]:
        """All values of a name, in order; none if it was not sent."""
        key = self._key(name)
        return tuple(value for other, value in self._pairs if other == key)

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, /, default: str | T) -> str | T: ...
    def get(self, name: str, /, default: str | T | None = None) -> str | T | None:
        return self._first.get(self._key(name), default)

    def __getitem__(self, name: str) -> str:
        return self._first[self._key(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._first)

    def __len__(self) -> int:
        return len(self._first)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self._pairs)!r})"

    @staticmethod
    def _key(name: str) -> str:
        return name


class Headers(Fields):
    """The headers of a request. Names are kept in lower case, and looked up in any."""

    __slots__ = ()

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, /, default: str | T) -> str | T: ...
    def get(self, name: str, /, default: str | T | None = None) -> str | T | None:
        # Most names come in lower case, and every request is looked into.
        found = self._first.get(name)
        return self._first.get(name.lower(), default) if found is None else found

    @staticmethod
    def _key(name: str) -> str:
        return name.lower()
