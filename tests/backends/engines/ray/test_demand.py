"""How many hosts there are to be."""

from __future__ import annotations

from tfaas_backends.engines.ray.demand import Demand
from tfaas_backends.engines.ray.table import RayTable

from tfaas_core.engine.base import ServableStatus
from tfaas_core.engine.shared.calm import CALM_S

TABLE = RayTable(min_hosts=1, max_hosts=4, rows_per_host=10)


def models(count: int, rows: int = 0, idle_s: float = 0.0) -> list[ServableStatus]:
    return [ServableStatus("vk/1", "ready", 1, None, rows, idle_s)] * count


def test_rows_that_wait_and_models_in_use_need_hosts_and_limits_hold() -> None:
    for served, wanted in [
        (models(0), 1),
        (models(2, rows=10), 2),
        (models(2, rows=11), 3),
        (models(8), 1),
        (models(9), 2),
        (models(9, idle_s=CALM_S), 1),
        (models(99, rows=99), 4),
    ]:
        assert Demand(TABLE, 10).wanted(1, served, 0.0) == wanted


def test_it_grows_at_once_and_shrinks_one_by_one_after_a_calm() -> None:
    demand = Demand(TABLE, 10)
    assert demand.wanted(3, models(0), 0.0) == 3  # those that another controller has left
    assert demand.wanted(3, models(1, rows=40), 1.0) == 4
    assert demand.wanted(3, models(1), 1.0 + CALM_S - 1) == 4
    assert demand.wanted(4, models(1), 1.0 + CALM_S) == 3
    assert demand.wanted(3, models(1), 1.0 + CALM_S + 1) == 3
    assert demand.wanted(3, models(1, rows=30), 1.5 * CALM_S) == 3  # which begins the calm anew
    assert demand.wanted(3, models(1), 2.4 * CALM_S) == 3
    assert demand.wanted(3, models(1), 2.5 * CALM_S) == 2
