"""What answers get on their way back: ids, and what browsers have to know; and who is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tfaas_core.errors import (
    DamagedFile,
    DoesNotFit,
    Forbidden,
    HttpRefused,
    QueueFull,
    TfaasError,
    TooLarge,
    Unavailable,
)
from tfaas_core.fields import Headers
from tfaas_core.guard import Asking, Guard
from tfaas_core.http.request import HttpRequest
from tfaas_core.observer import Answered, Observer
from tfaas_core.route import (
    ClientAddress,
    Handler,
    Head,
    Request,
    Response,
    Right,
    Route,
    request_id_of,
)
from tfaas_core.routing.cors import Cors
from tfaas_core.routing.guards import Guards
from tfaas_core.routing.observers import Observers
from tfaas_core.routing.seam import SealedRoute, sealed

LAB = "https://lab.example"


class Auditor(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Answered] = []

    def audited(self, answer: Answered) -> None:
        self.told.append(answer)


class Told(Observer):
    def __init__(self) -> None:
        self.told: list[Answered] = []

    def answered(self, answer: Answered) -> None:
        self.told.append(answer)


class Needing(Told):
    needs_request_ids = True


class Refusing(Guard):
    def __init__(self, error: TfaasError) -> None:
        self._error = error

    def admit(self, asking: Asking) -> str:
        raise self._error


async def done(_request: Request) -> Response:
    return Response(b"done")


def failing(error: BaseException) -> Handler:
    async def handler(_request: Request) -> Response:
        raise error

    return handler


def route_of(
    *observers: Observer,
    handler: Handler = done,
    right: Right | None = "predict",
    guard: Guard | None = None,
    cors: Cors | None = None,
) -> SealedRoute:
    told = Observers((observer, "tfaas_told") for observer in observers)
    guards = None if guard is None else Guards([(guard, "tfaas_guard")])
    route = Route("/x", ("POST", "GET"), handler, right=right)
    return sealed(route, guards=guards, observers=told, cors=cors)


def request_of(method: str = "POST", **headers: str) -> HttpRequest:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return HttpRequest(Head(method, "/x", headers=Headers(pairs)), ClientAddress("192.0.2.1", 1))


def ask(route: SealedRoute, request: HttpRequest | None = None) -> Response:
    async def asked() -> Response:
        return await route.passage(request or request_of())

    return asyncio.run(asked())


@pytest.mark.parametrize(
    "sent", ["abc-1", "0af7651916cd43dd8448eb211c80319c", "a" * 128, "a=b/c+@~:."]
)
def test_an_id_that_is_sane_comes_back(sent: str) -> None:
    assert ask(route_of(), request_of(x_request_id=sent)).headers == {"X-Request-Id": sent}


@pytest.mark.parametrize(
    "sent", ["", "a" * 129, "a" * 4096, "a b", "a\x1b[31m", 'a"b', "ä", "a,b", "<script>", "a\tb"]
)
def test_another_one_is_made_instead_of_one_that_is_not(sent: str) -> None:
    first, second = (
        ask(route_of(), request_of(x_request_id=sent)).headers["X-Request-Id"] for _ in range(2)
    )
    assert first != second
    assert {sent}.isdisjoint((first, second))


def test_who_sends_none_gets_one_if_somebody_needs_it() -> None:
    assert ask(route_of()).headers == {}
    assert ask(route_of(Auditor())).headers == {}
    told, needing = Told(), Needing()
    assert ask(route_of(told)).headers == {}
    answer = ask(route_of(needing))
    assert [each.request_id for each in told.told] == [""]
    assert [each.request_id for each in needing.told] == [answer.headers["X-Request-Id"]]


def test_whoever_is_told_is_told_the_clients_own_id() -> None:
    told = Told()
    ask(route_of(told), request_of(x_request_id="abc-1"))
    assert [each.request_id for each in told.told] == ["abc-1"]


def test_a_handler_may_ask_for_the_id() -> None:
    seen: list[str] = []

    async def handler(request: Request) -> Response:
        seen.extend((request_id_of(request), request_id_of(request)))
        return Response()

    headers = ask(route_of(handler=handler)).headers
    assert seen == [headers["X-Request-Id"]] * 2


def test_the_log_of_a_bug_has_the_id(caplog: pytest.LogCaptureFixture) -> None:
    route = route_of(handler=failing(KeyError("x")))
    assert ask(route, request_of(x_request_id="abc-1")).headers["X-Request-Id"] == "abc-1"
    assert "POST /x (id abc-1) failed" in caplog.text


@pytest.mark.parametrize(
    ("error", "is_told"),
    [
        (Forbidden("no"), True),
        (TooLarge("no"), True),
        (QueueFull("no"), True),
        (DamagedFile("no"), True),
        (HttpRefused("too slow", 408), True),
        (Unavailable("no"), False),
        (DoesNotFit("no"), False),
    ],
)
def test_of_predictions_refusals_are_audited(error: TfaasError, is_told: bool) -> None:
    auditor = Auditor()
    answer = ask(route_of(auditor, handler=failing(error)))
    assert [each.status for each in auditor.told] == [error.status] * is_told
    assert [each.request_id for each in auditor.told] == [
        answer.headers[name] for name in ("X-Request-Id",) if is_told
    ]
    ask(route_of(auditor))
    assert len(auditor.told) == is_told


@pytest.mark.parametrize("error", [Forbidden("no"), HttpRefused("no"), Unavailable("no")])
def test_whatever_a_guard_answers_is_audited(error: TfaasError) -> None:
    auditor = Auditor()
    ask(route_of(auditor, guard=Refusing(error), right="read"), request_of("GET"))
    (told,) = auditor.told
    assert (told.status, told.client.ip, told.method) == (error.status, "192.0.2.1", "GET")


@pytest.mark.parametrize("right", ["upload", "delete", "admin", None])
@pytest.mark.parametrize("handler", [done, failing(DoesNotFit("no"))])
def test_what_is_to_change_something_is_audited_whether_it_does_or_not(
    right: Right | None, handler: Handler
) -> None:
    auditor = Auditor()
    ask(route_of(auditor, handler=handler, right=right))
    assert [each.status for each in auditor.told] == [200 if handler is done else 422]


@pytest.mark.parametrize("right", ["read", "predict", None])
def test_what_only_looks_is_not(right: Right | None) -> None:
    auditor = Auditor()
    ask(route_of(auditor, right=right), request_of("GET"))
    assert auditor.told == []


def test_who_hears_all_answers_and_audits_is_told_both() -> None:
    told, auditor = Told(), Auditor()
    ask(route_of(told, auditor, right="delete"))
    assert told.told == auditor.told
    assert len(told.told) == 1


def cors(*origins: str, credentials: bool = False) -> Cors:
    return Cors(origins, ["GET"], ["Accept"], ["TFaaS-Model"], credentials, 5)


def test_for_all_origins_an_answer_may_be_kept_for_all() -> None:
    answer = ask(route_of(cors=cors("*")), request_of(origin=LAB))
    assert answer.headers == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "TFaaS-Model",
    }
    assert ask(route_of(cors=cors("*"))).headers == {}


def test_what_an_answer_varies_by_is_added_to_what_it_has() -> None:
    async def handler(_request: Request) -> Response:
        return Response(headers={"Vary": "Accept"})

    answer = ask(
        route_of(handler=handler, cors=cors(LAB, credentials=True)), request_of(origin=LAB)
    )
    assert answer.headers["Vary"] == "Accept, Origin"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["Access-Control-Allow-Origin"] == LAB


def test_a_stream_that_fails_before_its_first_piece_may_be_read_too() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b""

    async def handler(_request: Request) -> Response:
        return Response(stream=pieces())

    route, request = route_of(handler=handler, cors=cors(LAB)), request_of(origin=LAB)
    assert ask(route, request).headers["Access-Control-Allow-Origin"] == LAB
    answer = route.passage.unsent(request, DoesNotFit("no"))
    assert answer.headers["Access-Control-Allow-Origin"] == LAB


def test_a_public_route_asks_no_guard() -> None:
    refusing = Guards([(Refusing(Forbidden("no")), "tfaas_guard")])
    route = sealed(Route("/x", ("POST",), done, public=True), guards=refusing)
    assert ask(route).status == 200
