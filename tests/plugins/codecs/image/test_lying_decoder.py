"""Decoders that somebody has taken over, and what they answer."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tfaas_plugins.codecs.image.codec import ImageCodec

from tests.plugins.codecs.image.images import file, images, picture, refusal
from tfaas_core.errors import TfaasError, Unavailable


class Liar:
    """Stands for the decoders of an HTTP worker; all that they say is ``answer``."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.shared = mmap.mmap(-1, mmap.PAGESIZE)

    def ask(self, _job: bytes, _data: Any, _place: str, read: Callable[[bytes, Any], Any]) -> Any:
        return read(self._answer, self)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff",
        msgspec.msgpack.encode({"width": 3}),
        msgspec.msgpack.encode({"width": -2, "height": -1}),
        msgspec.msgpack.encode({"width": "2", "height": 1}),
        b"\x81\xa6damage\xa2\xff\xfe",
        b"\xdf\xff\xff\xff\xff",
    ],
)
def test_what_no_decoder_would_say_is_a_503(answer: bytes) -> None:
    codec = ImageCodec(max_pixels=100, max_images=1, most_here=0)
    codec.use(Liar(answer))  # type: ignore[arg-type]
    refused: TfaasError = refusal(Unavailable, images(file(picture([[0, 200]], "L"))), codec=codec)
    assert "does not say what it has seen" in refused.message
