from __future__ import annotations

import asyncio
import errno
import logging
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
import pytest

from tfaas_core.errors import (
    DoesNotFit,
    MethodNotAllowed,
    QueueFull,
    TfaasError,
    TooLarge,
)
from tfaas_core.http.request import HttpRequest
from tfaas_core.route import ClientAddress, Handler, Head, Request, Response, Route
from tfaas_core.routing.seam import sealed
from tfaas_core.routing.unexpected import plugin_failed


class Arriving(HttpRequest):
    """A request whose body comes when it is asked for; ``steps`` says in which order all was."""

    steps: list[str] = msgspec.field(default_factory=list)
    refused: bool = False
    is_arriving: bool = True

    async def receive(self) -> None:
        self.steps.append("received")
        if self.refused:
            raise TooLarge("too large")
        self.body = b"whole"


def arriving(refused: bool = False) -> Arriving:
    return Arriving(Head(), ClientAddress(), refused=refused)


def passed(handler: Handler, request: Arriving, streams: bool = False) -> Response:
    route = sealed(Route("/x", ("POST",), handler, streams=streams), "tfaas_own")
    return asyncio.run(_awaited(route.passage(request)))


async def _awaited(answer: Awaitable[Response]) -> Response:
    return await answer


async def handler(request: Request) -> Response:
    assert isinstance(request, Arriving)
    request.steps.append("handled")
    return Response(request.body)


def test_the_body_is_received_before_the_handler_runs() -> None:
    request = arriving()
    assert passed(handler, request).body == b"whole"
    assert request.steps == ["received", "handled"]


def test_a_handler_that_streams_receives_it_itself() -> None:
    request = arriving()
    assert passed(handler, request, streams=True).body == b""
    assert request.steps == ["handled"]


def test_a_body_that_is_refused_comes_to_no_handler() -> None:
    request = arriving(refused=True)
    assert passed(handler, request).status == 413
    assert request.steps == ["received"]


def failing(error: BaseException) -> Handler:
    async def handler(_request: Request) -> Response:
        raise error

    return handler


SHORTAGES = [
    (OSError(errno.EMFILE, "x", "some.py"), "too many files are open in this HTTP worker"),
    (OSError(errno.ENFILE, "x", "some.py"), "too many files are open in this HTTP worker"),
    (OSError(errno.ENOMEM, "x"), "this HTTP worker has not enough memory for it at the moment"),
    (MemoryError(), "this HTTP worker has not enough memory for it at the moment"),
    (RuntimeError("can't start new thread"), "this HTTP worker cannot start a thread at the"),
    (BlockingIOError(errno.EAGAIN, "x"), "this HTTP worker cannot start a thread or process at"),
]


@pytest.mark.parametrize(("error", "told"), SHORTAGES)
def test_what_the_system_does_not_give_is_nobodys_fault_and_may_be_tried_again(
    error: Exception, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = passed(failing(error), arriving())
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert told.encode() in answer.body
    assert b"; try again" in answer.body
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "tfaas_own" not in caplog.text


def test_an_error_is_an_answer_with_its_status_and_headers() -> None:
    answer = passed(failing(DoesNotFit("no", field="x")), arriving())
    told = {"error": "no", "status": 422, "code": "does_not_fit", "field": "x"}
    assert (answer.status, msgspec.json.decode(answer.body)) == (422, told)
    assert passed(failing(QueueFull("full")), arriving()).headers == {"Retry-After": "1"}
    refused = failing(MethodNotAllowed("no", ["GET", "PUT"]))
    assert passed(refused, arriving()).headers == {"Allow": "GET, PUT"}


async def nothing(_request: Request) -> None:
    return None


async def exit_in_a_thread(_request: Request) -> None:
    await asyncio.to_thread(sys.exit, 3)


class OddEnd(BaseException):
    """No Exception."""


@dataclass(frozen=True)
class Frozen(Exception):
    """Nothing of it may be set."""


class Mute(DoesNotFit):
    """Cannot say what it is."""

    def document(self) -> dict[str, object]:
        raise KeyError("x")


BUGS: dict[str, Callable[..., object]] = {
    "an exception": failing(ValueError("a bug")),
    "no answer": nothing,
    "a cancellation of its own": failing(asyncio.CancelledError()),
    "an end of a generator": failing(GeneratorExit()),
    "an exit": failing(SystemExit(3)),
    "an exit in a thread": exit_in_a_thread,
    "an interrupt": failing(KeyboardInterrupt()),
    "no Exception": failing(OddEnd()),
    "an error that cannot be changed": failing(Frozen()),
    "an error that cannot be answered": failing(Mute("x")),
}


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_a_bug_is_a_500_and_a_line_in_the_log_that_names_the_plugin(
    bug: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = passed(bug, arriving())
    assert answer.status == 500
    (record,) = caplog.records
    assert record.message.startswith("plugin tfaas_own failed in POST /: ")


def test_an_error_of_status_500_is_logged_once_with_the_plugin_and_answered_as_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = passed(failing(TfaasError("the lamp is broken")), arriving())
    assert msgspec.json.decode(answer.body)["error"] == "the lamp is broken"
    (record,) = caplog.records
    assert record.message == "plugin tfaas_own failed in POST /: TfaasError"
    assert "the lamp is broken" in caplog.text


@pytest.mark.parametrize(
    "error", [DoesNotFit("no"), plugin_failed("tfaas_other", "a codec", ValueError())]
)
def test_an_error_that_is_no_bug_or_is_logged_already_is_not_logged(
    error: TfaasError, caplog: pytest.LogCaptureFixture
) -> None:
    assert passed(failing(error), arriving()).status == error.status
    assert caplog.records == []


def test_a_plugin_that_the_handler_calls_is_named_in_place_of_its_owner() -> None:
    route = sealed(Route("/x", ("POST",), failing(KeyError("x"))), "tfaas_own", {__name__})
    answer = asyncio.run(_awaited(route.passage(arriving())))
    assert msgspec.json.decode(answer.body)["plugin"] == __name__


def test_a_request_that_is_given_up_ends_without_an_answer() -> None:
    async def given_up() -> bool:
        began = asyncio.Event()

        async def waiting(_request: Request) -> Response:
            began.set()
            await asyncio.Event().wait()
            raise AssertionError("it waits for ever")

        passage = sealed(Route("/x", ("POST",), waiting)).passage
        task = asyncio.create_task(_awaited(passage(arriving())))
        await began.wait()
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(given_up())
