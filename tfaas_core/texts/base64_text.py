"""Base64 in the spellings that clients know: standard or web-safe, padded or not."""

from __future__ import annotations

import binascii

_AT_ONCE = 1 << 20
"""Characters of a piece: no group of four is cut."""

_STANDARD = bytes.maketrans(b"-_", b"+/")


def decode_base64(text: bytes) -> bytes:
    """The bytes that ``text`` spells in one of the two alphabets; raises ValueError."""
    if b"+" not in text and b"/" not in text:
        text = text.translate(_STANDARD)
    if b"=" not in text:
        text += b"=" * (-len(text) % 4)
    if len(text) % 4:
        raise ValueError("the padding is of another length")
    return decode_padded(text)


def decode_padded(text: bytes) -> bytes:
    """The bytes that ``text`` spells, standard and padded alone; raises ValueError.

    A long one is read in pieces, so that other threads have their turn.
    """
    if len(text) <= _AT_ONCE:
        return binascii.a2b_base64(text, strict_mode=True)
    *others, last = (text[at : at + _AT_ONCE] for at in range(0, len(text), _AT_ONCE))
    if any(b"=" in piece for piece in others):
        raise ValueError("there is padding before the end")
    return b"".join([binascii.a2b_base64(piece, strict_mode=True) for piece in (*others, last)])
