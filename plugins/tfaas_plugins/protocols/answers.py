"""Answers of protocols: their errors, whose shape is another than TFaaS's own."""

from __future__ import annotations

from collections.abc import Awaitable

import msgspec

from tfaas_core.errors import DoesNotFit, TfaasError
from tfaas_core.route import Response
from tfaas_core.system.resources.kept_frames import forget_frames

_UNFIT = 422
_MOST_CHARACTERS = 4096


async def answered(answer: Awaitable[Response]) -> Response:
    """What ``answer`` gives, or the error that it raises.

    What is a bug stays what it is: it is logged, with its place.
    """
    try:
        return await answer
    except TfaasError as error:
        return refused(error)


def refused(error: TfaasError) -> Response:
    """The answer that ``error`` becomes. Raises it if it is a bug, which is logged elsewhere."""
    if error.status == 500:
        raise error
    forget_frames(error)
    return refusal(error.told(), status_of(error), error.headers())


def status_of(error: TfaasError) -> int:
    """These protocols know no 422: what does not fit is a bad request."""
    return 400 if isinstance(error, DoesNotFit) and error.status == _UNFIT else error.status


def refusal(message: str, status: int, headers: dict[str, str] | None = None) -> Response:
    """``{"error": message}``."""
    body = msgspec.json.encode({"error": message[:_MOST_CHARACTERS]}) + b"\n"
    return Response(body, status, headers=headers or {})
