"""Whether a version needs more processes, by made-up looks at them."""

from __future__ import annotations

import pytest

from tfaas_core.engine.scheduling.demand import KEEP_S, Demand, Sight


class Looks:
    """Looks at processes, a quarter of a second after each other."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.demand = Demand(lambda: self.now_s)
        self._busy_ns: dict[int, int] = {}

    def see(self, *shares: float, rows: int, seconds: float = 0.25) -> None:
        """Each process has run for such a share of the time, and has so many rows in flight."""
        self.now_s += seconds
        for ticket, share in enumerate(shares):
            self._busy_ns[ticket] = self._busy_ns.get(ticket, 0) + int(share * seconds * 1e9)
        self.demand.look([Sight(n, self._busy_ns[n], rows) for n in range(len(shares))])


@pytest.fixture
def looks() -> Looks:
    looks = Looks()
    looks.see(0.0, rows=0)
    return looks


def test_a_queue_that_stays_long_needs_more(looks: Looks) -> None:
    looks.see(1.0, rows=5)
    assert not looks.demand.needs_more()
    looks.see(1.0, rows=5)
    assert looks.demand.needs_more()


@pytest.mark.parametrize(("share", "rows"), [(1.0, 1), (0.5, 50)])
def test_one_client_and_a_process_that_is_not_busy_need_no_more(
    looks: Looks, share: float, rows: int
) -> None:
    for _ in range(9):
        looks.see(share, rows=rows)
        assert not looks.demand.needs_more()


def test_a_new_process_has_its_share_before_there_are_more(looks: Looks) -> None:
    looks.see(1.0, rows=5)
    looks.see(1.0, 1.0, rows=5)
    looks.see(1.0, 1.0, rows=5)
    assert not looks.demand.needs_more()
    looks.see(1.0, 1.0, rows=5)
    assert looks.demand.needs_more()


def test_one_that_was_not_needed_for_long_is_one_too_many(looks: Looks) -> None:
    looks.see(0.3, 0.2, rows=1)
    looks.see(0.3, 0.2, rows=1, seconds=KEEP_S - 1)
    assert not looks.demand.needs_fewer()
    looks.see(0.9, 0.9, rows=1)
    looks.see(0.3, 0.2, rows=1, seconds=KEEP_S - 1)
    assert not looks.demand.needs_fewer()
    looks.see(0.3, 0.2, rows=1, seconds=2)
    assert looks.demand.needs_fewer()
    assert not looks.demand.needs_fewer()
