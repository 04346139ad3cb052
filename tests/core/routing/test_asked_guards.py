"""Of guards that authenticate, one has to know who asks; all others must allow it as ever."""

from __future__ import annotations

import itertools

import pytest

from tests.core.routing.test_guards import Asked, Plain, ask, route_for, to_model
from tfaas_core.errors import Forbidden, TfaasError, Unauthorized
from tfaas_core.guard import UnknownCredential

STRANGE = UnknownCredential("who?")


class Token(Plain):
    """Authenticates, and waits for nothing."""

    authenticates = True


class Remote(Asked):
    """Authenticates, and waits."""

    authenticates = True


BOTH = list(itertools.product([Token, Remote], repeat=3))


def stranger(kind: type[Asked]) -> Asked:
    return kind(error=UnknownCredential(f"{kind.__name__} asks who"))


@pytest.mark.parametrize("kinds", BOTH)
def test_the_first_that_knows_who_asks_decides(kinds: tuple[type[Asked], ...]) -> None:
    for knowing in range(3):
        guards = [stranger(kind) if n < knowing else kind(f"u{n}") for n, kind in enumerate(kinds)]
        request = to_model()
        assert ask(route_for(*guards), request).body == b"done"
        assert request.visit is not None
        assert request.visit.identity == f"u{knowing}"
        assert [len(guard.asked) for guard in guards] == [int(n <= knowing) for n in range(3)]
        # It alone is asked about models.
        told = [guard.models[:1] for guard in guards]
        assert told == [[(f"u{knowing}", "vk")] if n == knowing else [] for n in range(3)]


@pytest.mark.parametrize("kinds", BOTH)
def test_nobody_passes_whom_none_knows(kinds: tuple[type[Asked], ...]) -> None:
    guards = [stranger(kind) for kind in kinds]
    request = to_model()
    answer = ask(route_for(*guards), request)
    assert answer.status == 401
    assert f"{kinds[0].__name__} asks who".encode() in answer.body
    assert request.steps == []
    assert [len(guard.asked) for guard in guards] == [1, 1, 1]


@pytest.mark.parametrize("kinds", BOTH)
@pytest.mark.parametrize("error", [Unauthorized("expired"), Forbidden("no"), ValueError("bug")])
def test_any_other_refusal_is_final(kinds: tuple[type[Asked], ...], error: Exception) -> None:
    first, second, third = stranger(kinds[0]), kinds[1](error=error), kinds[2]("eve")
    status = error.status if isinstance(error, TfaasError) else 500
    assert ask(route_for(first, second, third), to_model()).status == status
    assert third.asked == []


@pytest.mark.parametrize("kinds", BOTH)
def test_what_the_one_that_knows_refuses_no_other_allows(kinds: tuple[type[Asked], ...]) -> None:
    guards = [
        stranger(kinds[0]),
        kinds[1]("bob", of_model=Forbidden("not that one")),
        kinds[2]("eve"),
    ]
    assert ask(route_for(*guards), to_model()).status == 403
    assert (guards[2].asked, guards[2].models) == ([], [])


@pytest.mark.parametrize("kind", [Token, Remote])
def test_one_that_knows_but_names_nobody_is_a_fault_and_nobody_passes(kind: type[Asked]) -> None:
    for guards in ([kind(""), kind("eve")], [stranger(kind), kind("")]):
        assert ask(route_for(*guards), to_model()).status == 500


@pytest.mark.parametrize("plain", [Plain, Asked])
@pytest.mark.parametrize("kind", [Token, Remote])
def test_all_others_must_allow_it_as_well(plain: type[Asked], kind: type[Asked]) -> None:
    for place in range(3):
        guards: list[Asked] = [stranger(kind), kind("bob")]
        guards.insert(place, plain(error=Forbidden("no")))
        assert ask(route_for(*guards), to_model()).status == 403
        guards[place] = allowing = plain("")
        request = to_model()
        assert ask(route_for(*guards), request).status == 200
        assert allowing.models[0] == ("", "vk")
        assert request.visit is not None
        assert request.visit.identity == "bob"


def test_a_guard_that_does_not_authenticate_leaves_nothing_to_others() -> None:
    eve = Token("eve")
    assert ask(route_for(Plain(error=STRANGE), eve), to_model()).status == 401
    assert ask(route_for(eve, Plain(error=STRANGE)), to_model()).status == 401
    # Who says who asks, but does not prove it, stands in for nobody.
    assert ask(route_for(Token(error=STRANGE), Plain("eve")), to_model()).status == 401
    assert ask(route_for(Plain("eve"), Token(error=STRANGE)), to_model()).status == 401


def test_one_alone_refuses_whom_it_does_not_know() -> None:
    assert ask(route_for(Token(error=STRANGE)), to_model()).status == 401
