"""Base64 in the spellings that clients know: standard or web-safe, padded or not."""

from __future__ import annotations

import binascii

_STANDARD = bytes.maketrans(b"-_", b"+/")


def decode_base64(text: bytes) -> bytes:
    """The bytes that ``text`` spells in one of the two alphabets; raises ValueError."""
    if b"+" not in text and b"/" not in text:
        text = text.translate(_STANDARD)
    if b"=" not in text:
        text += b"=" * (-len(text) % 4)
    if len(text) % 4:
        raise ValueError("the padding is of another length")
    return binascii.a2b_base64(text, strict_mode=True)
