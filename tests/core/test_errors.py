"""Errors of plugins: their classes are checked, and keep what they say across processes."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from tfaas_core.engine.shared.messages import Failure
from tfaas_core.errors import (
    DoesNotFit,
    Forbidden,
    HttpRefused,
    TfaasError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from tfaas_core.routing.seam import error_answer


class Teapot(TfaasError):
    status = 418
    code = "teapot"


class Strict(DoesNotFit):
    status = 423


class Warming(Unavailable):
    code = "warming"
    retry_after_s = 7


class Counted(DoesNotFit):
    """Has an ``__init__`` that does not call the one of TfaasError."""

    def __init__(self, count: int) -> None:
        self.message = f"{count} are too many"
        self.details = {"got": count}


class Mute(TfaasError):
    """Says nothing."""

    def __init__(self) -> None:
        pass


class Moved(DoesNotFit):
    """Tells where it went in its own way."""

    def headers(self) -> dict[str, str]:
        return {"Location": str(self.details["to"])}

    def document(self) -> dict[str, Any]:
        return {"message": self.message, "at": {"to": self.details["to"]}}


class Broken(DoesNotFit):
    """Cannot be told."""

    def headers(self) -> dict[str, str]:
        raise KeyError("to")


def across(error: TfaasError) -> TfaasError:
    """As another process gets it."""
    sent = msgspec.msgpack.encode(Failure.of(error))
    return msgspec.msgpack.decode(sent, type=Failure).error()


@pytest.mark.parametrize(
    ("error", "kind", "status", "code"),
    [
        (Teapot("short and stout", field="x"), TfaasError, 418, "teapot"),
        (Strict("locked"), DoesNotFit, 423, "does_not_fit"),
        (Warming("soon"), Unavailable, 503, "warming"),
        (HttpRefused("no", status=417), HttpRefused, 417, "http_refused"),
        (Counted(3), DoesNotFit, 422, "does_not_fit"),
        (Mute(), TfaasError, 500, "internal"),
    ],
)
def test_an_error_is_the_same_in_another_process(
    error: TfaasError, kind: type[TfaasError], status: int, code: str
) -> None:
    got = across(error)
    assert type(got) is kind
    assert (got.status, got.code) == (status, code)
    assert (got.message, got.details) == (error.message, error.details)
    assert str(got) == got.message
    assert error_answer(got) == error_answer(error)


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (Warming("soon"), {"Retry-After": "7"}),
        (Unavailable("soon", retry_after_s=9), {"Retry-After": "9"}),
        (TooManyRequests("later", retry_after_s=60), {"Retry-After": "60"}),
        (Unauthorized("who?", challenge="Basic"), {"WWW-Authenticate": "Basic"}),
    ],
)
def test_what_an_error_says_in_headers_is_no_detail(
    error: TfaasError, headers: dict[str, str]
) -> None:
    assert (error_answer(error).headers, error.details) == (headers, {})


def test_retry_after_crosses_too() -> None:
    assert error_answer(across(Warming("soon"))).headers == {"Retry-After": "7"}
    answer = error_answer(across(Unavailable("soon", retry_after_s=9)))
    assert answer.headers == {"Retry-After": "9"}


def test_clients_are_not_told_whom_a_guard_refused() -> None:
    refused = Forbidden("no", identity="alice", field="x")
    assert (refused.identity, refused.details) == ("alice", {"field": "x"})
    assert DoesNotFit("no", identity="alice").details == {"identity": "alice"}


def test_what_clients_are_told_instead_crosses_too() -> None:
    got = across(across(Unavailable("/dev/gpu7 is away \udcff", "it rests \udcff", model="m")))
    assert got.message == "/dev/gpu7 is away ?"
    answer = msgspec.json.decode(error_answer(got).body)
    assert answer == {"error": "it rests ?", "status": 503, "code": "unavailable", "model": "m"}


def test_headers_and_document_of_a_class_cross_as_often_as_need_be() -> None:
    error = Moved("moved", to="/there")
    got = across(across(error))
    assert got.headers() == {"Location": "/there"}
    assert got.document() == {"message": "moved", "at": {"to": "/there"}}
    assert error_answer(got) == error_answer(error)


def test_an_error_that_cannot_be_told_is_logged_and_a_500(caplog: pytest.LogCaptureFixture) -> None:
    got = across(Broken("no"))
    assert got.status == 500
    assert f"the error {__name__}.Broken cannot be told" in got.message
    assert "KeyError: 'to'" in caplog.text


def test_a_message_that_is_no_utf_8_crosses() -> None:
    assert across(DoesNotFit("no \udcff.npy")).message == "no ?.npy"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (np.float32(0.5), 0.5),
        (np.arange(2), [0, 1]),
        ({1: (2, "x")}, {"1": [2, "x"]}),
        (1j, "1j"),
        (2**80, "<class 'int'>"),
    ],
)
def test_details_that_json_cannot_hold_are_told_as_text(value: Any, told: Any) -> None:
    for error in (DoesNotFit("no", got=value), across(DoesNotFit("no", got=value))):
        document = msgspec.json.decode(error_answer(error).body)
        assert document == {"error": "no", "status": 422, "code": "does_not_fit", "got": told}


@pytest.mark.parametrize("status", [200, 399, 600, 0, "422", True, None])
def test_a_class_of_another_status_is_refused(status: Any) -> None:
    with pytest.raises(TypeError, match=r"Bad\.status is .*, not one of 400 to 599"):
        type("Bad", (TfaasError,), {"status": status})


@pytest.mark.parametrize("code", ["", "Bad", "a b", 7])
def test_a_class_of_another_code_is_refused(code: Any) -> None:
    with pytest.raises(TypeError, match=r"Bad\.code is .*, not a name"):
        type("Bad", (TfaasError,), {"code": code})


def test_an_error_that_claims_another_status_is_a_500() -> None:
    answer = error_answer(HttpRefused("fine", status=200))
    assert answer.status == 500
    assert msgspec.json.decode(answer.body)["status"] == 500


@pytest.mark.parametrize(
    ("told", "answers"),
    [
        ({"__class__": 1, "args": 1, "headers": 1, "document": None, "message": 1}, {}),
        ({}, {"message": {}, "__dict__": {"message": 1}, "with_traceback": {}, "status": {}}),
    ],
)
def test_a_process_tells_no_more_of_an_error_than_it_may(
    told: dict[str, Any], answers: dict[str, dict[str, Any]]
) -> None:
    """A model's process may say anything."""
    got = Failure("does_not_fit", "no", {"field": "x"}, told, answers).error()
    assert error_answer(got) == error_answer(DoesNotFit("no", field="x"))
