"""The express lane: plain requests, read without Sanic's help.

A request is *plain* if it came whole, has nothing but a body of announced length, and asks for a
route that is marked ``express``. A client that predicts sends thousands that differ in
their bodies alone, so what a head says is worked out once and kept, the fields of its path
included. Everything else is Sanic's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from tfaas_core.errors import TfaasError
from tfaas_core.fields import Headers
from tfaas_core.http.errors import out_of_time
from tfaas_core.http.express_answers import answer_bytes
from tfaas_core.http.grammar import is_host, is_target
from tfaas_core.http.request import HttpRequest, split_target
from tfaas_core.http.router import Router
from tfaas_core.quick_writes import quick_to_write
from tfaas_core.route import ClientAddress, Head, Response, ShortWay
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.routing.seam import Passage

_MOST_HEADS = 1024
_MOST_HEAD_BYTES = 1024
_MOST_GATHERED_BYTES = 1 << 20
"""A longer body is Sanic's, unless it comes in one piece."""

_LENGTH = "content-length"

_NO_HOST = "/"

_METHOD = "POST"
_REQUEST_LINE = re.compile(rf"{_METHOD} (/[!-~]*) HTTP/1\.1")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*+([\t -~]*)(?<![ \t])")
_LENGTH_LINE = re.compile(rb"\n%b:[ \t]*([0-9]{1,12})" % _LENGTH.encode(), re.IGNORECASE)
_LENGTH_VALUE = re.compile(r"[0-9]{1,12}")
_KEEP_ALIVE = {"keep-alive": True, "close": False}
_NOT_PLAIN = frozenset({"expect", "te", "trailer", "transfer-encoding", "upgrade"})


class PlainHead(msgspec.Struct, frozen=True):
    """What the bytes before a body say.

    ``length``: of the body, in bytes. ``keep_alive``: whether another request may follow.
    ``short``: the way that the request may take; None: it is for the handler.
    """

    head: Head
    passage: Passage
    length: int
    keep_alive: bool
    short: ShortWay | None = None


@quick_to_write
class PlainRequest(HttpRequest, kw_only=True, gc=False):
    """A request that is plain; ``said`` is all that its head says."""

    said: PlainHead
    refusal: TfaasError | None = None
    """Why the body is not taken, if it is not: then it counts as still arriving."""

    async def receive(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    def answer_bytes(self, response: Response, keep_alive: bool) -> bytes:
        """The answer as it is sent: ``response``, or why that cannot be sent."""
        try:
            return answer_bytes(response, keep_alive)
        except Exception as error:  # of ours, which are not checked
            return answer_bytes(self.said.passage.failed(self, error), keep_alive)

    def late_answer_bytes(self) -> bytes:
        """What is sent if there is no answer in time; the connection ends behind it."""
        return answer_bytes(self.said.passage.given_up(self, out_of_time()), keep_alive=False)


class ExpressLane:
    """Tells which requests are plain."""

    def __init__(
        self,
        router: Router,
        max_body_bytes: int,
        scheme: str = "http",
        in_flight: InFlight | None = None,
    ) -> None:
        self._in_flight = in_flight
        self._router = router
        self._max_body_bytes = max_body_bytes
        self._scheme = scheme
        self._heads: dict[bytes, PlainHead] = {}

    def request(self, data: bytes, client: ClientAddress) -> PlainRequest | None:
        """The plain request that ``data`` is, from its first byte to its last; None: it is not.

        If there is no room for its body, which has not come whole, it is one that is refused.
        """
        end = data.find(b"\r\n\r\n", 0, _MOST_HEAD_BYTES)
        if end < 0:
            return None
        raw = data[:end]
        said = self._heads.get(raw) or self._learn(raw, len(data) - end - 4)
        if said is None or end + 4 + said.length != len(data):
            return self._refused(raw, len(data) - end - 4, client)
        return PlainRequest(said.head, client, data[end + 4 :], said=said)

    def sizes_of(self, data: bytes) -> tuple[int, int]:
        """How long head and body are of the plain request that ``data`` begins, if it may be
        gathered; else 0 and 0."""
        end = data.find(b"\r\n\r\n", 0, _MOST_HEAD_BYTES)
        said = self._heads.get(data[:end]) if end > 0 else None
        if said is None or said.length > _MOST_GATHERED_BYTES:
            return 0, 0
        return end + 4, said.length

    def _refused(self, raw: bytes, body_bytes: int, client: ClientAddress) -> PlainRequest | None:
        """A request of which ``body_bytes`` have come, without them, if there is no room for all.

        None: there is, or it is not plain.
        """
        length = _LENGTH_LINE.search(raw)
        if self._in_flight is None or length is None:
            return None
        if not max(body_bytes, self._in_flight.left) < int(length[1]):
            return None
        said = self._heads.get(raw) or self._read(raw)
        if said is None:
            return None
        said = msgspec.structs.replace(said, keep_alive=False)
        refusal = self._in_flight.no_room()
        return PlainRequest(said.head, client, b"", said=said, refusal=refusal)

    def _learn(self, raw: bytes, body_bytes: int) -> PlainHead | None:
        length = _LENGTH_LINE.search(raw)
        most_bytes = max(body_bytes, _MOST_GATHERED_BYTES)
        if length is None or not body_bytes <= int(length[1]) <= most_bytes:
            return None  # it is Sanic's, which reads the head anyway
        said = self._read(raw)
        if said is not None:
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            self._heads[raw] = said
        return said

    def _read(self, raw: bytes) -> PlainHead | None:
        first, *lines = raw.decode("latin-1").split("\r\n")
        asked = _REQUEST_LINE.fullmatch(first)
        if asked is None or not is_target(asked[1].encode()):
            return None
        path, query = split_target(asked[1])
        found = self._router.find(_METHOD, path)
        headers = _headers(lines) if found.express else None
        if headers is None:
            return None
        length = headers.get(_LENGTH, "")
        keep_alive = _KEEP_ALIVE.get(headers.get("connection", "keep-alive").lower())
        if (
            keep_alive is None
            or not _LENGTH_VALUE.fullmatch(length)
            or not is_host(headers.get("host", _NO_HOST).encode())
            or int(length) > self._max_body_bytes
            or not _NOT_PLAIN.isdisjoint(headers)
        ):
            return None
        head = Head(_METHOD, path, query, headers, found.path_fields, self._scheme)
        passage = found.passage
        return PlainHead(head, passage, int(length), keep_alive, passage.short_for(head))


def _headers(lines: Iterable[str]) -> Headers | None:
    """None: one is repeated, or is none that every server reads alike."""
    found = [_HEADER.fullmatch(line) for line in lines]
    headers = Headers((line[1], line[2]) for line in found if line is not None)
    return headers if len(headers) == len(found) else None
