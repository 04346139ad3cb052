"""Long texts, put together in steps."""

from __future__ import annotations

import sys

import pytest

from tests.plugins.held import is_quick
from tfaas_core.values.pieces import BYTES_AT_ONCE
from tfaas_core.values.texts import joined_text

LONG = BYTES_AT_ONCE + 7


@pytest.mark.parametrize("character", ["a", "\x7f", "\x80", "ä", "\u0100", "€", "\ud83d", "😀"])
@pytest.mark.parametrize("length", [0, 3, LONG])
def test_a_text_is_what_python_makes_of_its_parts(character: str, length: int) -> None:
    for parts in (["", "b" * length, character], [character, "b" * length], [character * length]):
        joined, usual = joined_text(parts), "".join(parts)
        assert joined == usual
        assert hash(joined) == hash(usual)
        # It takes the same room: of an ASCII text that Python had to take for another, twice that.
        assert sys.getsizeof(joined) == sys.getsizeof(usual)


def test_it_is_nobody_elses() -> None:
    joined, usual = joined_text(["a" * LONG, "ä"]), "".join(["a" * LONG, "ä"])
    assert sys.getrefcount(joined) == sys.getrefcount(usual)


def test_no_step_of_it_holds_up_others() -> None:
    parts = ["a" * BYTES_AT_ONCE] * 48 + ["😀"]
    assert is_quick(lambda: joined_text(parts))
