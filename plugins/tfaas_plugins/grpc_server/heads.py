"""Heads: what a call says before its message, as guards and observers know it from HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

from tfaas_core.errors import HttpRefused
from tfaas_core.fields import Headers
from tfaas_core.route import Head

Sent: TypeAlias = Sequence[tuple[str, str | bytes]]
"""Metadata of a client, in their order."""

_MOST_FIELDS = 100
_MOST_KEPT = 1024
_LONGEST_KEPT = 2048
"""In characters, of all metadata."""


def too_many(metadata: Sent) -> HttpRefused | None:
    """Why a call is refused that has more than anybody needs; each takes a hundred bytes here."""
    if len(metadata) <= _MOST_FIELDS:
        return None
    return HttpRefused(
        f"the call has {len(metadata)} fields of metadata; {_MOST_FIELDS} are the most", 431
    )


def head_of(path: str, metadata: Sent, scheme: str) -> Head:
    """The head of a call. Metadata that are bytes, in keys that end in ``-bin``, are left out."""
    pairs = tuple((key, value) for key, value in metadata if type(value) is str)
    is_short = sum(len(key) + len(value) for key, value in pairs) <= _LONGEST_KEPT
    return _kept(path, pairs, scheme) if is_short else _made(path, pairs, scheme)


def _made(path: str, pairs: tuple[tuple[str, str], ...], scheme: str) -> Head:
    return Head("POST", path, headers=Headers(pairs), scheme=scheme)


_kept = lru_cache(_MOST_KEPT)(_made)
