"""How many rows may wait, as the answers before tell it."""

from __future__ import annotations

from tfaas_core.engine.scheduling.patience import ANY, Patience


def test_without_a_queue_there_is_no_bound() -> None:
    patience = Patience(1.0)
    assert patience.most_ahead() == ANY
    patience.answered(1, 0.09, 0.09)
    patience.answered(5000, 0.09, 0.05)
    assert patience.most_ahead() == ANY


def test_as_many_wait_as_are_answered_in_time() -> None:
    patience = Patience(1.0)
    patience.answered(300, 0.3, 0.01)
    assert patience.most_ahead() == 600
    for _ in range(50):
        patience.answered(800, 1.6, 0.01)
    assert patience.most_ahead() == 300
    patience.answered(400, 0.05, 0.01)
    assert patience.most_ahead() == ANY


def test_of_a_model_that_computes_for_long_one_may_wait() -> None:
    patience = Patience(1.0)
    patience.answered(1, 5.0, 5.0, 1)
    assert patience.most_ahead() == ANY
    patience.answered(2, 10.0, 5.0)
    assert patience.most_ahead() == 2


def test_a_stall_of_whoever_was_alone_bounds_nothing() -> None:
    patience = Patience(1.0)
    patience.answered(1, 5.0, 0.01, 1)
    patience.answered(64, 5.0, 0.01, 64)
    assert patience.most_ahead() == ANY


def test_what_is_known_of_a_queue_is_forgotten_soon_after_its_last_answer() -> None:
    now_s = 100.0
    patience = Patience(1.0, lambda: now_s)
    patience.answered(2, 5.0, 0.01, 1)
    assert patience.most_ahead() == 0
    now_s += 9.9
    assert patience.most_ahead() == 0
    patience.answered(2, 0.5, 0.01, 1)
    now_s += 1.9
    assert patience.most_ahead() < 10
    now_s += 0.2
    assert patience.most_ahead() == ANY
    patience.answered(300, 0.3, 0.01, 1)
    assert patience.most_ahead() == 600
