"""Codes: what an answer's HTTP status is called in gRPC, and what stands beside it."""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec
from grpc import StatusCode

from tfaas_core.route import Response
from tfaas_core.routing.sealed_services import MESSAGE_TYPE
from tfaas_core.texts.unreadable import UNREADABLE

Metadata: TypeAlias = tuple[tuple[str, str], ...]

_CODES = {
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.NOT_FOUND,
    408: StatusCode.DEADLINE_EXCEEDED,
    409: StatusCode.ABORTED,
    412: StatusCode.FAILED_PRECONDITION,
    413: StatusCode.RESOURCE_EXHAUSTED,
    429: StatusCode.RESOURCE_EXHAUSTED,
    431: StatusCode.RESOURCE_EXHAUSTED,
    499: StatusCode.CANCELLED,
    500: StatusCode.INTERNAL,
    501: StatusCode.UNIMPLEMENTED,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.DEADLINE_EXCEEDED,
    507: StatusCode.RESOURCE_EXHAUSTED,
}
_MOST_CHARACTERS = 1024
_NAME = re.compile(r"(?!grpc-)[0-9a-z_.-]+(?<!-bin)")
_CODE_KEY = "tfaas-code"
_RETRY_AFTER = "retry-after"
_PUSHBACK = "grpc-retry-pushback-ms"


class _Told(msgspec.Struct):
    error: str = ""
    code: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """How a call ends that is not answered with a message."""

    code: StatusCode
    sentence: str
    metadata: Metadata


def metadata_of(response: Response) -> Metadata:
    """The headers of an answer, but for those whose names are none of metadata.

    Values that are no ASCII of one line were refused before.
    """
    named = ((name.lower(), value) for name, value in response.headers.items())
    return tuple((name, value) for name, value in named if _NAME.fullmatch(name))


def refusal_of(response: Response) -> Refusal | None:
    """What ``response`` says by its status; None: it is a message."""
    if response.status < 400:
        return None
    told = _told(response)
    metadata = metadata_of(response)
    if told.code:
        metadata += ((_CODE_KEY, told.code),)
    # What gRPC's own clients heed, if they were told to try again.
    wait = response.headers.get("Retry-After", "")
    if wait.isdecimal():
        metadata += ((_PUSHBACK, str(int(wait) * 1000)),)
    return Refusal(code_of(response.status), told.error[:_MOST_CHARACTERS], metadata)


def code_of(status: int) -> StatusCode:
    """gRPC's code for an HTTP status."""
    default = StatusCode.INVALID_ARGUMENT if status < 500 else StatusCode.UNKNOWN
    return _CODES.get(status, default)


def _told(response: Response) -> _Told:
    if response.media_type == MESSAGE_TYPE:
        return _Told()
    try:
        return msgspec.json.decode(response.body, type=_Told)
    except UNREADABLE:
        return _Told(f"the request was refused with status {response.status}")
