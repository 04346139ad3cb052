"""Secrets: which keys of a table hold some, wherever in them that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect as types

from tfaas_core.secret import SecretPlace


def keys_with_secrets(settings: msgspec.Struct) -> set[str]:
    """The keys of a table whose values hold the text of a secret, rather than say where it is."""
    return {
        field.encode_name
        for field in _fields(type(settings))
        if _holds(getattr(settings, field.name), field.type)
    }


def _fields(struct: type[msgspec.Struct]) -> tuple[types.Field, ...]:
    info = types.type_info(struct)
    assert isinstance(info, types.StructType)
    return info.fields


def _holds(value: object, kind: types.Type) -> bool:
    """Whether there is one in ``value``, which is of this kind."""
    match kind:
        case types.UnionType() if any(_is_place(option) for option in kind.types):
            return isinstance(value, str)
        case types.UnionType():
            return any(_holds(value, option) for option in kind.types)
        case types.DictType() if isinstance(value, Mapping):
            return any(_holds(each, kind.value_type) for each in value.values())
        case types.CollectionType() if isinstance(value, list | tuple | set | frozenset):
            return any(_holds(each, kind.item_type) for each in value)
        case types.TupleType() if isinstance(value, tuple):
            return any(map(_holds, value, kind.item_types))
        case types.StructType() if isinstance(value, kind.cls):
            return bool(keys_with_secrets(value))
    return False


def _is_place(kind: Any) -> bool:
    struct = getattr(kind, "cls", None)
    return struct is not None and issubclass(struct, SecretPlace)
