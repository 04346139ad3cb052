"""Forms that are refused, or of which a part is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.uploads.forms import (
    NAME,
    PARAMS,
    UPLOAD,
    Reader,
    assert_is_the_upload,
    body,
    part,
)
from tfaas_core.errors import (
    BadBody,
    TooLarge,
    UnsupportedMediaType,
)
from tfaas_core.testing.tries import tries
from tfaas_core.uploads.form import (
    MAX_FIELD_BYTES,
    MAX_IGNORED_PARTS,
)

FRAGMENTS = [
    b"--xyz",
    b"--xyz--",
    b"\r\n",
    b"\r",
    b"\n",
    b"-",
    b":",
    b";",
    b'"',
    b"\\",
    b"\0",
    b"\xff",
]
FRAGMENTS += [b"Content-Disposition: form-data", b'; name="name"', b'; name="model"', NAME, PARAMS]
FRAGMENTS += [b"; filename*=", b"utf-8''%ff", b"filename=", b" ", b"Content-Transfer-Encoding:"]


@settings(max_examples=tries(400))
@given(pieces=st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=20), max_size=12))
def test_no_body_makes_another_error_than_ours(shared_reader: Reader, pieces: list[bytes]) -> None:
    with suppress(BadBody, TooLarge):
        shared_reader(*pieces)


@settings(max_examples=tries(100))
@given(end=st.integers(0, len(UPLOAD) - len("-\r\n")))
def test_a_truncated_body_is_refused(shared_reader: Reader, end: int) -> None:
    with pytest.raises(BadBody, match="stops before its closing boundary"):
        shared_reader(UPLOAD[:end])


def test_another_media_type_is_refused(reader: Reader) -> None:
    with pytest.raises(UnsupportedMediaType, match="send multipart/form-data"):
        reader(UPLOAD, type_="application/json")


REFUSED = {
    "two names": (body(NAME, NAME), "two parts 'name'"),
    "two files": (body(PARAMS, PARAMS), "two parts 'params'"),
    "an unknown file": (
        body(NAME, part('name="modle"; filename="m.pb"', b"")),
        "a file 'modle', which is none of 'name', 'model', 'params', 'labels'",
    ),
    "a name in another case": (body(part('name="Name"', b"vk")), "'Name': call it 'name'"),
    "a file in another case": (
        body(part('name="MODEL"; filename="m.pb"', b"x")),
        "'MODEL': call it 'model'",
    ),
    "a long part that nobody asked for": (
        body(part('name="op"', b"x" * (MAX_FIELD_BYTES + 1))),
        "'op' is longer",
    ),
    "a field as file": (body(part('name="name"; filename="n"', b"vk")), "'name' is a file"),
    "a field as nameless file": (body(part('name="name"; filename=""', b"vk")), "'name' is a file"),
    "a long field": (body(part('name="name"', b"x" * (MAX_FIELD_BYTES + 1))), "'name' is longer"),
    "a field of other bytes": (body(part('name="name"', b"\xff")), "'name' is not UTF-8"),
    "base64": (
        body(part('name="model"', b"AAAA", "Content-Transfer-Encoding: BASE64")),
        "'model' has Content-Transfer-Encoding 'base64'",
    ),
    "more parts than there are": (
        body(*(part('name="op"', b"") for _ in range(MAX_IGNORED_PARTS + 1))),
        "more than 100 parts that are none of 'name', 'model'",
    ),
}


def test_what_nobody_asked_for_is_ignored(reader: Reader) -> None:
    told = []

    async def on_field(value: str) -> None:
        told.append(value)

    base64 = "Content-Transfer-Encoding: base64"
    others = [
        part('name="op"', b"serving_default"),
        part('name="op"', b"again"),
        part('name="op"; filename="op.txt"', b"as old servers want it"),
        part('name=""', b""),
        part('name="bytes"', b"\xff"),
        part('name="long"', b"x" * MAX_FIELD_BYTES, base64),
        *(part(f'name="{number}"', b"") for number in range(MAX_IGNORED_PARTS - 6)),
    ]
    form = reader(body(*others, NAME, PARAMS), on_field=on_field)
    assert form.fields == {"name": "vk"}
    assert list(form.files) == ["params"]
    assert told == ["vk"]


@pytest.mark.parametrize(("sent", "message"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("size", [1, 1000_000], ids=["bytewise", "whole"])
def test_a_bad_body_is_refused_in_words_that_help(
    reader: Reader, sent: bytes, message: str, size: int
) -> None:
    with pytest.raises(BadBody, match=message):
        reader(*(sent[start : start + size] for start in range(0, len(sent), size)))


def test_a_form_may_have_as_many_bytes_as_the_limit_and_not_one_more(reader: Reader) -> None:
    reader.max_bytes = len(UPLOAD)
    assert_is_the_upload(reader(UPLOAD[:100], UPLOAD[100:]))
    reader.max_bytes -= 1
    with pytest.raises(TooLarge, match=r"limits\.max_upload_bytes"):
        reader(UPLOAD[:100], UPLOAD[100:])


def test_a_form_that_is_too_large_is_not_read_to_its_end(reader: Reader) -> None:
    given_bytes = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given_bytes
        yield part('name="model"', b"")[:-2]
        while True:
            given_bytes += 10_000
            yield bytes(10_000)

    with pytest.raises(TooLarge):
        reader.runner.run(reader.read(endless()))
    assert given_bytes <= reader.max_bytes + 10_000


def test_errors_of_the_stream_pass(reader: Reader) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield UPLOAD[:100]
        raise BadBody("the body stops after 100 of 200 bytes")

    with pytest.raises(BadBody, match="100 of 200"):
        reader.runner.run(reader.read(broken()))
