"""Sendable: what an answer of a handler has to be, whichever lane sends it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Mapping
from functools import lru_cache

from tfaas_core.route import Response

SERVERS_OWN = frozenset(
    ("connection", "content-length", "content-type", "date", "keep-alive", "proxy-connection")
) | frozenset(("te", "trailer", "transfer-encoding", "upgrade"))
"""The headers of an answer that the server alone sets."""

_LENGTH = "content-length"

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t -~]*")
_LENGTH_VALUE = re.compile(r"[0-9]{1,18}")
_MEDIA_TYPE = re.compile(r"[!-~]+(?: +[!-~]+)*")


def sendable(response: Response) -> Response:
    """The response, if it can be sent. Raises TypeError and ValueError, which say why not."""
    if not isinstance(response, Response):
        raise TypeError(f"the handler answered {response!r:.200}, not a Response")
    status, body, headers = response.status, response.body, response.headers
    if type(status) is not int or not 200 <= status <= 599:
        _check_status(status)
    if type(body) is not bytes:
        raise TypeError(f"the body of the answer is {body!r:.100}, not bytes")
    if type(headers) is not dict:
        _check_mapping(headers)
    if response.stream is not None:
        _check_stream(response)
        return response
    pairs = tuple(headers.items()) if headers else ()
    try:
        _check_known_head(response.media_type, pairs)
    except TypeError:  # what has no hash is no text either
        _check_head(response.media_type, pairs)
    return response


def check_media_type(media_type: object) -> None:
    """Raises TypeError and ValueError if it is no media type, with or without parameters."""
    if not isinstance(media_type, str):
        raise TypeError(f"the media type of the answer is {media_type!r:.100}, not a str")
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise ValueError(
            f"the media type of the answer is {media_type!r:.100}, not one line of visible ASCII"
        )


def check_headers(headers: object, own: frozenset[str] = SERVERS_OWN) -> None:
    """Raises TypeError and ValueError if one of ``headers`` is none, or is of ``own``."""
    for name, value in _check_mapping(headers).items():
        if _checked_name(name, value).lower() in own:
            raise ValueError(f"the answer has the header {name}, which the server sets itself")


def _check_head(media_type: object, headers: tuple[tuple[object, object], ...]) -> None:
    check_media_type(media_type)
    check_headers(dict(headers))


_check_known_head = lru_cache(1024)(_check_head)


def _check_stream(response: Response) -> None:
    """Who streams may know the length beforehand, and nobody else does."""
    if not isinstance(response.stream, AsyncIterable):
        raise TypeError(
            f"the stream of the answer is {response.stream!r:.100}, no async iterator of bytes"
        )
    check_media_type(response.media_type)
    check_headers(response.headers, SERVERS_OWN - {_LENGTH})
    for name, value in response.headers.items():
        if name.lower() == _LENGTH and not _LENGTH_VALUE.fullmatch(value):
            raise ValueError(f"the answer has the header {name} of {value!r}, which is no length")


def _check_status(status: object) -> None:
    if not isinstance(status, int) or isinstance(status, bool):
        raise TypeError(f"the status of the answer is {status!r:.100}, not an int")
    if not 200 <= status <= 599:
        raise ValueError(f"the status of the answer is {status}, not one of 200 to 599")


def _check_mapping(headers: object) -> Mapping[object, object]:
    if not isinstance(headers, Mapping):
        raise TypeError(f"the headers of the answer are {headers!r:.100}, not a mapping")
    return headers


def _checked_name(name: object, value: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"the answer has a header named {name!r:.100}, which is no name of one")
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise ValueError(
            f"the answer has the header {name} of {value!r:.100}, which is not one line of ASCII"
        )
    return name
