"""Accept-Encoding: by which of two encodings an answer to infer is compressed, if by any."""

from __future__ import annotations

from tfaas_core.texts.content_encodings import preferred

_OFFERED = ("gzip", "deflate")


def best_encoding(accepted: str) -> str:
    """``gzip``, ``deflate``, or nothing: whichever has the highest q; of equal ones, the first.

    Nothing else is ever used: tritonclient announces encodings that it does not decode.
    """
    return preferred(accepted, _OFFERED, takes_any=False)
