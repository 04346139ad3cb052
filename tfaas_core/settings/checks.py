"""Checks: whether raw values fit a table, in words that help more than msgspec's own."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

REST = "rest"
"""The field of a table that is no key of it, but holds the keys that somebody else checks."""

_LARGEST = 2**63 - 1

S = TypeVar("S", bound=msgspec.Struct)


def as_table(document: Mapping[str, Any], struct: type[S], path: str = "$") -> S:
    """``document`` as ``struct``; ``path`` is where it stands in the configuration.

    Raises ValueError, whose message ends in the path of the key that does not fit.
    """
    check_integers(document, path)
    _check_keys(document, struct, path)
    try:
        return msgspec.convert(document, struct)
    except msgspec.ValidationError as error:
        message = str(error)
        if " - at `$" not in message:
            raise ValueError(f"{message} - at `{path}`") from None
        raise ValueError(message.replace(" - at `$", f" - at `{path}", 1)) from None


def keys_of(struct: type[msgspec.Struct]) -> list[str]:
    """The keys of a table."""
    fields = msgspec.structs.fields(struct)
    return [field.encode_name for field in fields if field.encode_name != REST]


def check_integers(value: Any, path: str) -> None:
    """What TOML has no room for, no message to another process has either."""
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise ValueError(f"Expected `int` <= {_LARGEST} - at `{path}`")
    if isinstance(value, dict):
        for key, inner in value.items():
            check_integers(inner, f"{path}.{key}")


def unknown(what: str, key: str, known: Collection[str], path: str) -> ValueError:
    """The error of a ``key`` that is none of those ``known``; ``what`` it would be."""
    if near := difflib.get_close_matches(key, known, n=2):
        hint = "did you mean " + " or ".join(f"`{name}`" for name in near) + "?"
    else:
        hint = f"there are: {', '.join(known) or 'none'}"
    return ValueError(f"unknown {what} `{key}` - at `{path}.{key}`; {hint}")


def _check_keys(document: Mapping[str, Any], struct: type[msgspec.Struct], path: str) -> None:
    hints = get_type_hints(struct)
    types = {field.encode_name: hints[field.name] for field in msgspec.structs.fields(struct)}
    for key, value in document.items():
        expected = types.get(key)
        if expected is None:
            raise unknown("section" if path == "$" else "key", key, keys_of(struct), path)
        if get_origin(expected) is Literal and isinstance(value, str):
            _check_choice(value, get_args(expected), f"{path}.{key}")
        elif isinstance(value, dict) and _is_struct(expected):
            _check_keys(value, expected, f"{path}.{key}")


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _check_choice(value: str, choices: Sequence[str], path: str) -> None:
    if value not in choices:
        listed = ", ".join(f"`{choice}`" for choice in choices)
        raise ValueError(f"Expected one of {listed}, got `{value}` - at `{path}`")
