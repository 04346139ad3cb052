"""Observers are told of each answer, and harm none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

import pytest

from tfaas_core.errors import DoesNotFit, NotFound
from tfaas_core.events import (
    ModelCrashed,
    ModelEvent,
    ModelLoaded,
    ModelSwitched,
    ModelUnloaded,
    ModelUploaded,
)
from tfaas_core.http.request import HttpRequest
from tfaas_core.observer import Answered, Observer, Outcome
from tfaas_core.route import ClientAddress, Handler, Head, Request, Response, Route
from tfaas_core.routing.event_bus import EventBus
from tfaas_core.routing.observers import Observers
from tfaas_core.routing.seam import SealedRoute, sealed
from tfaas_core.routing.untold_answers import LARGE_BYTES, MOST_UNTOLD

EVENTS: dict[str, ModelEvent] = {
    "uploaded": ModelUploaded(
        model="vk", version=1, runtime="graph", size_bytes=9, duration_s=0.5, identity="alice"
    ),
    "switched": ModelSwitched(model="vk", label="", version=1, before=None),
    "loaded": ModelLoaded(model="vk", version=1, runtime="graph", pid=7, duration_s=0.5),
    "unloaded": ModelUnloaded(model="vk", version=1, pid=7, reason="evicted"),
    "crashed": ModelCrashed(model="vk", version=1, pid=7, ending="ended", was_loaded=True),
}

CLIENT = ClientAddress("10.0.0.1", 80)


class Told(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.answers: list[Answered] = []

    def answered(self, answer: Answered) -> None:
        self.answers.append(answer)


class Failing(Observer):
    def __init__(self, error: BaseException) -> None:
        self._error = error

    def answered(self, answer: Answered) -> None:
        raise self._error


class Together(Observer):
    """Keeps what it is told of many, and then fails."""

    def __init__(self) -> None:
        self.told: list[list[Outcome]] = []
        self.announced: list[int] = []
        self.is_told = asyncio.Event()

    def untold(self) -> None:
        self.announced.append(len(self.told))
        raise SystemExit

    def finished(self, outcomes: Sequence[Outcome]) -> None:
        self.told.append(list(outcomes))
        self.is_told.set()
        raise SystemExit


async def pieces() -> AsyncIterator[bytes]:
    yield b"a piece"


async def handler(request: Request) -> Response:
    if request.path == "/own-notes":
        assert request.visit is not None
        request.visit.model, request.visit.rows = "vk", 3
    if request.path == "/stream":
        return Response(stream=pieces())
    if request.path == "/refused":
        raise DoesNotFit("no")
    if request.path == "/bug":
        raise KeyError("x")
    return Response(b"four")


def ask(path: str, *observers: Observer, answering: Handler = handler) -> Response:
    route = Route("/{any}", ("POST",), answering)
    told = Observers((observer, "tfaas_told") for observer in observers)
    passage = sealed(route, "tfaas_own", observers=told).passage

    async def asked() -> Response:
        return await passage(HttpRequest(Head(raw_path=path), CLIENT, b"body"))

    return asyncio.run(asked())


def answered(path: str) -> Answered:
    told = Told()
    ask(path, told)
    (answer,) = told.answers
    return answer


def test_an_answer_is_told() -> None:
    answer = answered("/x")
    assert (answer.method, answer.path, answer.route) == ("POST", "/x", "/{any}")
    assert (answer.status, answer.code, answer.client) == (200, "", CLIENT)
    assert (answer.request_bytes, answer.answer_bytes) == (4, 4)
    assert answer.duration_s > 0
    assert (answer.model, answer.version, answer.rows, answer.run_s) == ("", None, None, None)


def test_what_a_handler_notes_is_told() -> None:
    assert (answered("/own-notes").model, answered("/own-notes").rows) == ("vk", 3)


def test_errors_are_told_with_their_code() -> None:
    assert (answered("/refused").status, answered("/refused").code) == (422, DoesNotFit.code)
    assert (answered("/bug").status, answered("/bug").code) == (500, "internal")


def test_of_an_answer_that_is_streamed_nothing_is_told_before_its_end() -> None:
    told = Told()
    ask("/stream", told)
    assert told.answers == []


@pytest.mark.parametrize("error", [ValueError("a bug"), SystemExit(3), KeyboardInterrupt()])
def test_an_observer_that_fails_is_named_once_and_harms_nobody(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    failing, told = Failing(error), Told()
    observers = Observers([(failing, "tfaas_failing"), (told, "tfaas_told")])
    passage = sealed(Route("/x", ("POST",), handler), observers=observers).passage

    async def asked() -> None:
        for _ in range(3):
            answer = await passage(HttpRequest(Head(raw_path="/x"), CLIENT))
            assert answer.body == b"four"

    asyncio.run(asked())
    assert len(told.answers) == 3
    (record,) = caplog.records
    assert "the observer Failing of plugin tfaas_failing failed" in record.getMessage()
    assert (record.levelno, record.exc_info is not None) == (logging.ERROR, True)


def test_answers_are_told_together_in_order_and_as_they_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    together, told = Together(), Told()
    observers = Observers([(together, "tfaas_together"), (told, "tfaas_told")])
    passage = sealed(Route("/{any}", ("POST",), handler), observers=observers).passage

    async def asked() -> None:
        paths = ("/own-notes", "/refused", "/x")
        requests = [HttpRequest(Head(raw_path=path), CLIENT, b"body") for path in paths]
        await asyncio.gather(*map(passage, requests))
        assert (together.announced, together.told) == ([0], [])
        await together.is_told.wait()
        await passage(HttpRequest(Head(raw_path="/later"), CLIENT))
        observers.tell_now()

    asyncio.run(asked())
    first, second = together.told
    assert [outcome.request.path for outcome in first] == ["/own-notes", "/refused", "/x"]
    assert [outcome.response.status for outcome in first] == [200, 422, 200]
    assert [outcome.request.path for outcome in second] == ["/later"]
    assert together.announced == [0, 1]
    outcome, visit = first[0], first[0].request.visit
    assert visit is not None
    assert (outcome.route, outcome.answer_bytes, outcome.is_cut) == ("/{any}", 4, False)
    assert (visit.model, visit.rows) == ("vk", 3)
    assert 0 < outcome.end_s - visit.begin_s < 60
    assert len(told.answers) == 4
    assert [record for record in caplog.records if "Together" in record.getMessage()]


@pytest.mark.parametrize(("body", "count"), [(b"", MOST_UNTOLD), (bytes(LARGE_BYTES), 1)])
def test_many_answers_and_large_ones_are_told_in_the_same_turn(body: bytes, count: int) -> None:
    together = Together()
    observers = Observers([(together, "tfaas_together")])
    passage = sealed(Route("/x", ("POST",), handler), observers=observers).passage

    async def asked() -> None:
        for _ in range(count):
            await passage(HttpRequest(Head(raw_path="/x"), CLIENT, body))
        await asyncio.sleep(0)

    asyncio.run(asked())
    assert [len(outcomes) for outcomes in together.told] == [count]


def test_who_wants_to_follow_a_request_is_told_of_it_first() -> None:
    class Follower(Observer):
        def begun(self, request: Request) -> None:
            assert request.visit is not None
            request.visit.steps = []
            raise ValueError("harms nobody")

    seen = []

    async def answering(request: Request) -> Response:
        assert request.visit is not None
        seen.append(request.visit.steps)
        return Response(b"four")

    assert ask("/x", Follower(), answering=answering).body == b"four"
    assert seen == [[]]


def test_who_went_away_is_not_answered() -> None:
    told = Told()

    async def leaving(_request: Request) -> Response:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
        raise NotFound("never")

    with pytest.raises(asyncio.CancelledError):
        ask("/x", told, answering=leaving)
    assert told.answers == []


@pytest.mark.parametrize("method", EVENTS)
def test_each_event_is_told_to_its_method_and_to_no_other(method: str) -> None:
    told: list[ModelEvent] = []
    listening = type("Listening", (Observer,), {method: lambda _self, event: told.append(event)})
    observers = Observers([(listening(), "tfaas_told"), (Told(), "tfaas_other")])
    assert observers.at() is not None
    assert observers.hear_events
    for event in EVENTS.values():
        observers.happened(event)
    assert told == [EVENTS[method]]


def test_an_observer_of_events_alone_costs_requests_nothing() -> None:
    class Listening(Observer):
        def crashed(self, event: ModelCrashed) -> None:
            pytest.fail("nothing crashed")

    observers = Observers([(Listening(), "tfaas_told")])
    assert observers.at() is None
    assert observers.hear_events
    request = HttpRequest(Head(raw_path="/x"), CLIENT)
    asyncio.run(called(sealed(Route("/x", ("POST",), handler), observers=observers), request))
    assert request.visit is None


async def called(route: SealedRoute, request: HttpRequest) -> None:
    await route.passage(request)


def test_an_observer_that_fails_at_an_event_keeps_nothing_from_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[ModelEvent] = []

    class FailingAtLoads(Observer):
        def loaded(self, event: ModelLoaded) -> None:
            raise SystemExit(3)

    class Loads(Observer):
        def loaded(self, event: ModelLoaded) -> None:
            told.append(event)

    observers = Observers([(FailingAtLoads(), "tfaas_failing"), (Loads(), "tfaas_told")])
    for _ in range(3):
        observers.happened(EVENTS["loaded"])
    assert told == [EVENTS["loaded"]] * 3
    (record,) = caplog.records
    assert "the observer FailingAtLoads of plugin tfaas_failing" in record.getMessage()


def test_events_go_to_the_parent_if_there_is_one_and_somebody_listens() -> None:
    sent: list[ModelEvent] = []
    lone, bus = EventBus(), EventBus(sent.append)
    told: list[ModelEvent] = []
    listening = type("Listening", (Observer,), {"loaded": lambda _self, event: told.append(event)})
    for each in (lone, bus):
        each.tell(EVENTS["loaded"])
        each.observers = Observers([(Told(), "tfaas_told")])
        each.tell(EVENTS["loaded"])
    assert (told, sent) == ([], [])
    for each in (lone, bus):
        each.observers = Observers([(listening(), "tfaas_told")])
        each.tell(EVENTS["loaded"])
    assert (told, sent) == ([EVENTS["loaded"]], [EVENTS["loaded"]])
