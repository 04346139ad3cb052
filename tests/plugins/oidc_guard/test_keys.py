"""Keys are fetched from an issuer that may hang, go away, lie, and rotate them."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest
from joserfc.jwk import RSAKey
from tfaas_plugins.oidc_guard import key_store
from tfaas_plugins.oidc_guard.key_store import PAUSE_S

from tests.issuer import Issuer, Signer, claims_of, signed
from tests.plugins.oidc_guard.asked import DISCOVERY, Asked
from tests.plugins.oidc_guard.guards import admitted, bearing
from tfaas_core.errors import Unauthorized, Unavailable
from tfaas_core.testing.loops import in_event_loop


@in_event_loop
async def test_keys_are_fetched_once_for_all_who_come(issuer: Issuer) -> None:
    asked = Asked(issuer)
    tokens = [issuer.token(sub=f"u{n}") for n in range(20)]
    found = await asyncio.gather(*(asked.outcome(token) for token in tokens))
    assert found == [f"lab:u{n}" for n in range(20)]
    assert issuer.asked == [DISCOVERY, "/jwks"]
    assert asked.guard.admit(bearing(issuer.token())) == "lab:alice"


@in_event_loop
async def test_keys_may_be_at_a_url_without_discovery(issuer: Issuer) -> None:
    asked = Asked(issuer, jwks=f"{issuer.url}/jwks")
    assert await asked.outcome(issuer.token()) == "lab:alice"
    assert issuer.asked == ["/jwks"]


@in_event_loop
async def test_a_rotated_key_is_fetched_and_the_former_is_taken_no_more(issuer: Issuer) -> None:
    asked = Asked(issuer)
    before = issuer.token()
    assert await asked.outcome(before) == "lab:alice"
    issuer.rotate()
    asked.clock.now_s += PAUSE_S
    assert await asked.outcome(issuer.token()) == "lab:alice"
    assert issuer.fetches() == 2
    # Not even what was verified by it.
    assert await asked.outcome(before) == 401


@in_event_loop
async def test_keys_are_refreshed_while_nobody_waits(issuer: Issuer) -> None:
    asked = Asked(issuer, refresh_s=100)
    token = issuer.token()
    assert await asked.outcome(token) == "lab:alice"
    issuer.rotate()
    asked.clock.now_s += 100
    # Neither one that is kept waits, nor another one.
    assert asked.guard.admit(bearing(token)) == "lab:alice"
    assert asked.guard.admit(bearing(of_the_first_key(issuer, "bob"))) == "lab:bob"
    await asked.fetched()
    assert issuer.fetches() == 2
    assert await asked.outcome(token) == 401


def of_the_first_key(issuer: Issuer, sub: str) -> str:
    return signed(claims_of(issuer.url, sub=sub), Signer().keys["first"], kid="first")


@in_event_loop
async def test_unknown_keys_cause_no_storm_of_fetches(issuer: Issuer) -> None:
    asked = Asked(issuer)
    known, stranger = issuer.token(), RSAKey.generate_key(2048)
    assert await asked.outcome(known) == "lab:alice"

    def strange(n: int) -> str:
        return signed(claims_of(issuer.url), stranger, kid=f"kid-{n}")

    tokens = [strange(n) for n in range(50)]
    for step in range(3):
        asked.clock.now_s += PAUSE_S
        outcomes = await asyncio.gather(*(asked.outcome(token) for token in tokens))
        assert outcomes == [401] * 50
        for token in tokens:
            with pytest.raises(Unauthorized):
                asked.guard.admit(bearing(token))
        assert issuer.fetches() == 2 + step


@in_event_loop
async def test_while_the_issuer_hangs_those_with_known_keys_do_not_wait(issuer: Issuer) -> None:
    asked = Asked(issuer, timeout_s=1.0)
    known = issuer.token()
    assert await asked.outcome(known) == "lab:alice"
    issuer.answers["/jwks"] = issuer.hang
    asked.clock.now_s += PAUSE_S
    strange = signed(claims_of(issuer.url), RSAKey.generate_key(2048), kid="other")
    waiting = [asyncio.create_task(asked.outcome(strange)) for _ in range(300)]
    await asyncio.sleep(0)
    for n in range(10):
        # Plain answers, of nobody who waits.
        assert asked.guard.admit(bearing(issuer.token(sub=f"u{n}"))) == f"lab:u{n}"
    begin_s = time.monotonic()
    outcomes = await asyncio.gather(*waiting)
    assert time.monotonic() - begin_s < 10
    assert set(outcomes) == {503}
    assert len([path for path in issuer.asked if path == "/jwks"]) == 2
    # It is not asked again at once, and those keys hold.
    assert await asked.outcome(strange) == 503
    assert await asked.outcome(known) == "lab:alice"
    assert issuer.fetches() == 2


@in_event_loop
async def test_keys_are_kept_while_the_issuer_is_away(caplog: pytest.LogCaptureFixture) -> None:
    with Issuer() as issuer:
        asked = Asked(issuer, refresh_s=100)
        assert await asked.outcome(issuer.token()) == "lab:alice"
    for n in range(5):
        asked.clock.now_s += 1000
        token = of_the_first_key(issuer, f"u{n}")
        assert asked.guard.admit(bearing(token)) == f"lab:u{n}"
        await asked.fetched()
        assert asked.store._failure
    told = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert len(told) == 5
    assert "the keys of the issuer lab cannot be had, so the former ones hold" in told[0].message
    with Issuer(issuer.port) as back:
        back.rotate()
        asked.clock.now_s += 1000
        assert await asked.outcome(back.token()) == "lab:alice"


@in_event_loop
async def test_an_issuer_that_was_never_there_is_a_503_until_it_comes() -> None:
    with Issuer() as issuer:
        pass
    asked = Asked(issuer)
    with pytest.raises(Unavailable, match="keys of the issuer lab cannot be had now"):
        await admitted(asked.guard, issuer.token())
    with Issuer(issuer.port) as back:
        assert await asked.outcome(issuer.token()) == 503
        assert back.asked == []
        asked.clock.now_s += PAUSE_S
        assert await asked.outcome(issuer.token()) == "lab:alice"


@in_event_loop
async def test_what_is_being_fetched_ends_with_the_server(issuer: Issuer) -> None:
    issuer.answers[DISCOVERY] = issuer.hang
    asked = Asked(issuer, timeout_s=60.0)
    loading = asked.store.begin()
    while not issuer.asked:
        await asyncio.sleep(0.01)
    await asked.store.close()
    assert loading.cancelled()


@in_event_loop
async def test_no_more_than_some_wait_for_a_fetch(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_store, "_MOST_WAITING", 2)
    issuer.answers[DISCOVERY] = issuer.hang
    asked = Asked(issuer, timeout_s=1.0)
    outcomes = [asyncio.create_task(asked.outcome(issuer.token(sub=str(n)))) for n in range(3)]
    await outcomes[2]
    assert [task.done() for task in outcomes] == [False, False, True]
    await asyncio.gather(*outcomes)
    assert issuer.asked == [DISCOVERY]
