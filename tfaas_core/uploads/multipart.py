"""Multipart: a multipart/form-data body, cut into its parts, as it arrives or whole."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from tfaas_core.errors import BadBody, UnsupportedMediaType

MEDIA_TYPE = "multipart/form-data"
MAX_PART_HEADER_BYTES = 4096
MAX_FILENAME_CHARACTERS = 255

_PIECE_BYTES = 256 * 1024
_MOST_PLAIN_BYTES = 8 * 1024 * 1024
_MOST_PLAIN_PARTS = 1024
_MOST_PLAIN_HEAD_BYTES = 1024
_MOST_PLAIN_HEADERS = 4

_PLAIN_HEADER = re.compile(rb"([A-Za-z-]+): ([^\r\n]*)")
_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;"]*))\s*', re.DOTALL)

# The parser logs every body that it refuses; that is for the client to know, not for the log.
_quiet = logging.Logger("tfaas_core.uploads.multipart", level=logging.CRITICAL)


@lru_cache(256)
def boundary_of(content_type: str) -> str:
    """The boundary that a form's Content-Type announces.

    Raises UnsupportedMediaType if it is not a form's, BadBody if it lacks a boundary.
    """
    media_type, parameters = _parse_header(content_type)
    if media_type != MEDIA_TYPE:
        got = f"not {media_type[:80]!r}" if media_type else "and say so in Content-Type"
        raise UnsupportedMediaType(f"send {MEDIA_TYPE} (curl -F), {got}", expected=MEDIA_TYPE)
    boundary = parameters.get("boundary", "")
    if not re.fullmatch(r"[!-~]|[!-~][ -~]{0,68}[!-~]", boundary):
        raise BadBody(f"the Content-Type {MEDIA_TYPE} lacks a boundary of 1 to 70 characters")
    return boundary


def _parse_header(text: str) -> tuple[str, dict[str, str]]:
    """A header's value, in lower case, and its parameters; what follows a fault is left out."""
    value, semicolon, rest = text.partition(";")
    rest = semicolon + rest
    parameters: dict[str, str] = {}
    position = 0
    while match := _PARAMETER.match(rest, position):
        position = match.end()
        key, quoted, plain = match.groups()
        # Old browsers send paths with single backslashes, so only what must be escaped is.
        unquoted = plain.strip() if quoted is None else re.sub(r'\\(["\\])', r"\1", quoted)
        parameters.setdefault(key.lower(), unquoted)
    return value.strip().lower(), parameters


class PartHead(msgspec.Struct, frozen=True):
    """What the headers of a part say.

    ``filename``: without folders and unprintable characters, 255 characters at most; None if
    the part is not sent as a file. ``encoding`` is the Content-Transfer-Encoding in lower case.
    """

    name: str
    filename: str | None
    encoding: str


class PartEnd(msgspec.Struct, frozen=True):
    """A part is over."""


Event: TypeAlias = PartHead | bytes | PartEnd
"""A part is its head, its bytes in any number of pieces, and its end."""


class Splitter:
    """Splits a body into events. ``is_complete`` once the closing boundary has come."""

    def __init__(self, boundary: str) -> None:
        self.is_complete = False
        self._events: list[Event] = []
        self._has_begun = False
        self._in_headers = False
        self._headers: dict[str, str] = {}
        self._header_bytes = 0
        self._name = bytearray()
        self._value = bytearray()
        self._parser = MultipartParser(
            boundary.encode(),
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._add_to_name,
                "on_header_value": self._add_to_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": lambda data, start, end: self._events.append(data[start:end]),
                "on_part_end": lambda: self._events.append(PartEnd()),
                "on_end": self._end,
            },
        )
        self._parser.logger = _quiet

    @classmethod
    def of(cls, content_type: str) -> Splitter:
        """That of the form of this Content-Type; raises what ``boundary_of`` does."""
        return cls(boundary_of(content_type))

    def split(self, piece: bytes) -> list[Event]:
        """The events in the next piece of the body. Raises BadBody if there can be none."""
        events: list[Event] = []
        if not self._has_begun:
            # Behind a line break, the parser skips what is no boundary, if it comes at once.
            piece = piece.lstrip(b"\r\n")
            self._has_begun = bool(piece)
        self._events = events
        try:
            self._parser.write(piece)
        except FormParserError:
            if self._in_headers:
                raise _bad_headers() from None
            raise BadBody("the body is not the form that its Content-Type announces") from None
        finally:
            # Parser and splitter refer to each other, so that what they have stays until the
            # collector comes: after thousands of uploads.
            self._events = []
        return events

    def _begin_part(self) -> None:
        self._in_headers = True
        self._headers = {}
        self._header_bytes = 0

    def _add_to_name(self, data: bytes, start: int, end: int) -> None:
        self._count_header_bytes(end - start)
        self._name += data[start:end]

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._count_header_bytes(end - start)
        self._value += data[start:end]

    def _count_header_bytes(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_PART_HEADER_BYTES:
            raise _bad_headers()

    def _end_header(self) -> None:
        self._headers[_text(self._name).lower()] = _text(self._value)
        self._name.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        self._in_headers = False
        self._events.append(_head(self._headers))

    def _end(self) -> None:
        self.is_complete = True


def events_of(body: bytes, boundary: str) -> Iterator[Event]:
    """The events of a body that came whole. Raises BadBody if it is no form, or not complete."""
    parts = plain_parts(body, boundary)
    if parts is not None:
        for head, content in parts:
            yield from (head, content, PartEnd())
        return
    splitter = Splitter(boundary)
    for start in range(0, len(body), _PIECE_BYTES):
        yield from splitter.split(body[start : start + _PIECE_BYTES])
    if not splitter.is_complete:
        raise BadBody("the form stops before its closing boundary")


def plain_parts(body: bytes, boundary: str) -> list[tuple[PartHead, bytes]] | None:
    """The parts of a body as clients write it: much quicker than a Splitter, which judges the rest.

    None if anything about the body is unusual.
    """
    if len(body) > _MOST_PLAIN_BYTES:
        return None
    mark = b"\r\n--" + boundary.encode()
    first, *others = body.split(mark, _MOST_PLAIN_PARTS)
    if not first.startswith(mark[2:]) or not others or others.pop() not in (b"--", b"--\r\n"):
        return None
    parts = []
    for piece in (first[len(mark) - 2 :], *others):
        headers, blank, content = piece.partition(b"\r\n\r\n")
        head = _plain_head(headers) if blank and len(headers) <= _MOST_PLAIN_HEAD_BYTES else None
        if head is None:
            return None
        parts.append((head, content))
    return parts


@lru_cache(256)
def _plain_head(raw: bytes) -> PartHead | None:
    """The head that a part's header lines spell, each begun by a line break."""
    headers: dict[str, str] = {}
    start, *lines = raw.split(b"\r\n")
    for line in lines:
        found = _PLAIN_HEADER.fullmatch(line)
        if found is None or _text(found[1]).lower() in headers:
            return None
        headers[_text(found[1]).lower()] = _text(found[2])
    if start or not 1 <= len(headers) <= _MOST_PLAIN_HEADERS:
        return None
    try:
        return _head(headers)
    except BadBody:
        return None


def _head(headers: Mapping[str, str]) -> PartHead:
    _, parameters = _parse_header(headers.get("content-disposition", ""))
    name = parameters.get("name")
    if name is None:
        raise BadBody("a part of the form has no name in its Content-Disposition header")
    encoding = headers.get("content-transfer-encoding", "").strip().lower()
    return PartHead(name, _filename(parameters), encoding)


def _bad_headers() -> BadBody:
    return BadBody(
        f"the headers of a part of the form are broken, or too many, or longer than "
        f"{MAX_PART_HEADER_BYTES} bytes"
    )


def _text(raw: bytes | bytearray) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _filename(parameters: Mapping[str, str]) -> str | None:
    sent = _extended(parameters.get("filename*", "")) or parameters.get("filename")
    if sent is None:
        return "" if "filename*" in parameters else None
    base = re.split(r"[/\\]", sent)[-1]
    shown = "".join(character for character in base if character.isprintable()).strip()
    return "" if shown in (".", "..") else shown[:MAX_FILENAME_CHARACTERS]


def _extended(value: str) -> str:
    """The text of RFC 5987's ``charset'language'percent-encoded``; empty if it is not that."""
    charset, _, rest = value.partition("'")
    _, _, encoded = rest.partition("'")
    if charset.lower() not in ("utf-8", "iso-8859-1"):
        return ""
    return unquote_to_bytes(encoded).decode(charset, "replace")
