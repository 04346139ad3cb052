"""Limits as the configuration spells them, and the refusals that come of them."""

from __future__ import annotations

import pytest
from tfaas_plugins.rate_limit.limit import OverLimit, limits_of

from tfaas_core.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100/minute", [(100, 60)]),
        ("5 per second", [(5, 1)]),
        ("5 per 10 seconds", [(5, 10)]),
        ("1/day", [(1, 86400)]),
        ("10/second; 100 per hour", [(10, 1), (100, 3600)]),
        ("100-S", [(100, 1)]),
        ("5-m", [(5, 60)]),
        (" 1000 - H ", [(1000, 3600)]),
        ("2000-D", [(2000, 86400)]),
    ],
)
def test_a_limit_is_spelled_as_the_library_and_as_the_original_do(
    text: str, expected: list[tuple[int, int]]
) -> None:
    assert [(one.amount, one.period_s) for one in limits_of("client", text, "$.x")] == expected


def test_a_key_may_have_several() -> None:
    limits = limits_of("model", ("10/second", "100-M"), "$.x")
    assert [(one.kind, one.amount) for one in limits] == [("model", 10), ("model", 100)]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is no limit"),
        ("100", "is no limit"),
        ("100-W", "is no limit"),
        ("100/fortnight", "is no limit"),
        ("-1/second", "is no limit"),
        ("1.5/second", "is no limit"),
        ("1/second, never", "is no limit"),
        ("0/second", "lets in fewer requests than 1"),
        ("0-S", "lets in fewer requests than 1"),
        ("1000000001/second", "or more than 1_000_000_000"),
        ("1 per 2 years", "is for longer than a year"),
        (f"1 per {10**30} seconds", "is for longer than a year"),
    ],
)
def test_what_is_no_limit_is_an_error_with_examples(text: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        limits_of("client", ("1/second", text), "$.plugins.rate_limit.client")
    message = caught.value.message
    assert message.startswith(f"{text!r} ")
    assert what in message
    assert '"100/minute", "5 per 10 seconds" or "100-S"' in message
    assert message.endswith(" - at `$.plugins.rate_limit.client`")


def test_a_refusal_says_which_limit_and_when_to_ask_again() -> None:
    (limit,) = limits_of("model", "10 per 5 minutes", "$.x")
    error = OverLimit(limit, 12.2)
    assert error.message == "more than 10 requests for this model per 5 minutes; ask again in 13 s"
    assert (error.status, error.code) == (429, "too_many_requests")
    assert error.headers() == {
        "Retry-After": "13",
        "RateLimit-Policy": '"model";q=10;w=300',
        "RateLimit": '"model";r=0;t=13',
    }


def test_there_is_room_once_the_windows_weigh_less() -> None:
    (limit,) = limits_of("client", "10/minute", "$.x")
    # 10 of the window before weigh less than 5 once half of it is gone.
    assert limit.wait_s(previous=10, previous_s=50, current=5, current_s=110) == 20
    # The present window is full: it has to end first.
    assert limit.wait_s(previous=0, previous_s=50, current=10, current_s=110) == 50
    # Another limit held before, with more: the rest of it has to pass, too.
    assert limit.wait_s(previous=0, previous_s=50, current=20, current_s=110) == 80
    assert limit.wait_s(previous=0, previous_s=0, current=0, current_s=0) == 0
