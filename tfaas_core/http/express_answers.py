"""The answers of the express lane: the bytes on the wire, the same that Sanic would send."""

from __future__ import annotations

from functools import lru_cache

from sanic import HTTPResponse

from tfaas_core.http.safe_headers import safe_headers
from tfaas_core.http.sanic_parts import has_body, head_bytes
from tfaas_core.request_ids import REQUEST_ID_HEADER
from tfaas_core.route import Response

_LENGTH = "content-length"
_LENGTH_MARK = "<length>"


def answer_bytes(response: Response, keep_alive: bool) -> bytes:
    """The response, which was checked, whole."""
    if response.status != 200:
        return _unusual_answer_bytes(response, keep_alive)
    body, headers = response.body, response.headers
    if REQUEST_ID_HEADER in headers:
        # Each is another one, and the rest of a head is the same.
        others = {name: value for name, value in headers.items() if name != REQUEST_ID_HEADER}
        before, behind = _usual_head(response.media_type, keep_alive, tuple(others.items()))
        named = f"\r\n{REQUEST_ID_HEADER}: {headers[REQUEST_ID_HEADER]}".encode()
        return b"%b%d%b%b%b" % (before, len(body), named, behind, body)
    before, behind = _usual_head(
        response.media_type, keep_alive, tuple(headers.items()) if headers else ()
    )
    return b"%b%d%b%b" % (before, len(body), behind, body)


@lru_cache(1024)
def _usual_head(
    media_type: str, keep_alive: bool, headers: tuple[tuple[str, str], ...]
) -> tuple[bytes, bytes]:
    """What stands before and behind the length of a body, with status 200."""
    answer = HTTPResponse(headers=safe_headers(media_type, dict(headers)), content_type=media_type)
    answer.headers[_LENGTH] = _LENGTH_MARK
    answer.headers.update(_connection(keep_alive))
    before, name, behind = head_bytes(answer).partition(b"\r\ncontent-length: ")
    return before + name, behind.removeprefix(_LENGTH_MARK.encode())


def _unusual_answer_bytes(response: Response, keep_alive: bool) -> bytes:
    status, body = response.status, response.body
    headers = safe_headers(response.media_type, response.headers)
    answer = HTTPResponse(body, status, headers, response.media_type)
    if has_body(status):
        answer.headers[_LENGTH] = str(len(body))
    else:
        body = b""
    answer.headers.update(_connection(keep_alive))
    return head_bytes(answer) + body


def length_of(response: Response) -> int | None:
    """How long the pieces of a response are together, if it says so."""
    lengths = (value for name, value in response.headers.items() if name.lower() == _LENGTH)
    return next(map(int, lengths), None)


def stream_head_bytes(response: Response, keep_alive: bool) -> bytes:
    """The head of a response whose pieces follow: as chunks, unless it says how long they are."""
    headers = safe_headers(response.media_type, response.headers)
    answer = HTTPResponse(None, response.status, headers, response.media_type)
    if length_of(response) is None:
        answer.headers["transfer-encoding"] = "chunked"
    answer.headers.update(_connection(keep_alive))
    return head_bytes(answer)


def _connection(keep_alive: bool) -> dict[str, str]:
    return {"connection": "keep-alive" if keep_alive else "close"}
