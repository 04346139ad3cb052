from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfaas_core.errors import (
    BadBody,
    Busy,
    TooLarge,
    UnsupportedMediaType,
)
from tfaas_core.testing.tries import tries
from tfaas_core.uploads.form import (
    MAX_FIELD_BYTES,
    MAX_IGNORED_PARTS,
    Form,
    OnField,
    read_form,
)

TYPE = "multipart/form-data; boundary=xyz"
MODEL = bytes(range(256)) * 20 + b"\r\n--xy\r\n--xyz-\r\n--xy"


def part(disposition: str, content: bytes, *headers: str) -> bytes:
    lines = [f"Content-Disposition: form-data; {disposition}", *headers]
    return b"--xyz\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--xyz--\r\n"


NAME = part('name="name"', b"vk")
PARAMS = part('name="params"; filename="params.json"', b'{"name": "vk"}')
UPLOAD = body(NAME, PARAMS, part('name="model"; filename="m.pb"', MODEL, "Content-Type: a/b"))


async def chunks_of(chunks: Sequence[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


class Reader:
    """Reads forms as an upload does, its files into a folder."""

    def __init__(self, folder: Path, runner: asyncio.Runner) -> None:
        self.paths = {name: folder / name for name in ("model", "params", "labels")}
        self.runner = runner
        self.max_bytes = 100_000

    def __call__(self, *chunks: bytes, type_: str = TYPE, on_field: OnField | None = None) -> Form:
        return self.runner.run(self.read(chunks_of(chunks), type_, on_field))

    async def read(
        self, stream: AsyncIterator[bytes], type_: str = TYPE, on_field: OnField | None = None
    ) -> Form:
        return await read_form(
            stream,
            type_,
            fields=("name",),
            files=self.paths,
            max_bytes=self.max_bytes,
            on_field=on_field,
        )


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def reader(tmp_path: Path, runner: asyncio.Runner) -> Reader:
    return Reader(tmp_path, runner)


@pytest.fixture(scope="session")
def shared_reader(tmp_path_factory: pytest.TempPathFactory, runner: asyncio.Runner) -> Reader:
    return Reader(tmp_path_factory.mktemp("forms"), runner)


def assert_is_the_upload(form: Form) -> None:
    assert form.fields == {"name": "vk"}
    assert list(form.files) == ["params", "model"]
    model = form.files["model"]
    assert model.path.read_bytes() == MODEL
    assert model.size_bytes == len(MODEL)
    assert model.sha256 == hashlib.sha256(MODEL).hexdigest()
    assert model.filename == "m.pb"
    assert form.files["params"].path.read_bytes() == b'{"name": "vk"}'


def test_an_upload_is_read_into_fields_and_files(reader: Reader) -> None:
    assert_is_the_upload(reader(UPLOAD))


def test_stored_files_are_for_their_owner_only(reader: Reader) -> None:
    model = reader(UPLOAD).files["model"].path
    assert stat.S_IMODE(model.stat().st_mode) == 0o600


@settings(max_examples=tries(150), deadline=None)
@given(cuts=st.lists(st.integers(0, len(UPLOAD)), max_size=30))
def test_how_a_body_is_cut_into_chunks_does_not_matter(
    shared_reader: Reader, cuts: list[int]
) -> None:
    edges = [0, *sorted(cuts), len(UPLOAD)]
    chunks = [UPLOAD[start:end] for start, end in pairwise(edges)]
    assert_is_the_upload(shared_reader(*chunks))


def test_a_body_may_come_byte_by_byte(reader: Reader) -> None:
    assert_is_the_upload(reader(*(UPLOAD[i : i + 1] for i in range(len(UPLOAD)))))


@settings(max_examples=tries(100), deadline=None)
@given(content=st.binary(max_size=300), cut=st.integers(0, 400))
def test_any_content_arrives_as_it_was_sent(
    shared_reader: Reader, content: bytes, cut: int
) -> None:
    content = content.replace(b"--xyz", b"")
    sent = body(part('name="model"', content))
    assert shared_reader(sent[:cut], sent[cut:]).files["model"].path.read_bytes() == content


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


@settings(max_examples=tries(400), deadline=None)
@given(pieces=st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=20), max_size=12))
def test_no_body_makes_another_error_than_ours(shared_reader: Reader, pieces: list[bytes]) -> None:
    with suppress(BadBody, TooLarge):
        shared_reader(*pieces)


@settings(max_examples=tries(100), deadline=None)
@given(end=st.integers(0, len(UPLOAD) - len("-\r\n")))
def test_a_truncated_body_is_refused(shared_reader: Reader, end: int) -> None:
    with pytest.raises(BadBody, match="stops before its closing boundary"):
        shared_reader(UPLOAD[:end])


def test_a_form_of_httpx_is_read(reader: Reader) -> None:
    request = httpx.Request(
        "POST",
        "http://localhost/upload",
        data={"name": "vk"},
        files={"model": ("Modèle 1.pb", MODEL), "labels": ("labels.txt", b"higgs\nqcd\n")},
    )
    form = reader(request.read(), type_=request.headers["content-type"])
    assert form.fields == {"name": "vk"}
    assert form.files["model"].path.read_bytes() == MODEL
    assert form.files["model"].filename == "Modèle 1.pb"
    assert form.files["labels"].path.read_bytes() == b"higgs\nqcd\n"


def test_a_form_may_be_empty(reader: Reader) -> None:
    assert reader(b"--xyz--\r\n") == Form({}, {})


def test_a_file_may_be_empty(reader: Reader) -> None:
    file = reader(body(part('name="labels"; filename="l.txt"', b""))).files["labels"]
    assert (file.size_bytes, file.path.read_bytes()) == (0, b"")
    assert file.sha256 == hashlib.sha256().hexdigest()


def test_files_longer_than_a_batch_are_whole(reader: Reader) -> None:
    reader.max_bytes = 10_000_000
    content = os.urandom(3_500_001)
    file = reader(body(part('name="model"', content))).files["model"]
    assert file.path.read_bytes() == content
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert file.size_bytes == len(content)


def test_what_stood_in_a_file_before_is_replaced(reader: Reader) -> None:
    reader.paths["params"].write_bytes(b"x" * 1000)
    assert reader(UPLOAD).files["params"].path.read_bytes() == b'{"name": "vk"}'


def test_a_file_part_without_a_file_name_is_a_file_all_the_same(reader: Reader) -> None:
    file = reader(body(part('name="params"', b"{}"))).files["params"]
    assert (file.path.read_bytes(), file.filename) == (b"{}", "")


def test_fields_are_told_before_the_files_behind_them_are_stored(reader: Reader) -> None:
    told = []

    async def on_field(name: str, value: str) -> None:
        await asyncio.sleep(0)
        told.append((name, value, reader.paths["model"].exists()))

    reader(UPLOAD, on_field=on_field)
    assert told == [("name", "vk", False)]


def test_a_refusal_by_the_fields_listener_ends_the_reading(reader: Reader) -> None:
    async def on_field(name: str, value: str) -> None:
        raise Busy(f"model {value!r} is being uploaded")

    with pytest.raises(Busy):
        reader(UPLOAD, on_field=on_field)
    assert not reader.paths["model"].exists()


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


def test_texts_that_nobody_asked_for_are_ignored(reader: Reader) -> None:
    told = []

    async def on_field(name: str, _value: str) -> None:
        told.append(name)

    base64 = "Content-Transfer-Encoding: base64"
    others = [
        part('name="op"', b"serving_default"),
        part('name="op"', b"again"),
        part('name=""', b""),
        part('name="bytes"', b"\xff"),
        part('name="long"', b"x" * MAX_FIELD_BYTES, base64),
        *(part(f'name="{number}"', b"") for number in range(MAX_IGNORED_PARTS - 5)),
    ]
    form = reader(body(*others, NAME, PARAMS), on_field=on_field)
    assert form.fields == {"name": "vk"}
    assert list(form.files) == ["params"]
    assert told == ["name"]


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
