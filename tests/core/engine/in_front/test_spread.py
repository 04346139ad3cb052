"""On how many hosts a model is to be, as rows come and go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tfaas_core.engine.in_front.spread import Spread, SpreadSettings

CALM_S = 100.0
SETTINGS = SpreadSettings(most=4, rows=10, calm_s=CALM_S)


def looked(spread: Spread, rows: int, now_s: float) -> int:
    """On how many hosts the model is to be."""
    return spread.look({"hot": rows} if rows else {}, now_s).get("hot", 1)


def test_a_model_grows_when_two_looks_agree_as_far_as_both_do() -> None:
    spread = Spread(SETTINGS)
    found = [looked(spread, rows, at) for at, rows in enumerate([99, 0, 99, 25, 99, 99])]
    assert found == [1, 1, 1, 3, 3, 4]
    assert spread.look({"hot": 99, "cold": 10}, 9.0) == {"hot": 4}


def test_it_shrinks_by_one_host_after_each_calm() -> None:
    spread = Spread(SETTINGS)
    for now_s in (0.0, 1.0):
        looked(spread, 30, now_s)
    calm = 1.0 + CALM_S
    assert [looked(spread, 11, now_s) for now_s in (2.0, calm - 1, calm)] == [3, 3, 2]
    assert looked(spread, 11, calm + CALM_S) == 2
    assert looked(spread, 10, calm + 2 * CALM_S) == 1


def test_what_is_missed_soon_after_it_went_stays_twice_as_long() -> None:
    spread = Spread(SETTINGS)
    times = iter(range(100_000))
    stays = []
    for _turn in range(7):
        while looked(spread, 20, next(times)) == 1:
            pass
        begin_s = next(times)
        while looked(spread, 1, now_s := next(times)) > 1:
            pass
        stays.append(round((now_s - begin_s) / CALM_S))
    assert stays == [1, 2, 4, 8, 16, 16, 16]


def test_it_goes_on_from_what_another_has_decided() -> None:
    spread = Spread(SETTINGS)
    spread.begin({"hot": 3, "many": 9, "one": 1}, 0.0)
    assert spread.look({}, 1.0) == {"hot": 3, "many": 4}
    assert spread.look({}, CALM_S) == {"hot": 2, "many": 3}


@given(st.lists(st.tuples(st.integers(0, 100), st.floats(0, 300)), max_size=60))
def test_it_is_never_on_more_than_it_may_and_forgets_what_is_cold(
    looks: list[tuple[int, float]],
) -> None:
    spread, now_s, before = Spread(SETTINGS), 0.0, 1
    for rows, later_s in looks:
        now_s += later_s
        before = looked(spread, rows, now_s)
        assert 1 <= before <= 4
    for _calm in range(4 * 16 + 2):
        now_s += CALM_S
        found = looked(spread, 0, now_s)
        assert before - 1 <= found <= before
        before = found
    assert before == 1
