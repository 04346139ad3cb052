"""What is read in steps is what orjson reads at once, right or wrong, wherever it is cut."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import orjson
import pytest
from tfaas_plugins.codecs.json.dialect import STANDARD, Dialect, has_words
from tfaas_plugins.codecs.json.places import ANY, NOWHERE, Places
from tfaas_plugins.codecs.json.steps import LONG_BYTES, loaded, read_in_steps
from tfaas_plugins.codecs.values.number_lists import NumberLists

from tfaas_core.testing.tries import tries
from tfaas_core.values.pieces import BYTES_AT_ONCE

_ODDITIES = (
    *(b",", b"]", b"[", b"{", b"}", b'"', b":", b"1", b"0", b"\\", b" ", b"\n", b"\xff", b"\xc3"),
    *(b"NaN", b"\\ud83d", b"\\u00e9", b'"a":', b"1e400"),
)
_SCALARS = (0, 1, -5, 1.5, 1e10, 2**63, 2**70, True, None, "", 'a"\\[', "é\n😀" * 9, "x" * 40)
_EVERYWHERE = Places((), (ANY,), (ANY, ANY), (ANY, ANY, ANY))


def value(dice: random.Random, depth: int) -> Any:
    kind = dice.random() if depth else 0.0
    if kind < 0.35:
        return dice.choice(_SCALARS)
    if kind < 0.55:
        return [dice.choice((dice.random(), dice.randrange(99))) for _ in range(dice.randrange(30))]
    if kind < 0.65:
        size = dice.randrange(5)
        return [[dice.random() for _ in range(size)] for _ in range(dice.randrange(12))]
    if kind < 0.85:
        return [value(dice, depth - 1) for _ in range(dice.randrange(6))]
    names = ("a", "b", "é", "a long name " * 3, "")
    return {dice.choice(names): value(dice, depth - 1) for _ in range(dice.randrange(5))}


def broken(text: bytes, dice: random.Random) -> bytes:
    body = bytearray(text)
    for _ in range(dice.randrange(1, 4)):
        at = dice.randrange(len(body) + 1)
        if dice.random() < 0.4:
            del body[at : at + dice.choice((1, 4))]
        else:
            body[at:at] = dice.choice(_ODDITIES)
    return bytes(body)


def at_once(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return error.msg, error.pos, error.lineno, error.colno


def in_steps(body: bytes, places: Places, part_bytes: int) -> Any:
    try:
        return with_lists(read_in_steps(body, STANDARD, places, part_bytes))
    except orjson.JSONDecodeError as error:
        return error.msg, error.pos, error.lineno, error.colno


def with_lists(found: Any) -> Any:
    """With the lists of NumberLists, which have the same numbers."""
    if isinstance(found, NumberLists):
        lists = found.lists()
        assert np.array_equal(np.array(lists), found.array)
        return lists
    if isinstance(found, dict):
        return {name: with_lists(each) for name, each in found.items()}
    return [with_lists(each) for each in found] if isinstance(found, list) else found


@pytest.mark.parametrize("seed", range(8))
def test_it_is_the_same_as_at_once(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(tries(400)):
        text = json.dumps(
            value(dice, dice.randrange(7)),
            indent=dice.choice((None, 1)),
            ensure_ascii=dice.choice((False, True)),
        ).encode()
        body = broken(text, dice) if dice.random() < 0.6 else text
        places = dice.choice((NOWHERE, _EVERYWHERE))
        part_bytes = dice.choice((12, 20, 60, 200))
        assert in_steps(body, places, part_bytes) == at_once(body), (body, part_bytes)


@pytest.mark.parametrize("depth", [100, 2000, 100_000])
def test_what_is_nested_as_deep_as_orjson_reads_is_read(depth: int) -> None:
    for body in (b"[" * depth + b"1" + b"]" * depth, b"[" * depth, b'{"a":' * depth):
        assert in_steps(body, NOWHERE, 12) == at_once(body)


def test_long_lists_of_numbers_have_no_object_for_each() -> None:
    numbers = [[index + 0.5, index] for index in range(30_000)]
    body = json.dumps({"a": numbers, "b": {"c": numbers[0]}}).encode()
    found = read_in_steps(body, numbers=Places(("a",), ("b", "c")))
    assert isinstance(found["a"], NumberLists)
    assert found["a"].array.shape == (30_000, 2)
    assert found["a"].array.dtype == np.float64
    assert found["b"] == {"c": numbers[0]}


def test_words_stand_for_what_the_dialect_says() -> None:
    dialect = Dialect({b"NaN": b"null"})
    body = b'[["NaN", NaN, %b], {"a": NaN}]' % (b"NaN," * 100 + b"1")
    assert read_in_steps(body, dialect, part_bytes=20) == dialect.value(body)


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"-Inf"])
@pytest.mark.parametrize("ends", range(BYTES_AT_ONCE - 2, BYTES_AT_ONCE + 12))
def test_a_word_is_seen_wherever_it_stands_in_a_long_text(word: bytes, ends: int) -> None:
    for at in (ends - len(word), ends + BYTES_AT_ONCE - len(word)):
        text = b"a" * at + word
        assert has_words(text)
        assert has_words(text + b"a" * BYTES_AT_ONCE)
        assert not has_words(text[:-1].replace(b"Inf", b"inf") + b"a" * BYTES_AT_ONCE)


def test_a_number_of_a_few_hundred_kilobytes_is_told_to_be_too_long() -> None:
    digits = 300_000
    for before in (b"[1,", b'{"a":[', b" "):
        body = before + b"1" * digits + b" " * LONG_BYTES
        with pytest.raises(orjson.JSONDecodeError, match="a number of 300000 digits") as told:
            loaded(body)
        assert told.value.pos == len(before)
    assert loaded(b"[0." + b"1" * 200_000 + b"]" + b" " * LONG_BYTES) == [1 / 9]


def test_only_what_is_long_needs_steps() -> None:
    for size in (10, LONG_BYTES // 4 + 10):
        assert loaded(b"[" + b"1, " * size + b"1]") == [1] * (size + 1)
