"""Changes of documents, of lists, tables and values, that leave them documents."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from tests.fuzz.mutations import Mutate

_ODD = "a\nb\x7f"
"""A name that no message can show."""

_NUMBERS = (0, 1, 2, -1, 3.5, 1e300, -0.0, 255, 256, 2**31, 2**53 + 1, 2**63, -(2**63))
_TEXTS = ("", "a", "NaN", "1", "é", _ODD, "x" * 300, b"", b"\0" * 12)
_VALUES: tuple[Any, ...] = (None, True, False, *_NUMBERS, *_TEXTS, [], {}, [[]], {"b64": "AP8="})
_MOST_EDITS = 4


def document_mutator(
    words: Sequence[str],
    head_bytes: int,
    decode: Callable[[bytes], Any],
    encode: Callable[[Any], bytes],
) -> Mutate:
    """Changes inputs that are ``head_bytes``, and then what ``decode`` reads and ``encode`` writes.

    ``words`` are names that the documents have.
    """

    def mutate(data: bytes, most_bytes: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.5:
            try:
                changed = encode(_edited(decode(data[head_bytes:]), words, rng))
            except Exception:  # what is no document is left to those who change bytes
                changed = b""
            if changed and head_bytes + len(changed) <= most_bytes:
                return data[:head_bytes] + changed
        import atheris

        return bytes(atheris.Mutate(data, most_bytes))

    return mutate


def json_mutator(*words: str, head_bytes: int = 1) -> Mutate:
    """Of JSON behind so many bytes."""
    return document_mutator(words, head_bytes, msgspec.json.decode, msgspec.json.encode)


def msgpack_mutator(*words: str, head_bytes: int = 1) -> Mutate:
    """Of MessagePack behind so many bytes."""
    return document_mutator(words, head_bytes, msgspec.msgpack.decode, msgspec.msgpack.encode)


def _edited(document: Any, words: Sequence[str], rng: random.Random) -> Any:
    holder = [copy.deepcopy(document)]
    for _ in range(rng.randrange(1, _MOST_EDITS)):
        places = list(_places(holder))
        parent, key = rng.choice(places)
        other, other_key = rng.choice(places)
        _edit(parent, key, copy.deepcopy(other[other_key]), words, rng)
    return holder[0]


def _places(holder: Any) -> Iterator[tuple[Any, Any]]:
    """Each value of the document, as what has it and where."""
    waiting = [holder]
    while waiting:
        parent = waiting.pop()
        keys: Any = list(parent) if isinstance(parent, dict) else range(len(parent))
        for key in keys:
            yield parent, key
            if isinstance(parent[key], dict | list):
                waiting.append(parent[key])


def _edit(parent: Any, key: Any, other: Any, words: Sequence[str], rng: random.Random) -> None:
    value = parent[key]
    match rng.randrange(6):
        case 0:
            parent[key] = copy.deepcopy(rng.choice(_VALUES))
        case 1:
            parent[key] = other
        case 2:
            parent[key] = [value] * rng.randrange(4)
        case 3 if isinstance(value, dict):
            value[rng.choice([*words, _ODD])] = other
        case 3 if isinstance(value, list):
            value.insert(rng.randrange(len(value) + 1), other)
        case 4 if isinstance(value, dict | list) and value:
            del value[rng.choice([*value] if isinstance(value, dict) else range(len(value)))]
        case _:
            parent[key] = rng.choice(words)
