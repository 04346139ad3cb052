"""Grammar: how RFC 9112 has a request look. What looks otherwise is refused, never guessed at.

Two servers in a row that read the same bytes differently can be made to answer one client's request
to another.
"""

from __future__ import annotations

import re

MAX_HEAD_BYTES = 16_384
"""The first line and all headers."""
MAX_CHUNK_LINE_BYTES = 256
"""A chunk's size and its extensions."""
MAX_TRAILER_BYTES = 4096
"""All fields behind the last chunk."""

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_VALUE = rb"[\t -~\x80-\xff]*"
_FIELD = re.compile(rb"(%b):[ \t]*+(%b+)" % (_TOKEN, _VALUE))

_PATH = rb"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*"
# Browsers send some characters of a query as they are which RFC 3986 wants escaped.
_QUERY = rb"(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?\[\]{}|^`\\-]*)?"
_AUTHORITY = rb"[A-Za-z0-9._~!$&'()*+,;=:%\[\]-]+"
_METHOD = re.compile(_TOKEN)
_TARGET = re.compile(
    rb"/%b%b|[A-Za-z][A-Za-z0-9+.-]*://%b(?:/%b)?%b" % (_PATH, _QUERY, _AUTHORITY, _PATH, _QUERY)
)
_VERSION = re.compile(rb"HTTP/1\.[01]")
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")
_DIGITS = re.compile(rb"[0-9]+")

_STRAY = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\0")

_QUOTED = rb'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t -~\x80-\xff])*+"'
_EXTENSION = rb"[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?" % (_TOKEN, _TOKEN, _QUOTED)
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:%b)*+\r\n" % _EXTENSION)
_PART_OF_CHUNK_LINE = re.compile(rb"(?:[0-9A-Fa-f]{1,16}(?:[ \t;][^\r\n\0]*)?\r?)?")

_MOST_CHUNKS_AT_ONCE = 4096
_FREE_BYTES = 16_384


class Malformed(ValueError):
    """These bytes are no request of HTTP/1.1 or 1.0; the message says which part is not."""


def check_part(data: bytearray, start: int, end: int) -> None:
    """Whether the head that ``data`` begins with may go on like this, as far as it has come.

    What is new stands between ``start`` and ``end``. Raises Malformed: whoever speaks another
    protocol, or has other ends of lines, would wait for an answer, and the server for more.
    """
    if _STRAY.search(data, max(start - 1, 0), end):
        raise Malformed("its head has a CR or LF that is not part of a CRLF, or a NUL")
    line_end = data.find(b"\r\n", 0, end)
    if start - 1 <= line_end >= 0:
        _checked_request_line(bytes(data[:line_end]))


def checked_head(head: bytes) -> bytes:
    """The bytes before the empty line, as every server reads them alike. Raises Malformed."""
    first, *lines = head.split(b"\r\n")
    version = _checked_request_line(first)
    lengths, codings, hosts = [], [], []
    for line in lines:
        name, value = _field(line)
        if name == b"content-length":
            lengths.append(value)
        elif name == b"transfer-encoding":
            codings.append(line)
        elif name == b"host":
            hosts.append(value)
    _check_hosts(hosts, version)
    _check_length(lengths, codings)
    return _with_plain_coding(head, codings[0]) if _is_chunked(codings, version) else head


def _checked_request_line(line: bytes) -> bytes:
    parts = line.split(b" ")
    if len(parts) != 3:
        raise Malformed("its first line is not a method, a target and a version with one space")
    method, target, version = parts
    if not _METHOD.fullmatch(method):
        raise Malformed("its method has a character that no method has")
    if not _VERSION.fullmatch(version):
        raise Malformed("its version is neither HTTP/1.1 nor HTTP/1.0")
    if not _TARGET.fullmatch(target) and (method, target) != (b"OPTIONS", b"*"):
        raise Malformed(
            "its target is neither a path nor a URL, or has a character that has to be escaped"
        )
    return version


def _field(line: bytes) -> tuple[bytes, bytes]:
    found = _FIELD.fullmatch(line)
    if found is None:
        raise Malformed(_fault_of(line))
    return found[1].lower(), found[2].rstrip(b" \t")


def _fault_of(line: bytes) -> str:
    name, colon, _ = line.partition(b":")
    if line[:1] in (b" ", b"\t"):
        return "a header is folded over two lines"
    if not colon:
        return "a header has no colon"
    if not name:
        return "a header has no name"
    if name[-1:] in (b" ", b"\t"):
        return "a header has a space before its colon"
    if not _METHOD.fullmatch(name):
        return "a header's name has a character that no name has"
    return "a header's value has a control character"


def _check_hosts(hosts: list[bytes], version: bytes) -> None:
    if len(hosts) > 1:
        raise Malformed("it has two Host headers")
    if not hosts and version == b"HTTP/1.1":
        raise Malformed("it has no Host header")
    if hosts and not is_host(hosts[0]):
        raise Malformed("its Host header is no host")


def is_host(value: bytes) -> bool:
    """Whether a Host header may have this value."""
    return _HOST.fullmatch(value) is not None


def is_target(value: bytes) -> bool:
    """Whether this is a path with perhaps a query, or a URL."""
    return _TARGET.fullmatch(value) is not None


def _check_length(lengths: list[bytes], codings: list[bytes]) -> None:
    if lengths and codings:
        raise Malformed("it has both a Content-Length and a Transfer-Encoding")
    if len(lengths) > 1:
        raise Malformed("it has two Content-Length headers")
    if lengths and not _DIGITS.fullmatch(lengths[0]):
        raise Malformed("its Content-Length is no number of digits alone")


def _is_chunked(codings: list[bytes], version: bytes) -> bool:
    if not codings:
        return False
    if len(codings) > 1:
        raise Malformed("it has two Transfer-Encoding headers")
    if version == b"HTTP/1.0":
        raise Malformed("HTTP/1.0 has no Transfer-Encoding")
    if _field(codings[0])[1].lower() != b"chunked":
        raise Malformed("its Transfer-Encoding is not chunked, the only one that is read here")
    return True


def _with_plain_coding(head: bytes, line: bytes) -> bytes:
    """Sanic knows only this spelling."""
    plain = b"transfer-encoding: chunked"
    return (
        head
        if line.lower() == plain and line.endswith(b"chunked")
        else head.replace(b"\r\n" + line, b"\r\n" + plain, 1)
    )


class Chunks:
    """Takes a chunked body out of the buffer that it arrives in."""

    def __init__(self) -> None:
        self.is_done = False
        """Whether the body has ended, with its trailer."""
        self._left = 0
        self._next = self._take_line
        self._excess = 0
        self._trailer_bytes = 0

    def take(self, buffer: bytearray) -> bytes:
        """What of the body ``buffer`` begins with, which leaves it. Raises Malformed.

        If it is empty, and the body is not done, more has to arrive.
        """
        pieces: list[bytes] = []
        at = 0
        while not self.is_done and len(pieces) < _MOST_CHUNKS_AT_ONCE:
            if self._left:
                piece = bytes(buffer[at : at + self._left])
                at += len(piece)
                self._left -= len(piece)
                pieces.append(piece)
                if self._left:
                    break
                self._next = self._take_end
            came_to = self._next(buffer, at)
            if came_to == at:
                break
            at = came_to
        del buffer[:at]
        return b"".join(pieces)

    def _take_end(self, buffer: bytearray, at: int) -> int:
        end = buffer[at : at + 2]
        if not b"\r\n".startswith(end):
            raise Malformed("a chunk is longer than its size says")
        if len(end) < 2:
            return at
        self._next = self._take_line
        return at + 2

    def _take_line(self, buffer: bytearray, at: int) -> int:
        line = _CHUNK_LINE.match(buffer, at, at + MAX_CHUNK_LINE_BYTES)
        if line is None:
            rest = buffer[at : at + MAX_CHUNK_LINE_BYTES]
            if len(rest) == MAX_CHUNK_LINE_BYTES or not _PART_OF_CHUNK_LINE.fullmatch(rest):
                raise Malformed("a chunk does not begin with its size, or that line is too long")
            return at
        self._left = int(line[1], 16)
        # What is sent beside the body may be as much as clients have reason to send.
        excess = self._excess + line.end() - at - 16 - 2 * self._left
        self._excess = max(excess, 0)
        if self._excess > _FREE_BYTES:
            raise Malformed("its chunks have more extensions than body")
        if not self._left:
            self._next = self._take_trailer
        return line.end()

    def _take_trailer(self, buffer: bytearray, at: int) -> int:
        room = MAX_TRAILER_BYTES - self._trailer_bytes
        end = buffer.find(b"\n", at, at + room)
        if end < 0:
            if len(buffer) - at >= room:
                raise Malformed(f"its trailer is longer than {MAX_TRAILER_BYTES} bytes")
            return at
        line = bytes(buffer[at : end + 1])
        if line == b"\r\n":
            self.is_done = True
        elif not line.endswith(b"\r\n") or not _FIELD.fullmatch(line[:-2]):
            raise Malformed("its trailer has a line that is no header")
        self._trailer_bytes += len(line)
        return end + 1
