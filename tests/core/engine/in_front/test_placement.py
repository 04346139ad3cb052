from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tfaas_core.engine.in_front.placement import MOST_FULL, Placement, chosen

HOSTS = [f"10.0.0.{number}:8090" for number in range(1, 11)]
MODELS = [f"model-{number}" for number in range(2000)]


def firsts(hosts: list[str]) -> dict[str, str]:
    """The host that serves each model."""
    placement = Placement(hosts)
    return {model: hosts[placement.order(model)[0]] for model in MODELS}


def test_models_are_spread_over_all_hosts() -> None:
    counts = Counter(firsts(HOSTS).values())
    assert set(counts) == set(HOSTS)
    assert max(counts.values()) < 1.5 * len(MODELS) / len(HOSTS)


def test_a_host_more_or_less_moves_its_own_models_alone() -> None:
    all_hosts, fewer = firsts(HOSTS), firsts(HOSTS[:-1])
    moved = {model for model in MODELS if all_hosts[model] != fewer[model]}
    assert moved == {model for model in MODELS if all_hosts[model] == HOSTS[-1]}


def test_the_order_of_the_list_does_not_matter() -> None:
    assert firsts(HOSTS) == firsts(HOSTS[::-1])


def test_the_next_host_is_the_one_that_serves_without_the_first() -> None:
    placement = Placement(HOSTS)
    for model in MODELS[:50]:
        first, second, *_others = (HOSTS[place] for place in placement.order(model))
        others = [host for host in HOSTS if host != first]
        assert others[Placement(others).order(model)[0]] == second


ORDERS = st.permutations(range(20))
PLACES = st.sets(st.integers(0, 19))


@given(ORDERS, st.integers(1, 5), PLACES, PLACES)
def test_a_model_is_on_the_first_hosts_of_its_order_that_have_room(
    order: list[int], replicas: int, away: set[int], full: set[int]
) -> None:
    found = chosen(order, replicas, lambda place: place not in away, full.__contains__)
    there = [place for place in order if place not in away]
    with_room = [place for place in there if place not in full]
    if len(full) < MOST_FULL:
        assert found == (with_room or there)[: replicas if with_room else 1]
    assert found == with_room[: len(found)] or found == there[:1]
    assert bool(found) is bool(there)


def test_one_host_more_for_a_model_moves_none_that_it_has() -> None:
    order = Placement(HOSTS).order(MODELS[0])
    found = [chosen(order, count, lambda _place: True, lambda _place: False) for count in (2, 3)]
    assert found[1][:2] == found[0] == list(order[:2])
