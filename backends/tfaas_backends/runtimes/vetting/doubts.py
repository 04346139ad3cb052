"""Doubts: what an operator allows, and TensorFlow does not seem to have."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator

from tfaas_core.settings.checks import nearest

_PIECE = re.compile(r"\(([\w|]+)\)(\??)|(\w)\?|((?:\w(?!\?)|>)+)")
"""Of a pattern: alternatives, perhaps none of them; a letter or none; letters."""


def doubts(ops: Collection[str]) -> list[str]:
    """Of those of ``ops``, which an operator allows, that no list has: a sentence each."""
    if not ops:
        return []
    # Only here: each process of a server would read the lists as it starts.
    from tfaas_backends.runtimes.vetting.op_lists import unlisted

    return [
        f"no op of TensorFlow is called `{op}` - at `$.models.allow_ops`{nearest(op, _names())}"
        for op in unlisted(ops)
    ]


def _names() -> Iterator[str]:
    """The ops of the families, but for those whose pattern leaves letters open."""
    from tfaas_backends.runtimes.vetting.op_lists import REFUSED_FAMILIES

    for family in REFUSED_FAMILIES:
        for pattern in family.patterns:
            pieces = list(_PIECE.finditer(pattern))
            # Asked of the whole by one expression, that would double with each letter of a name.
            if "".join(piece[0] for piece in pieces) == pattern:
                yield from map("".join, itertools.product(*map(_choices, pieces)))


def _choices(piece: re.Match[str]) -> list[str]:
    group, optional, letter, text = piece.groups("")
    return [*(group or letter or text).split("|"), *("" for _ in optional or letter)]
