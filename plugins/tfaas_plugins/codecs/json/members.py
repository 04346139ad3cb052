"""Members: what was read so far of a list or an object that is read in steps."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from tfaas_core.tensors import Array
from tfaas_plugins.codecs.json.dialect import Dialect
from tfaas_plugins.codecs.json.numbers import array_in
from tfaas_plugins.codecs.values.number_lists import Path

_NOBODYS_KEY = os.urandom(12).hex()


class NoNumbers(Exception):
    """There are other things in a list than numbers, or lists of different lengths."""


class Members(ABC):
    """Those of the list or object at ``path``."""

    bracket: ClassVar[bytes]
    end: ClassVar[bytes]
    filler: ClassVar[bytes]
    """A member that stands for those that were there before, or that are still to come."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.has_some = False

    @property
    def before(self) -> bytes:
        """What stands for all before the next member."""
        return self.bracket + self.filler + b"," if self.has_some else self.bracket

    def whole(self, text: bytes) -> bytes:
        """``text``, as ``read`` takes it, with all before and behind it that it lacks."""
        behind = b"" if text[-1:] in b"]}" else self.filler + self.end
        return b"".join((self.before, text, behind))

    @abstractmethod
    def read(self, text: bytes, dialect: Dialect) -> None:
        """``text`` is members, with the comma behind them, or the bracket that ends all.

        Raises orjson.JSONDecodeError, and NoNumbers.
        """

    @abstractmethod
    def add(self, key: str, value: Any) -> None:
        """The next member; ``key`` is that of an object's. Raises NoNumbers."""

    @abstractmethod
    def value(self) -> Any:
        """All of them."""


class ListMembers(Members):
    """Those of a list, of anything."""

    bracket, end, filler = b"[", b"]", b"0"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._items: list[Any] = []

    def __len__(self) -> int:
        return len(self._items)

    def read(self, text: bytes, dialect: Dialect) -> None:
        found = dialect.value(self.whole(text))
        stop = len(found) if text[-1:] in b"]}" else -1
        self._items += found[self.has_some : stop]

    def add(self, key: str, value: Any) -> None:
        self._items.append(value)

    def value(self) -> list[Any]:
        return self._items


class ObjectMembers(Members):
    """Those of an object."""

    bracket, end, filler = b"{", b"}", b'"%b":0' % _NOBODYS_KEY.encode()

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._fields: dict[str, Any] = {}

    def read(self, text: bytes, dialect: Dialect) -> None:
        found = dialect.value(self.whole(text))
        found.pop(_NOBODYS_KEY, None)
        self._fields.update(found)

    def add(self, key: str, value: Any) -> None:
        self._fields[key] = value

    def value(self) -> dict[str, Any]:
        return self._fields


class NumberMembers(Members):
    """Those of a list: numbers, or lists of them that are equally long at each level."""

    bracket, end, filler = b"[", b"]", b"0"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._parts: list[Array] = []

    def read(self, text: bytes, dialect: Dialect) -> None:
        found = None if text[-1:] == b"}" else array_in(b"[%b]" % text[:-1], dialect)
        if found is None:
            raise NoNumbers
        self._append(found)

    def add(self, key: str, value: Any) -> None:
        if not isinstance(value, np.ndarray):
            raise NoNumbers
        self._append(value[np.newaxis])

    def _append(self, part: Array) -> None:
        if self._parts and part.shape[1:] != self._parts[0].shape[1:]:
            raise NoNumbers
        self._parts.append(part)

    def value(self) -> Array:
        """int64 if all of them are integers of that range, else float64. Raises NoNumbers."""
        if not self._parts:
            raise NoNumbers
        return np.concatenate(self._parts)
