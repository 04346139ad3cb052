from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import stat
from itertools import pairwise

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.uploads.forms import (
    MODEL,
    UPLOAD,
    Reader,
    assert_is_the_upload,
    body,
    part,
)
from tfaas_core.errors import (
    Busy,
)
from tfaas_core.files.archives import GZIP, ZIP, Archive
from tfaas_core.testing.tries import tries
from tfaas_core.uploads.form import (
    Form,
)


def test_an_upload_is_read_into_fields_and_files(reader: Reader) -> None:
    assert_is_the_upload(reader(UPLOAD))


def test_stored_files_are_for_their_owner_only(reader: Reader) -> None:
    model = reader(UPLOAD).files["model"].path
    assert stat.S_IMODE(model.stat().st_mode) == 0o600


@settings(max_examples=tries(150))
@given(cuts=st.lists(st.integers(0, len(UPLOAD)), max_size=30))
def test_how_a_body_is_cut_into_chunks_does_not_matter(
    shared_reader: Reader, cuts: list[int]
) -> None:
    edges = [0, *sorted(cuts), len(UPLOAD)]
    chunks = [UPLOAD[start:end] for start, end in pairwise(edges)]
    assert_is_the_upload(shared_reader(*chunks))


def test_a_body_may_come_byte_by_byte(reader: Reader) -> None:
    assert_is_the_upload(reader(*(UPLOAD[i : i + 1] for i in range(len(UPLOAD)))))


@settings(max_examples=tries(100))
@given(content=st.binary(max_size=300), cut=st.integers(0, 400))
def test_any_content_arrives_as_it_was_sent(
    shared_reader: Reader, content: bytes, cut: int
) -> None:
    content = content.replace(b"--xyz", b"")
    sent = body(part('name="model"', content))
    assert shared_reader(sent[:cut], sent[cut:]).files["model"].path.read_bytes() == content


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


@pytest.mark.parametrize(
    ("content", "archive"),
    [(gzip.compress(b"a model"), GZIP), (b"PK\x03\x04", ZIP), (b"a model", None), (b"", None)],
    ids=["gzip", "zip", "none", "empty"],
)
def test_an_archive_is_told_by_its_first_bytes_however_they_come(
    reader: Reader, content: bytes, archive: Archive | None
) -> None:
    sent = body(part('name="model"; filename="m"', content))
    assert reader(sent).files["model"].archive == archive
    assert reader(*(sent[i : i + 1] for i in range(len(sent)))).files["model"].archive == archive


def test_what_stood_in_a_file_before_is_replaced(reader: Reader) -> None:
    reader.paths["params"].write_bytes(b"x" * 1000)
    assert reader(UPLOAD).files["params"].path.read_bytes() == b'{"name": "vk"}'


def test_a_file_part_without_a_file_name_is_a_file_all_the_same(reader: Reader) -> None:
    file = reader(body(part('name="params"', b"{}"))).files["params"]
    assert (file.path.read_bytes(), file.filename) == (b"{}", "")


def test_fields_are_told_before_the_files_behind_them_are_stored(reader: Reader) -> None:
    told = []

    async def on_field(value: str) -> None:
        await asyncio.sleep(0)
        told.append((value, reader.paths["model"].exists()))

    reader(UPLOAD, on_field=on_field)
    assert told == [("vk", False)]


def test_a_refusal_by_the_fields_listener_ends_the_reading(reader: Reader) -> None:
    async def on_field(value: str) -> None:
        raise Busy(f"model {value!r} is being uploaded")

    with pytest.raises(Busy):
        reader(UPLOAD, on_field=on_field)
    assert not reader.paths["model"].exists()
