"""Every error, rendered in one place and one shape."""

from __future__ import annotations

import logging

import msgspec
from sanic import HTTPResponse, Sanic
from sanic.exceptions import (
    BadRequest,
    PayloadTooLarge,
    SanicException,
    ServiceUnavailable,
)
from sanic.exceptions import (
    MethodNotAllowed as SanicMethodNotAllowed,
)
from sanic.exceptions import (
    NotFound as SanicNotFound,
)
from sanic.request import Request as SanicRequest

from tfaas_core.errors import (
    BadBody,
    HttpRefused,
    MethodNotAllowed,
    NotFound,
    TfaasError,
    TooLarge,
    Unavailable,
    is_error_status,
)
from tfaas_core.json_text import plain
from tfaas_core.route import Response, json_response

_log = logging.getLogger("tfaas.http")


def error_answer(error: TfaasError) -> Response:
    """The JSON answer that ``error`` becomes."""
    status = error.status if is_error_status(error.status) else 500
    answer = json_response(plain({**error.document(), "status": status}), status)
    if isinstance(error, Unavailable):
        return msgspec.structs.replace(answer, headers={"Retry-After": str(error.retry_after_s)})
    return answer


def unexpected(what: str, exception: BaseException) -> TfaasError:
    """Logs what nobody should have raised while doing ``what``, and gives what a client is told."""
    _log.error("%s failed", what, exc_info=exception)
    return TfaasError("the server failed; this is a bug, please report it")


def out_of_time() -> TfaasError:
    """What a client is told whose handler has no answer by Sanic's clock."""
    return Unavailable("the request took too long; try again")


def install_error_handler(app: Sanic, max_body_bytes: int) -> None:  # type: ignore[type-arg]
    """Renders what Sanic itself raises, and what nobody should have raised."""

    async def handle(request: SanicRequest, exception: Exception) -> HTTPResponse:
        answer = error_answer(_translated(request, exception, max_body_bytes))
        headers = {**(getattr(exception, "headers", None) or {}), **answer.headers}
        return HTTPResponse(answer.body, answer.status, headers, answer.media_type)

    app.error_handler.add(Exception, handle)


def _translated(request: SanicRequest, exception: Exception, max_body_bytes: int) -> TfaasError:
    match exception:
        case TfaasError():
            return exception
        case SanicNotFound():
            return NotFound(f"nothing is served at {request.path[:200]}; see `tfaas routes`")
        case SanicMethodNotAllowed():
            return MethodNotAllowed(f"{request.path[:200]} does not take {request.method[:20]}")
        case PayloadTooLarge():
            return TooLarge(
                f"the request's header exceeds 16384 bytes or its body {max_body_bytes} bytes "
                "(server.max_body_bytes)",
                expected=max_body_bytes,
            )
        case BadRequest():
            return BadBody(f"this is not an HTTP request that can be read: {exception}")
        case SanicException() if exception.status_code < 500:
            return HttpRefused(str(exception) or "HTTP refuses this", exception.status_code)
        case ServiceUnavailable():
            return out_of_time()
    return unexpected(f"{request.method} {request.path}", exception)
