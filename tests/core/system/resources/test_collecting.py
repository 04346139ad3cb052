"""When Python looks for cycles among its objects."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from tfaas_core.system.resources.collecting import lasting


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Other tests may leave cycles, which are to be found."""
    yield
    gc.unfreeze()


def test_what_a_block_has_made_is_not_looked_through_meanwhile_or_later() -> None:
    with lasting():
        made = [[number] for number in range(100)]
        assert not gc.isenabled()
    assert gc.isenabled()
    looked_through = {id(each) for each in gc.get_objects()}
    assert not looked_through.intersection(map(id, made))


def test_within_another_block_and_after_one_that_fails_it_is_as_before() -> None:
    with lasting():
        with lasting():
            pass
        assert not gc.isenabled()
    with pytest.raises(ValueError, match="x"), lasting():
        raise ValueError("x")
    assert gc.isenabled()


class Cycle:
    def __init__(self) -> None:
        self.own = self


def test_heaps_of_garbage_are_not_kept() -> None:
    with lasting():
        first = weakref.ref(Cycle())
        for _ in range(400_000):
            Cycle()
    assert first() is None


def test_where_next_to_nothing_is_garbage_it_is_not_looked_for() -> None:
    with lasting(leaves_garbage=False):
        first = weakref.ref(Cycle())
        made = [[number] for number in range(400_000)]
    assert first() is not None
    assert len(made) == 400_000
