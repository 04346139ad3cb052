from __future__ import annotations

import math
import time

from tfaas_core.engine.shared.sender_clock import SenderClock

APART_S = 1000.0
"""How far the sender's clock is ahead of this one."""


def test_what_a_frame_waited_for_in_the_socket_is_no_time_that_it_has_left() -> None:
    now_s = time.monotonic()
    clock = SenderClock(now_s + APART_S, 30.0, now_s)
    sent_s = now_s - 5
    assert math.isclose(clock.here(sent_s + APART_S + 30), sent_s + 30, abs_tol=1e-6)


def test_a_deadline_is_never_later_than_the_time_left_from_now() -> None:
    clock = SenderClock(time.monotonic() + APART_S, 30.0)
    for ahead_s in (0.0, 7.0, 1e6):
        deadline_s = clock.here(time.monotonic() + APART_S + ahead_s + 30)
        assert deadline_s <= time.monotonic() + 30


def test_what_is_no_time_has_passed() -> None:
    clock = SenderClock(0.0, 30.0)
    for deadline_s in (math.nan, math.inf, -math.inf):
        assert clock.here(deadline_s) < time.monotonic()
    now_s = time.monotonic()
    assert clock.here(now_s + 30) <= time.monotonic() + 30
