"""Pattern: the path of a route, with fields, and which of two matches first.

==================  ====================================================================
in a path           matches
==================  ====================================================================
text                itself, byte by byte: no percent-encoding is decoded
``{name}``          one byte or more, but no ``/``; the value is then decoded
``{a}-{b}.csv``     several, told apart by text; each but the last takes as little as it can
``{rest...}``       the rest of the path, one byte or more, ``/`` too; the last part alone
==================  ====================================================================

Slashes at the end of a request's path are ignored, except by ``{rest...}``.

Patterns are compared part by part, from the left: text is before fields, more text before less,
``{rest...}`` last.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from urllib.parse import unquote_to_bytes

import msgspec

from tfaas_core.errors import HttpRefused

_FIELD = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TEXT = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@-]*")
_REST = "..."
_KINDS = _LITERAL, _MIXED, _REMAINDER = range(3)
_ANY: None = None


class PathPart(msgspec.Struct, frozen=True):
    """What stands between two slashes: ``texts``, with a field between each two of them."""

    texts: tuple[str, ...]
    names: tuple[str, ...] = ()
    is_rest: bool = False

    @property
    def order(self) -> tuple[int, int]:
        """The smaller one matches first."""
        if self.is_rest:
            return _REMAINDER, 0
        if self.names:
            return _MIXED, -sum(map(len, self.texts))
        return _LITERAL, 0

    @property
    def regex(self) -> str:
        if self.is_rest:
            return "(.+)"
        first, *texts = map(re.escape, self.texts)
        # Atomic, so that no path takes longer than its length.
        early = "".join(rf"(?>([^/]+?){text})" for text in texts[:-1])
        last = f"([^/]+){texts[-1]}" if texts and texts[-1] else "([^/]++)" if texts else ""
        return first + early + last


class Pattern(msgspec.Struct, frozen=True):
    """A path that was read. Make one by ``Pattern.of``."""

    path: str
    parts: tuple[PathPart, ...]

    order: tuple[tuple[int, int], ...]
    """Of patterns that match the same path, the one with the smallest order is to be asked."""

    shape: tuple[tuple[tuple[str, ...], bool], ...]
    """Equal for patterns that differ in the names of their fields alone."""

    @classmethod
    def of(cls, path: str) -> Pattern:
        """Raises ValueError, with a clause about ``path``, if that is no pattern."""
        if not isinstance(path, str) or not path.startswith("/"):
            raise ValueError("expected a path that starts with /")
        return cls._of(path)

    @classmethod
    @lru_cache(1024)
    def _of(cls, path: str) -> Pattern:
        parts = tuple(map(_part, path.rstrip("/").split("/")[1:]))
        if any(part.is_rest for part in parts[:-1]):
            raise ValueError("whose field {name...}, which takes the rest of a path, is not last")
        names = [name for part in parts for name in part.names]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"which has the field {{{min(twice)}}} twice")
        order = tuple(part.order for part in parts)
        return cls(path, parts, order, tuple((part.texts, part.is_rest) for part in parts))

    @property
    def names(self) -> tuple[str, ...]:
        """What the fields are called, in order."""
        return tuple(name for part in self.parts for name in part.names)

    @property
    def text(self) -> str | None:
        """All that it matches, without slashes at the end, if it has no field."""
        if self.names:
            return None
        return "".join(f"/{part.texts[0]}" for part in self.parts)

    @property
    def regex(self) -> str:
        """Matches whole paths; the groups are the fields."""
        path = "".join(f"/{part.regex}" for part in self.parts)
        return path if self.parts and self.parts[-1].is_rest else f"{path}/*"

    def ties_with(self, other: Pattern) -> bool:
        """Whether there are paths that both match, so that neither is before the other.

        Patterns of the same shape do not tie: they are one.
        """
        return (
            self.order == other.order
            and self.shape != other.shape
            and all(map(_overlap, self.parts, other.parts))
        )

    def fields(self, values: tuple[str, ...]) -> Mapping[str, str]:
        """What the groups of ``regex`` matched, decoded, by name; raises HttpRefused."""
        return {name: decoded(value) for name, value in zip(self.names, values, strict=True)}


def decoded(value: str) -> str:
    """``value`` without percent-encoding; raises HttpRefused if that is no UTF-8."""
    if "%" not in value:
        return value
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        raise HttpRefused(
            f"the part {value[:140]} of the path is not UTF-8; percent-encode its UTF-8 bytes"
        ) from None


def _part(text: str) -> PathPart:
    texts, names = tuple(_FIELD.split(text)[::2]), tuple(_FIELD.findall(text))
    is_rest = any(name.endswith(_REST) for name in names)
    names = tuple(name.removesuffix(_REST) for name in names)
    if complaint := _wrong(text, texts, names, is_rest):
        raise ValueError(complaint)
    return PathPart(texts, names, is_rest)


def _wrong(text: str, texts: tuple[str, ...], names: tuple[str, ...], is_rest: bool) -> str:
    if not text:
        return "which has // in it"
    if text in (".", ".."):
        return f"whose part {text!r} clients do not send"
    if not all(map(_TEXT.fullmatch, texts)) or not all(map(_NAME.fullmatch, names)):
        return (
            f"whose part {text!r} is not made of letters, digits, -._~!$&'()*+,;=:@ and fields "
            "like {name}"
        )
    if is_rest and texts != ("", ""):
        return f"whose part {text!r} has more than the field {{name...}}"
    if "" in texts[1:-1]:
        return f"whose part {text!r} has two fields without text between them"
    return ""


def _overlap(one: PathPart, other: PathPart) -> bool:
    """Whether both match some text; they are of the same kind."""
    if one.is_rest or one.texts == other.texts:
        return True
    return bool(one.names) and _meet(_marks(one), _marks(other))


def _marks(part: PathPart) -> tuple[str | None, ...]:
    """Its characters; a field is ANY, the first time for one character, then for more."""
    marks: list[str | None] = list(part.texts[0])
    for text in part.texts[1:]:
        marks += [_ANY, *text]
    return tuple(marks)


def _meet(one: tuple[str | None, ...], other: tuple[str | None, ...]) -> bool:
    """Whether some text is spelt by both, where ANY spells one character or more."""

    @cache
    def meet(at: int, inside: bool, by: int, within: bool) -> bool:
        """``inside``, ``within``: the ANY just before has one character, and may have more."""
        if at == len(one) and by == len(other):
            return True
        nexts = [(at, True, one[at - 1])] if inside else []
        nexts += [(at + 1, one[at] is _ANY, one[at])] if at < len(one) else []
        others = [(by, True, other[by - 1])] if within else []
        others += [(by + 1, other[by] is _ANY, other[by])] if by < len(other) else []
        return any(
            (mark is _ANY or sign is _ANY or mark == sign) and meet(i, more, j, again)
            for i, more, mark in nexts
            for j, again, sign in others
            if (i, j) != (at, by)
        )

    return meet(0, False, 0, False)
