"""Probe: what a case asks a server, and what that answers."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from tfaas_core.testing.conformance.words import cut

CODE = ":code"
"""Where an answer over gRPC has the name of its code; no header of HTTP is named so."""

HEADER_LENGTH = "Inference-Header-Content-Length"

MAX_BODY_BYTES = 64 << 20
"""More than any case is answered, also once it is unpacked."""

_WBITS = {"gzip": 31, "deflate": 15}


class Unmet(Exception):
    """An answer is another than was expected; the text says what it is instead."""


class Ask(msgspec.Struct, frozen=True):
    """A request. ``path`` is sent as it is.

    ``model``, ``version`` and ``label``: what the server has to serve, so that it can be asked.
    ``is_chunked``: the body's length is not told beforehand.
    """

    method: str
    path: str
    headers: dict[str, str] = {}
    body: bytes | None = None
    model: str = ""
    version: str = ""
    label: str = ""
    is_chunked: bool = False

    @property
    def line(self) -> str:
        """What is shown of it: method, path, headers, and the beginning of the body."""
        headers = "".join(f" {name}: {value!r}" for name, value in self.headers.items())
        body = f" {cut(self.body)}" if self.body else ""
        return f"{self.method} {self.path}{headers}{body}"


class Reply(msgspec.Struct, frozen=True):
    """An answer: names of headers are in lower case, and ``body`` is unpacked."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json_bytes(self) -> bytes:
        """The part of the body that is JSON, before binary tensors; raises Unmet."""
        length = self.headers.get(HEADER_LENGTH.lower())
        if length is None:
            return self.body
        if not (length.isascii() and length.isdecimal() and len(length) < 16):
            raise Unmet(f"{HEADER_LENGTH} is {cut(length)}")
        if int(length) > len(self.body):
            raise Unmet(f"{HEADER_LENGTH} is {length}, of {len(self.body)} bytes")
        return self.body[: int(length)]

    @property
    def document(self) -> Any:
        """The JSON; NaN and Infinity may be bare words. Raises Unmet."""
        try:
            return json.loads(self.json_bytes.decode("utf-8"))
        except (ValueError, RecursionError):
            raise Unmet(f"{self.short}, which is no JSON") from None

    @property
    def outcome(self) -> str:
        """The status, or the code of a call's answer."""
        return self.headers.get(CODE, str(self.status))

    @property
    def short(self) -> str:
        """That, and the beginning of the body."""
        return f"{self.outcome} {cut(self.body)}"


def unpacked(body: bytes, encoding: str) -> bytes:
    """What ``body`` is by its ``Content-Encoding``; raises Unmet."""
    if encoding in ("", "identity"):
        return body
    wbits = _WBITS.get(encoding)
    if wbits is None:
        raise Unmet(f"Content-Encoding: {cut(encoding)}, which clients do not know")
    inflater = zlib.decompressobj(wbits)
    try:
        content = inflater.decompress(body, MAX_BODY_BYTES)
    except zlib.error:
        raise Unmet(f"a body that is no {encoding}, as its Content-Encoding says") from None
    if not inflater.eof:
        raise Unmet(f"a body of {encoding} that does not end, or is longer than {MAX_BODY_BYTES}")
    return content


def get(path: str, **more: Any) -> Ask:
    """A GET; ``more`` are fields of the Ask."""
    return Ask("GET", path, **more)


def post(path: str, document: Any = b"", **more: Any) -> Ask:
    """A POST of a JSON document, or of the bytes or the text that it is."""
    return Ask("POST", path, body=encoded(document), **more)


def encoded(document: Any) -> bytes:
    """A document as the body of a request; bytes and texts stay as they are."""
    if isinstance(document, bytes):
        return document
    text = document if isinstance(document, str) else json.dumps(document)
    return text.encode()


def changed(ask: Ask, headers: Mapping[str, str] | None = None, **fields: Any) -> Ask:
    """The same request with further headers, or other fields."""
    merged = {**ask.headers, **(headers or {})}
    return msgspec.structs.replace(ask, headers=merged, **fields)


def compressed(ask: Ask, encoding: str) -> Ask:
    """The same request with its body as gzip or deflate, which here is zlib's format."""
    packer = zlib.compressobj(wbits=_WBITS[encoding])
    packed = packer.compress(ask.body or b"") + packer.flush()
    return changed(ask, {"Content-Encoding": encoding}, body=packed)


def model_path(
    prefix: str, model: str, version: int | str | None = None, label: str | None = None
) -> str:
    """``/v1/models/NAME/versions/3``, say."""
    path = f"{prefix}/models/{quote(model, safe='')}"
    if version is not None:
        path += f"/versions/{version}"
    if label is not None:
        path += f"/labels/{label}"
    return path
