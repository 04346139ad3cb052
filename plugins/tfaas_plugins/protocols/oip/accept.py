"""Accept-Encoding: by which of two encodings an answer to infer is compressed, if by any."""

from __future__ import annotations

from functools import lru_cache

_OFFERED = ("gzip", "deflate", "identity")


@lru_cache(256)
def best_encoding(accepted: str) -> str:
    """``gzip``, ``deflate``, or nothing: whichever has the highest q; of equal ones, the first.

    Nothing else is ever used: tritonclient announces encodings that it does not decode.
    """
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, parameters = part.strip().partition(";")
        weights[name.strip()] = _weight(parameters)
    found = {name: weights[name] for name in _OFFERED if weights.get(name, 0.0) > 0}
    best = max(found, key=lambda name: found[name], default="identity")
    return "" if best == "identity" else best


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
