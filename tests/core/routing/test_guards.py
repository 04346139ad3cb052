"""Guards are asked before the body is read, and again for each model; all must allow."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import Any

import msgspec
import pytest

from tests.core.routing.test_seam import Arriving, arriving
from tfaas_core.errors import Forbidden, TooManyRequests, Unauthorized
from tfaas_core.guard import Asking, Guard
from tfaas_core.observer import Answered, Observer
from tfaas_core.route import Head, Request, Response, Right, Route, admit
from tfaas_core.routing.guards import Guards
from tfaas_core.routing.observers import Observers
from tfaas_core.routing.seam import SealedRoute, sealed


class Asked(Guard):
    """Keeps what it is asked, and raises what a test wants."""

    def __init__(
        self, identity: str = "", error: Exception | None = None, of_model: Exception | None = None
    ) -> None:
        self.asked: list[Asking] = []
        self.models: list[tuple[str, str]] = []
        self._identity, self._error, self._of_model = identity, error, of_model

    async def admit(self, asking: Asking) -> str:
        self.asked.append(asking)
        if self._error is not None:
            raise self._error
        return self._identity

    async def admit_to(self, asking: Asking, identity: str, model: str) -> None:
        self.models.append((identity, model))
        if self._of_model is not None:
            raise self._of_model


class Plain(Asked):
    """The same, of plain functions."""

    def admit(self, asking: Asking) -> str:  # type: ignore[override]
        self.asked.append(asking)
        if self._error is not None:
            raise self._error
        return self._identity

    def admit_to(  # type: ignore[override]
        self, asking: Asking, identity: str, model: str
    ) -> None:
        self.models.append((identity, model))
        if self._of_model is not None:
            raise self._of_model


async def handler(request: Request) -> Response:
    assert isinstance(request, Arriving)
    request.steps.append("handled")
    for model in request.body.decode().split():
        await admit(request, model)
    return Response(b"done")


def route_for(
    *guards: Guard, right: Right | None = None, observers: Observers | None = None
) -> SealedRoute:
    route = Route("/x/{name}", ("POST", "GET"), handler, right=right)
    owned = Guards((guard, "tfaas_guard") for guard in guards)
    return sealed(route, guards=owned, observers=observers)


def ask(route: SealedRoute, request: Arriving) -> Response:
    async def asked() -> Response:
        return await route.passage(request)

    return asyncio.run(asked())


def to_model(name: str = "vk", method: str = "POST") -> Arriving:
    head = Head(method, f"/x/{name}", path_fields={"name": name})
    return Arriving(head, arriving().client)


def test_who_is_admitted_is_answered() -> None:
    first, second = Asked(), Asked("alice")
    request = to_model()
    assert ask(route_for(first, second), request).body == b"done"
    (asking,) = first.asked
    assert (asking.route, asking.head, asking.client) == (
        "/x/{name}",
        request.head,
        request.client,
    )
    assert first.models[0] == ("", "vk")
    assert second.models[0] == ("alice", "vk")
    assert request.visit is not None
    assert request.visit.identity == "alice"


@pytest.mark.parametrize("kind", [Asked, Plain])
def test_one_that_only_counts_does_not_count_what_another_refuses(kind: type[Asked]) -> None:
    class Counting(kind):  # type: ignore[misc, valid-type]
        knows_who_asks = False

    counting, guard = Counting(), kind("alice", of_model=Forbidden("no"))
    assert ask(route_for(counting, guard), to_model()).status == 403
    assert (len(counting.asked), counting.models, guard.models) == (1, [], [("alice", "vk")])


@pytest.mark.parametrize(
    ("error", "status", "header"),
    [
        (Unauthorized("who?"), 401, ("WWW-Authenticate", "Bearer")),
        (Forbidden("no"), 403, None),
        (TooManyRequests("later"), 429, ("Retry-After", "1")),
    ],
)
@pytest.mark.parametrize("second", [False, True])
def test_one_refusal_is_enough_and_comes_before_the_body(
    error: Exception, status: int, header: tuple[str, str] | None, second: bool
) -> None:
    guards = [Asked(), Asked(error=error)] if second else [Asked(error=error), Asked()]
    request = to_model()
    answer = ask(route_for(*guards), request)
    assert answer.status == status
    assert header is None or header in answer.headers.items()
    assert request.steps == []


def test_a_model_that_the_path_names_is_refused_before_the_body_too() -> None:
    request = to_model("secret")
    assert ask(route_for(Asked(of_model=Forbidden("no"))), request).status == 403
    assert request.steps == []


def test_models_that_become_known_later_are_asked_for_once() -> None:
    guard = Asked("bob")
    assert ask(route_for(guard), to_model("vk")).status == 200
    assert guard.models == [("bob", "vk"), ("bob", "whole")]


@pytest.mark.parametrize("kinds", list(itertools.product([Asked, Plain], repeat=2)))
def test_admit_to_knows_who_asks_whichever_guard_said_it(kinds: tuple[type[Asked], ...]) -> None:
    known: list[str] = []

    class Curious(Guard):
        def admit(self, asking: Asking) -> str:
            known.append(asking.identity)
            return ""

        def admit_to(self, asking: Asking, identity: str, model: str) -> None:
            known.append(asking.identity)

    first, second = kinds
    ask(route_for(Curious(), first(""), second("bob")), to_model("vk"))
    assert known == ["", "bob", "bob"]
    known.clear()
    ask(route_for(first(""), Curious()), to_model("vk"))
    assert known == ["", "", ""]


@pytest.mark.parametrize("kinds", list(itertools.product([Asked, Plain], repeat=3)))
def test_guards_wait_or_do_not_and_are_asked_in_order(kinds: tuple[type[Asked], ...]) -> None:
    first, second, third = (
        kind(identity) for kind, identity in zip(kinds, ["", "bob", "eve"], strict=True)
    )
    request = to_model()
    assert ask(route_for(first, second, third), request).body == b"done"
    assert [guard.models[0] for guard in (first, second, third)] == [
        ("", "vk"),
        ("bob", "vk"),
        ("eve", "vk"),
    ]
    assert [len(guard.asked) for guard in (first, second, third)] == [1, 1, 1]
    assert request.visit is not None
    assert request.visit.identity == "bob"
    for refusing in range(3):
        guards = [
            kind(error=Forbidden("no") if number == refusing else None)
            for number, kind in enumerate(kinds)
        ]
        assert ask(route_for(*guards), to_model()).status == 403
        assert [len(guard.asked) for guard in guards] == [int(n <= refusing) for n in range(3)]
        guards = [
            kind(of_model=Forbidden("no") if number == refusing else None)
            for number, kind in enumerate(kinds)
        ]
        assert ask(route_for(*guards), to_model()).status == 403
        assert [len(guard.models) for guard in guards] == [int(n <= refusing) for n in range(3)]


def test_a_guard_of_no_model_costs_no_second_question() -> None:
    class Trivial(Guard):
        def admit(self, asking: Asking) -> str:
            return "alice"

    request = to_model()
    assert ask(route_for(Trivial()), request).status == 200
    assert request.visit is not None
    assert (request.visit.gate, request.visit.identity) == (None, "alice")


@pytest.mark.parametrize("said", [None, 3, b"alice"], ids=repr)
@pytest.mark.parametrize("waits", [False, True])
def test_a_guard_that_says_no_name_lets_nobody_pass(
    said: Any, waits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong(Guard):
        def admit(self, asking: Asking) -> Any:
            return self._later() if waits else said

        async def _later(self) -> Any:
            return said

    request = to_model()
    answer = ask(route_for(Wrong()), request)
    assert (answer.status, request.steps) == (500, [])
    assert msgspec.json.decode(answer.body)["plugin"] == "tfaas_guard"
    assert f"admit gave {type(said).__name__}, expected str" in caplog.text


@pytest.mark.parametrize("said", [False, True, "bob"], ids=repr)
@pytest.mark.parametrize("waits", [False, True])
def test_a_guard_that_says_anything_of_a_model_lets_nobody_pass(
    said: Any, waits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong(Plain):
        def admit_to(self, asking: Asking, identity: str, model: str) -> Any:
            return self._later() if waits else said

        async def _later(self) -> Any:
            return said

    request = to_model()
    answer = ask(route_for(Wrong()), request)
    assert (answer.status, request.steps) == (500, [])
    assert f"admit_to gave {type(said).__name__}, expected None" in caplog.text


@pytest.mark.parametrize(
    "guard",
    [
        kind(error=error, of_model=of_model)
        for kind in (Asked, Plain)
        for error, of_model in ((KeyError("x"), None), (None, KeyError("x")))
    ],
)
def test_a_guard_that_fails_lets_nobody_pass(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    request = to_model()
    answer = ask(route_for(guard), request)
    assert (answer.status, request.steps) == (500, [])
    assert msgspec.json.decode(answer.body)["plugin"] == "tfaas_guard"
    (record,) = caplog.records
    assert (record.levelno, "plugin tfaas_guard failed" in record.getMessage()) == (
        logging.ERROR,
        True,
    )


@pytest.mark.parametrize(
    ("method", "said", "right"),
    [
        ("GET", None, "read"),
        ("HEAD", None, "read"),
        ("POST", None, "admin"),
        ("POST", "predict", "predict"),
        ("GET", "admin", "admin"),
    ],
)
def test_a_route_says_what_it_takes(method: str, said: Right | None, right: Right) -> None:
    guard = Asked()
    ask(route_for(guard, right=said), to_model(method=method))
    assert guard.asked[0].right == right


def test_observers_are_told_of_the_refused_too() -> None:
    told: list[Answered] = []

    class Told(Observer):
        def answered(self, answer: Answered) -> None:
            told.append(answer)

    observers = Observers([(Told(), "tfaas_told")])
    lacking = Forbidden("you lack the right")
    lacking.identity = "bob"
    for kind in (Asked, Plain):
        alice, stranger, bob = kind("alice"), kind(error=Unauthorized("who?")), kind(error=lacking)
        for guards in ([alice], [stranger], [alice, stranger], [bob]):
            ask(route_for(*guards, observers=observers), to_model())
    expected = [(200, "alice"), (401, ""), (401, "alice"), (403, "bob")]
    assert [(answer.status, answer.identity) for answer in told] == expected * 2
