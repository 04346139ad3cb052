"""Bare words: NaN and the infinities, as some write them into what is JSON otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice

from tfaas_core.values.pieces import AT_ONCE

_TO_WORD = re.compile(
    rb"""((?:[^"NI-]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"?|N(?!aN)|I(?!nf)|-(?!NaN|Inf)){0,9999}+)"""
    rb"""(-?(?:NaN|Inf(?:inity)?))?""",
    re.DOTALL,
)
"""Up to the next word that stands in no text, if one comes soon: other threads want their turn."""


def replaced(body: bytes, instead: Mapping[bytes, bytes]) -> bytes:
    """``body`` with something else for the bare words that ``instead`` has, as they are spelt."""
    words = (found[1] + instead.get(found[2], found[2] or b"") for found in _TO_WORD.finditer(body))
    return b"".join(iter(lambda: b"".join(islice(words, AT_ONCE)), b""))
