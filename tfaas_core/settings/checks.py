"""Checks: whether raw values fit a table, in words that help more than msgspec's own."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

REST = "rest"
"""The field of a table that is no key of it, but holds the keys that somebody else checks."""

_LARGEST = 2**63 - 1

S = TypeVar("S", bound=msgspec.Struct)


class WrongTable(ValueError):
    """A table that does not fit. ``faults``: all that is wrong; the first one is the message."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(faults[0])
        self.faults = tuple(faults)


def as_table(document: Mapping[str, Any], struct: type[S], path: str = "$") -> S:
    """``document`` as ``struct``; ``path`` is where it stands in the configuration.

    Raises WrongTable, whose faults end in the path of the key that does not fit.
    """
    if faults := list(_faults(document, struct, path)):
        raise WrongTable(faults)
    try:
        return msgspec.convert(document, struct)
    except msgspec.ValidationError as error:
        raise WrongTable([_placed(error, path)]) from None


def keys_of(struct: type[msgspec.Struct]) -> list[str]:
    """The keys of a table."""
    fields = _fields(struct)
    return [field.encode_name for field in fields if field.encode_name != REST]


def unknown(what: str, key: str, known: Collection[str], path: str) -> ValueError:
    """The error of a ``key`` that is none of those ``known``; ``what`` it would be."""
    hint = nearest(key, known) or f"; there are: {', '.join(known) or 'none'}"
    return ValueError(f"unknown {what} `{key}` - at `{path}.{key}`{hint}")


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause of those ``known`` that are nearly called so; empty if none is."""
    near = difflib.get_close_matches(name, list(known), n=2)
    return f"; did you mean {' or '.join(f'`{each}`' for each in near)}?" if near else ""


def _faults(document: Mapping[str, Any], struct: type[msgspec.Struct], path: str) -> Iterator[str]:
    types = _types_in(struct)
    for key, value in document.items():
        expected, place = types.get(key), f"{path}.{key}"
        if expected is None:
            what = "section" if path == "$" else "key"
            yield str(unknown(what, key, keys_of(struct), path))
        else:
            yield from _wrong_with(value, expected, place if key != REST else path)
    for field in _fields(struct):
        if field.required and field.encode_name not in document:
            yield f"the key `{field.encode_name}` is missing, and has no default - at `{path}`"


@lru_cache(256)
def _types_in(struct: type[msgspec.Struct]) -> Mapping[str, Any]:
    """By key."""
    hints = get_type_hints(struct, include_extras=True)
    return {field.encode_name: hints[field.name] for field in _fields(struct)}


@lru_cache(256)
def _fields(struct: type[msgspec.Struct]) -> Sequence[msgspec.structs.FieldInfo]:
    return msgspec.structs.fields(struct)


def _struct_in(expected: Any) -> type[msgspec.Struct] | None:
    """The one Struct that a table may be there."""
    kinds = get_args(expected) if get_origin(expected) in (Union, UnionType) else (expected,)
    structs = [k for k in kinds if isinstance(k, type) and issubclass(k, msgspec.Struct)]
    return structs[0] if len(structs) == 1 else None


def _wrong_with(value: Any, expected: Any, path: str) -> Iterator[str]:
    choices = get_args(expected) if get_origin(expected) is Literal else ()
    if inner := list(_wrong_within(value, expected, path)):
        yield from inner
    elif too_large := next(_too_large(value, path), ""):
        yield too_large
    elif choices and isinstance(value, str) and value not in choices:
        listed = ", ".join(f"`{choice}`" for choice in choices)
        yield f"Expected one of {listed}, got `{value}` - at `{path}`"
    else:
        try:
            msgspec.convert(value, expected)
        except msgspec.ValidationError as error:
            yield _placed(error, path)


def _wrong_within(value: Any, expected: Any, path: str) -> Iterator[str]:
    """What is wrong with the parts of a value, of which msgspec would not say which one it is."""
    origin, kinds = get_origin(expected), get_args(expected)
    struct = _struct_in(expected)
    if isinstance(value, dict) and struct is not None:
        yield from _faults(value, struct, path)
    elif isinstance(value, dict) and origin is dict:
        for key, each in value.items():
            yield from _wrong_with(each, kinds[1], f"{path}.{key}")
    elif isinstance(value, list) and origin is tuple and kinds[1:] == (...,):
        for each in value:
            yield from _wrong_with(each, kinds[0], path)


def _too_large(value: Any, path: str) -> Iterator[str]:
    """What TOML has no room for, no message to another process has either."""
    if isinstance(value, int) and abs(value) > _LARGEST:
        yield f"Expected `int` <= {_LARGEST} - at `{path}`"
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from _too_large(inner, f"{path}.{key}")


def _placed(error: msgspec.ValidationError, path: str) -> str:
    message, at, place = str(error).partition(" - at `$")
    return f"{message} - at `{path}{place}" if at else f"{message} - at `{path}`"
