"""Forms, and what reads them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from tfaas_core.uploads.form import (
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
            fields={"name": on_field},
            files=self.paths,
            max_bytes=self.max_bytes,
        )


def assert_is_the_upload(form: Form) -> None:
    assert form.fields == {"name": "vk"}
    assert list(form.files) == ["params", "model"]
    model = form.files["model"]
    assert model.path.read_bytes() == MODEL
    assert model.size_bytes == len(MODEL)
    assert model.sha256 == hashlib.sha256(MODEL).hexdigest()
    assert model.filename == "m.pb"
    assert form.files["params"].path.read_bytes() == b'{"name": "vk"}'
