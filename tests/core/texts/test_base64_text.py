from __future__ import annotations

import base64

import pytest

from tfaas_core.texts.base64_text import decode_base64


def test_both_alphabets_are_read_with_and_without_padding() -> None:
    for size in range(5):
        data = b"\xfb\xff\xfe\x00"[:size]
        for text in (base64.b64encode(data), base64.urlsafe_b64encode(data)):
            assert decode_base64(text) == data
            assert decode_base64(text.rstrip(b"=")) == data


@pytest.mark.parametrize(
    "text", [b"A", b"AA=", b"=", b"AAAA=", b"A*==", b"AA==AA==", b"AA\n", b"+_==", b"\xc3\xa9"]
)
def test_any_other_text_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_base64(text)
