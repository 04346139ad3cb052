from __future__ import annotations

from typing import Any

import pytest
from tfaas_plugins.codecs.json.kept_parser import read_parsed


def sum_of(parsed: Any) -> float:
    found: float = sum(parsed.as_list())
    return found


def test_a_text_may_be_read_while_another_one_is() -> None:
    def both(parsed: Any) -> float:
        return read_parsed(b"[1, 2]", sum_of) + sum_of(parsed)

    for _turn in range(2):
        assert read_parsed(b"[3, 4]", both) == 10


def test_whatever_becomes_of_one_text_the_next_is_read() -> None:
    read_parsed(b"[1]", sum_of)
    with pytest.raises(ValueError, match="TAPE_ERROR"):
        read_parsed(b"[1", sum_of)
    with pytest.raises(ZeroDivisionError) as kept:
        read_parsed(b"[1]", lambda parsed: len(parsed) // 0)
    assert read_parsed(b"[1, 2]", sum_of) == 3
    assert kept.value.__traceback__ is not None
