"""What Sanic itself raises, as the project's own errors."""

from __future__ import annotations

from sanic import HTTPResponse, Sanic
from sanic.exceptions import BadRequest, PayloadTooLarge, SanicException, ServiceUnavailable
from sanic.request import Request as SanicRequest

from tfaas_core.errors import BadBody, HttpRefused, TfaasError, TooLarge, Unavailable
from tfaas_core.fields import Headers
from tfaas_core.http.request import HttpRequest, client_of
from tfaas_core.http.safe_headers import safe_headers
from tfaas_core.route import Head
from tfaas_core.routing.seam import error_answer
from tfaas_core.routing.unexpected import unexpected
from tfaas_core.routing.way_back import WayBack


def out_of_time() -> TfaasError:
    """What a client is told whose handler has no answer by Sanic's clock."""
    return Unavailable("the request took too long; try again")


def install_error_handler(
    app: Sanic,  # type: ignore[type-arg]
    max_body_bytes: int,
    way_back: WayBack,
) -> None:
    """Answers requests that never came to a handler: those that Sanic cannot read, or waits for.

    The answers go ``way_back``, where those of what could not be read count as refusals.
    """

    async def handle(request: SanicRequest, exception: Exception) -> HTTPResponse:
        error = _known(exception, max_body_bytes)
        answer = error_answer(error or unexpected(f"{request.method} {request.path}", exception))
        answer = way_back.passed(_unread(request), answer, is_refused=answer.status < 500)
        sanics = exception.headers if isinstance(exception, SanicException) else {}
        headers = safe_headers(answer.media_type, {**(sanics or {}), **answer.headers})
        return HTTPResponse(answer.body, answer.status, headers, answer.media_type)

    app.error_handler.add(Exception, handle)


def _unread(request: SanicRequest) -> HttpRequest:
    """What is known of a request that was not read to its end, or not at all."""
    method = "" if request.method == "NONE" else request.method
    path = request.path if method else ""
    head = Head(method, path, headers=Headers(request.headers.items()))
    return HttpRequest(head, client_of(request.transport), is_arriving=True)


def too_large(max_body_bytes: int) -> TfaasError:
    """What a client is told who sends, or says to send, more than is taken."""
    return TooLarge(
        f"the request's body is longer than {max_body_bytes} bytes (server.max_body_bytes, "
        "limits.max_bytes_in_flight)",
        expected=max_body_bytes,
    )


def translated(exception: SanicException, max_body_bytes: int) -> Exception:
    """The error that a client caused whose body Sanic refuses; any other is left as it is."""
    return _known(exception, max_body_bytes) or exception


def _known(exception: Exception, max_body_bytes: int) -> TfaasError | None:
    match exception:
        case TfaasError():
            return exception
        case PayloadTooLarge():
            return too_large(max_body_bytes)
        case BadRequest():
            return BadBody(f"this is not an HTTP request that can be read: {exception}")
        case SanicException() if exception.status_code < 500:
            return HttpRefused(
                str(exception) or f"the request was refused with status {exception.status_code}",
                exception.status_code,
            )
        case ServiceUnavailable():
            return out_of_time()
    return None
