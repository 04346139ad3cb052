"""Accept-Encoding: by which of two encodings an answer to infer is compressed, if by any."""

from __future__ import annotations

from functools import lru_cache

from tfaas_core.content_encodings import weights

_OFFERED = ("gzip", "deflate", "identity")


@lru_cache(256)
def best_encoding(accepted: str) -> str:
    """``gzip``, ``deflate``, or nothing: whichever has the highest q; of equal ones, the first.

    Nothing else is ever used: tritonclient announces encodings that it does not decode.
    """
    known = weights(accepted)
    found = {name: known[name] for name in _OFFERED if known.get(name, 0.0) > 0}
    best = max(found, key=lambda name: found[name], default="identity")
    return "" if best == "identity" else best
