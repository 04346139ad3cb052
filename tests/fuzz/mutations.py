"""Changes of messages of protocol buffers that leave them messages: fields set, copied, dropped.

A fuzzer that changes bytes alone makes little that a parser takes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

Mutate: TypeAlias = Callable[[bytes, int, int], bytes]
"""What atheris calls: an input, the most bytes it may get, and a seed."""

_NUMBERS = (0, 1, 2, 3, 7, 64, 255, 1 << 20, (1 << 31) - 1)
_MOST_EDITS = 5
_NOTES = "tensorflow.GraphDebugInfo"
"""Nothing in it runs. Its keys need be no UTF-8, and Python goes through no map with such a key."""


def mutator(message: Any, words: Sequence[str] = (), head_bytes: int = 0) -> Mutate:
    """Changes inputs that are ``head_bytes``, and then a ``message`` of this class.

    ``words`` are put where texts are.
    """

    def mutate(data: bytes, most_bytes: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.5:
            changed = _edited(message, data[head_bytes:], words, rng)
            if changed is not None and head_bytes + len(changed) <= most_bytes:
                return data[:head_bytes] + changed
        import atheris

        return bytes(atheris.Mutate(data, most_bytes))

    return mutate


def _edited(kind: Any, body: bytes, words: Sequence[str], rng: random.Random) -> bytes | None:
    try:
        message = kind.FromString(body)
        for _ in range(rng.randrange(1, _MOST_EDITS)):
            # What was edited may hold what was not there before.
            found = list(parts(message))
            _edit(rng.choice(found), found, words, rng)
        # A map has another order in each process, and a seed is to give the same inputs.
        return bytes(message.SerializePartialToString(deterministic=True))
    except Exception:  # what is none, or a broken one, is left to those who change bytes
        return None


def parts(message: Any) -> Iterator[Any]:
    """The message, and all messages in it, but for those of the notes on where a graph is from."""
    waiting = [message]
    while waiting:
        found = waiting.pop()
        yield found
        if found.DESCRIPTOR.full_name == _NOTES:
            continue
        for field, value in found.ListFields():
            if field.message_type is None:
                continue
            if _is_map(field):
                each = [value[key] for key in sorted(value)]
                waiting += [part for part in each if hasattr(part, "ListFields")]
            else:
                waiting += value if _is_list(field) else [value]


def _edit(part: Any, found: Sequence[Any], words: Sequence[str], rng: random.Random) -> None:
    if not part.DESCRIPTOR.fields:
        return
    field = rng.choice(part.DESCRIPTOR.fields)
    if rng.random() < 0.2:
        part.ClearField(field.name)
    elif _is_map(field):
        _edit_map(getattr(part, field.name), field, found, words, rng)
    elif _is_list(field):
        _edit_list(getattr(part, field.name), field, found, words, rng)
    elif field.message_type is None:
        setattr(part, field.name, _value(field, words, rng))
    else:
        _fill(getattr(part, field.name), found, rng)


def _edit_map(
    values: Any, field: Any, found: Sequence[Any], words: Sequence[str], rng: random.Random
) -> None:
    of_key, of_value = field.message_type.fields
    key = _value(of_key, words, rng)
    if values and rng.random() < 0.3:
        key = rng.choice(sorted(values))
        del values[key]
    elif of_value.message_type is None:
        values[key] = _value(of_value, words, rng)
    else:
        _fill(values[key], found, rng)


def _edit_list(
    values: Any, field: Any, found: Sequence[Any], words: Sequence[str], rng: random.Random
) -> None:
    if values and rng.random() < 0.2:
        del values[rng.randrange(len(values))]
    elif field.message_type is None:
        values.append(_value(field, words, rng))
    else:
        _fill(values.add(), found, rng)


def _fill(part: Any, found: Sequence[Any], rng: random.Random) -> None:
    """Makes the part a copy of another one of its kind, or has it be there, and empty."""
    alike = [each for each in found if each.DESCRIPTOR is part.DESCRIPTOR and each is not part]
    if alike and rng.random() < 0.8:
        copy = type(part)()
        copy.CopyFrom(rng.choice(alike))
        part.CopyFrom(copy)
    else:
        part.SetInParent()


def _value(field: Any, words: Sequence[str], rng: random.Random) -> Any:
    match field.cpp_type:
        case field.CPPTYPE_STRING:
            text = rng.choice(words) if words and rng.random() < 0.9 else rng.choice("ab:0/")
            return text.encode() if field.type == field.TYPE_BYTES else text
        case field.CPPTYPE_ENUM:
            return rng.choice(field.enum_type.values).number
        case field.CPPTYPE_BOOL:
            return rng.random() < 0.5
        case field.CPPTYPE_FLOAT | field.CPPTYPE_DOUBLE:
            return rng.choice((0.0, -1.0, 1e38, float("nan"), float("inf")))
        case field.CPPTYPE_INT32 | field.CPPTYPE_INT64:
            return rng.choice((-1, *_NUMBERS))
        case _:
            return rng.choice(_NUMBERS)


def _is_list(field: Any) -> bool:
    return bool(field.is_repeated)


def _is_map(field: Any) -> bool:
    kind = field.message_type
    return kind is not None and bool(kind.GetOptions().map_entry)
