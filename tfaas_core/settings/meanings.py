"""Meanings: what the keys of a table are, as people read it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import inspect as types

from tfaas_core import secret
from tfaas_core.settings.checks import REST


class Key(msgspec.Struct, frozen=True):
    """A key of a table. ``default`` is as TOML and JSON have it; None: the key is required."""

    name: str
    type: str
    default: Any
    meaning: str


def keys(table: type[msgspec.Struct]) -> list[Key]:
    """All keys of a table, in order.

    A key's meaning is the string below its field, as in ``tfaas_core.config``; empty if there is
    none.
    """
    meanings, hints = _meanings(table), get_type_hints(table)
    info = types.type_info(table)
    assert isinstance(info, types.StructType)
    return [
        Key(
            field.encode_name,
            _words(field.type, _choices(hints[field.name])),
            _default(field),
            meanings.get(field.name, ""),
        )
        for field in info.fields
        if field.name != REST
    ]


def _choices(hint: Any) -> tuple[object, ...]:
    """The values of a Literal, in order, or of the one in a union."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return next((found for kind in get_args(hint) if (found := _choices(kind))), ())


def _meanings(table: type[msgspec.Struct]) -> Mapping[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(table))
    except (OSError, TypeError):  # made by a call, or of a file that is gone
        return {}
    (found,) = ast.parse(source).body
    assert isinstance(found, ast.ClassDef)
    below = zip(found.body, found.body[1:], strict=False)
    return {
        field.target.id: " ".join(str(text.value.value).replace("``", "").split())
        for field, text in below
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    }


def _default(field: types.Field) -> Any:
    default = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    if default is msgspec.NODEFAULT:
        return None
    plain = msgspec.to_builtins(default)
    return list(plain) if isinstance(plain, tuple) else plain


def _words(kind: types.Type, choices: Sequence[object]) -> str:
    """What a key takes, like ``integer, at least 1``; ``choices`` are its Literal's, in order."""
    match kind:
        case types.LiteralType():
            *most, last = [f'"{choice}"' for choice in choices]
            return f"{', '.join(most)} or {last}" if most else last
        case types.BoolType():
            return "true or false"
        case types.IntType():
            return f"integer{_bounds(kind)}"
        case types.FloatType():
            return f"number{_bounds(kind)}"
        case types.StrType(min_length=1):
            return "string, not empty"
        case types.StrType():
            return "string"
        case types.UnionType():
            return _one_of(kind, choices)
        case types.VarTupleType(item_type=types.StrType()):
            return "list of strings"
        case types.VarTupleType() | types.ListType() | types.TupleType():
            return "list"
        case types.StructType() | types.DictType():
            return "table"
    return type(kind).__name__.removesuffix("Type").lower()


def _one_of(union: types.UnionType, choices: Sequence[object]) -> str:
    kinds = [kind for kind in union.types if not isinstance(kind, types.NoneType)]
    if any(issubclass(getattr(kind, "cls", object), secret.SecretPlace) for kind in kinds):
        return "secret"
    return " or ".join(_words(kind, choices) for kind in kinds)


def _bounds(kind: types.IntType | types.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f", {kind.ge} to {kind.le}"
    said = {"at least": kind.ge, "above": kind.gt, "at most": kind.le, "below": kind.lt}
    return "".join(f", {words} {bound}" for words, bound in said.items() if bound is not None)
