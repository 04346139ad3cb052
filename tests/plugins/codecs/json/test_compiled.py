"""Numbers read by compiled code are those that are read without it, to the bit."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tfaas_plugins.codecs.json import compiled
from tfaas_plugins.codecs.json.codec import JsonCodec
from tfaas_plugins.codecs.json.compiled import lists_at
from tfaas_plugins.codecs.json.dialect import STANDARD
from tfaas_plugins.codecs.json.document import NUMBERS, read_document
from tfaas_plugins.codecs.json.numbers import array_in, read_with_numbers
from tfaas_plugins.codecs.values.number_lists import NumberLists
from tfaas_plugins.protocols.json_text import read as read_text
from tfaas_plugins.protocols.oip.infer.requests import NUMBERS as OIP_NUMBERS
from tfaas_plugins.protocols.tfserving.tensors import NUMBERS as TFSERVING_NUMBERS

from tfaas_core.errors import TfaasError
from tfaas_core.route import Head
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import Array
from tfaas_core.testing.tries import tries

if os.environ.get("CI") == "true":
    assert compiled.built is not None, "there is a compiler, and it has not compiled"
elif compiled.built is None:
    pytest.skip("it was not built, since there is no compiler", allow_module_level=True)

CODEC = JsonCodec()
HEAD = Head(content_type="application/json")
ANY_SIZE = 1 << 40

floats = st.floats(allow_nan=False, allow_infinity=False)
single_floats = floats.map(lambda number: float(np.float32(number / 1e300)))
written = st.one_of(
    floats.map(repr),
    single_floats.map(repr),
    floats.map(lambda number: f"{number:.4f}"),
    st.integers(-(2**70), 2**70).map(str),
    st.integers(-999, 999).map(str),
    st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,4})?", fullmatch=True),
    st.sampled_from(["-0", "-0.0", "0e5", "9007199254740993", "9007199254740993.0", "1e23"]),
)
odd = st.sampled_from(
    [
        *("", "01", "1.", ".5", "+1", "1e", "--1", "1_0", "NaN", "Infinity", "true", "null", '"1"'),
        *("[1]", "0x1", "1 2", "1.5.5", "1e5e5", "1-1", "{}", "[]", "1 ", "\n1", "Y", "_"),
    ]
)
commas = st.sampled_from([",", ", ", ",  ", " ,", ",\n"])


TEXTS = [
    '{"values":%s}',
    '{"values": %s, "model": "vk"}',
    '{"model":"vk","values":%s}',
    '{"model":"[[1.5]]","values":%s}',
    '{"values":%s,"values":%s}',
    '{"values":"","values":%s}',
    '{"values":%s,"values":null}',
    '{"values":%s,"model":"\\u005b"}',
    '{"values":%s,"label":"x"}',
    '{"values":%s,"model":7}',
    '{"inputs":{"x":%s,"y":%s}}',
    '{"inputs":{"x":%s,"x":%s}}',
    '{"inputs":{"x":%s,"y":[1,2]},"keys":["a","b"]}',
    '{"inputs":[{"name":"x","shape":[3,1],"datatype":"FP32","data":%s}]}',
    '{"instances":%s}',
    '{"instances":[{"x":%s},{"x":%s}]}',
    '{"inputs":%s}',
    '{"value":%s}',
    "[%s]",
    "%s",
]
"""Bodies with lists in the places of ``%s``."""


@contextmanager
def without() -> Iterator[None]:
    """As if it had not been built."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "built", None)
        yield


def is_alike(found: Any, other: Any) -> bool:
    """To the bit; one may have an array where the other one has lists."""
    if isinstance(found, dict) and isinstance(other, dict):
        names = list(found) == list(other)
        return names and all(is_alike(found[name], other[name]) for name in found)
    if isinstance(found, list) and isinstance(other, list):
        return len(found) == len(other) and all(map(is_alike, found, other))
    arrays = [each for each in map(array_of, (found, other)) if each is not None]
    if not arrays:
        return repr(found) == repr(other)
    one, two = (np.array(array_or(each), arrays[0].dtype) for each in (found, other))
    return one.shape == two.shape and one.tobytes() == two.tobytes()


def array_of(found: Any) -> Array | None:
    if isinstance(found, NumberLists):
        return found.array
    return found if isinstance(found, np.ndarray) else None


def array_or(found: Any) -> Any:
    array = array_of(found)
    return found if array is None else array


def outcome(read: Any) -> Any:
    try:
        return read()
    except TfaasError as error:
        return error


def check(read: Any) -> None:
    quick = outcome(read)
    with without():
        other = outcome(read)
    assert is_alike(quick, other), (quick, other)


def usual(body: bytes) -> Any:
    found: Any = CODEC.usual(body, HEAD)
    return found if found is None else [found.array, found.model]


def document(body: bytes) -> Any:
    found = read_document(body)
    return [found.values, found.inputs, found.keys, found.model]


def check_body(body: bytes) -> None:
    check(lambda: usual(body))
    for places in (OIP_NUMBERS, TFSERVING_NUMBERS):
        check(partial(read_text, body, Limits(), places))
    check(lambda: document(body))


@given(written)
@settings(max_examples=tries(1000))
def test_a_number_is_what_python_reads(text: str) -> None:
    for behind in ("", " " * 40):
        found = lists_at(f"[{text}]{behind}".encode(), 0, ANY_SIZE)
        if found is not None:
            assert found.array.tobytes() == struct.pack("d", float(text))
            assert found.are_integers == isinstance(json.loads(text), int)


@given(odd, st.booleans())
def test_what_is_no_number_is_none(text: str, is_last: bool) -> None:
    numbers = ["1.5"] * 20 + [text] + ["2.5"] * (0 if is_last else 20)
    assert lists_at(f"[{','.join(numbers)}]".encode(), 0, ANY_SIZE) is None


@given(st.recursive(written, lambda inner: st.lists(inner, max_size=4), max_leaves=40))
@settings(max_examples=tries(500))
def test_lists_are_read_alike(nested: Any) -> None:
    text = json.dumps(nested).replace('"', "").encode()
    check(lambda: array_in(text, STANDARD) if text.startswith(b"[") else None)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Of enough numbers to be read as such; some are cut, or changed in a few places."""
    row = draw(st.lists(written, min_size=3, max_size=30))
    comma = draw(commas) if draw(st.booleans()) else ","
    inner = comma.join(row)
    if draw(st.booleans()):
        inner = f"[{inner}]"
    rows = [f"[{inner}]"] * max(1, 1200 // len(row))
    if draw(st.integers(0, 3)) == 0:
        rows[draw(st.integers(0, len(rows) - 1))] = f"[{comma.join(row[1:])}]"
    if draw(st.integers(0, 3)) == 0:
        rows[draw(st.integers(0, len(rows) - 1))] = f"[{comma.join([*row[1:], draw(odd)])}]"
    values = f"[{comma.join(rows)}]"
    text = draw(st.sampled_from(TEXTS))
    body = text.replace("%s", values).encode()
    match draw(st.integers(0, 5)):
        case 0:
            return body[: draw(st.integers(0, len(body)))]
        case 1:
            at = draw(st.integers(0, len(body) - 1))
            return body[:at] + draw(st.binary(max_size=2)) + body[at + 1 :]
    return body


@given(bodies())
@settings(max_examples=tries(300), deadline=None)
def test_bodies_are_read_alike(body: bytes) -> None:
    check_body(body)


def test_a_body_that_ends_anywhere_is_refused_alike() -> None:
    rows = [[float(place), -0.25 * place] for place in range(40)]
    body = json.dumps({"values": rows, "model": "vk"}).encode()
    for end in range(len(body)):
        cut = body[:end]
        check(partial(usual, cut))
        check(partial(document, cut))


def test_no_more_numbers_are_read_than_asked_for() -> None:
    text = b"[[1.5,2.5],[3.5,4.5]]"
    assert lists_at(text, 0, 3) is None
    found = lists_at(text, 0, 4)
    assert found is not None
    assert found.array.tolist() == [[1.5, 2.5], [3.5, 4.5]]


@pytest.mark.parametrize("depth", [1, 8])
def test_lists_may_be_nested_eight_deep(depth: int) -> None:
    found = lists_at(b"[" * depth + b"1.5" + b"]" * depth, 0, ANY_SIZE)
    assert found is not None
    assert found.array.shape == (1,) * depth


def test_deeper_lists_are_left_to_another_way() -> None:
    assert lists_at(b"[" * 9 + b"1.5" + b"]" * 9, 0, ANY_SIZE) is None
    assert lists_at(b"[" * 100_000, 0, ANY_SIZE) is None


def test_usual_bodies_have_been_read_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[int] = []
    built = compiled.built
    assert built is not None

    def noted(text: bytes, at: int, most: int) -> Any:
        places.append(at)
        return built(text, at, most)

    monkeypatch.setattr(compiled, "built", noted)
    rows = np.random.default_rng(0).normal(size=(400, 3)).tolist()
    assert usual(json.dumps({"values": rows}).encode()) is not None
    inputs = {"inputs": {"x": rows, "y": rows}}
    found = read_with_numbers(json.dumps(inputs).encode(), NUMBERS)
    assert found is not None
    assert len(places) == 3
