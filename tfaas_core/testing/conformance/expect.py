"""Expectations: what cases want of an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from tfaas_core.testing.conformance.case import Expectation
from tfaas_core.testing.conformance.exchange import Reply, Unmet
from tfaas_core.testing.conformance.likeness import difference
from tfaas_core.testing.conformance.words import brief

CLIENT_ERRORS = range(400, 500)


def expectation(words: str, look: Callable[[Reply], None]) -> Expectation:
    """One of the last answer alone."""
    return Expectation(words, lambda replies: look(replies[-1]))


def status(*allowed: int) -> Expectation:
    """One of these statuses."""

    def look(reply: Reply) -> None:
        if reply.status not in allowed:
            raise Unmet(reply.short)

    return expectation(f"status {' or '.join(map(str, allowed))}", look)


OK = status(200)

REFUSED = Expectation("a status from 400 to 499", lambda replies: _refused(replies[-1]))
"""Whatever the client did wrong."""

NOT_OK = Expectation("a status that is not 200, but an error's", lambda rs: _not_ok(rs[-1]))


def _refused(reply: Reply) -> None:
    if reply.status not in CLIENT_ERRORS:
        raise Unmet(reply.short)


def _not_ok(reply: Reply) -> None:
    if not 400 <= reply.status < 600:
        raise Unmet(reply.short)


def _says_why(reply: Reply) -> None:
    document = reply.document
    sentence = document.get("error") if isinstance(document, dict) else None
    if not isinstance(sentence, str) or not sentence.strip():
        raise Unmet(reply.short)
    kind = reply.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise Unmet(f"Content-Type: {brief(kind)}")


SAYS_WHY = expectation('JSON like {"error": "why"}, of Content-Type application/json', _says_why)


def error_with(*words: str) -> Expectation:
    """The error's sentence has one of these, in any case."""

    def look(reply: Reply) -> None:
        _says_why(reply)
        sentence = reply.document["error"]
        if not any(word.lower() in sentence.lower() for word in words):
            raise Unmet(brief(sentence))

    return expectation(f"an error that says {' or '.join(map(repr, words))}", look)


def refuses(*statuses: int) -> tuple[Expectation, Expectation]:
    """An error that says why, of one of ``statuses``, or else of any from 400 to 499."""
    return (status(*statuses) if statuses else REFUSED, SAYS_WHY)


def is_json(expected: Any) -> Expectation:
    """The whole document."""

    def look(reply: Reply) -> None:
        if found := difference(expected, reply.document):
            raise Unmet(found)

    return expectation(f"JSON {brief(expected)}", look)


def has_json(expected: Any) -> Expectation:
    """The document, which may have further keys."""

    def look(reply: Reply) -> None:
        if found := difference(expected, reply.document, is_subset=True):
            raise Unmet(found)

    return expectation(f"JSON with {brief(expected)}", look)


def json_where(words: str, holds: Callable[[Any], object]) -> Expectation:
    """What a function finds true of the document; it may fail on one of another form."""

    def look(reply: Reply) -> None:
        document = reply.document
        try:
            is_so = bool(holds(document))
        except (LookupError, TypeError, AttributeError, ValueError):
            is_so = False
        if not is_so:
            raise Unmet(brief(document))

    return expectation(words, look)


def grows(words: str, number: Callable[[Any], Any], by: int) -> Expectation:
    """A number of the document is at least ``by`` larger than in the case's first answer."""

    def holds(replies: Sequence[Reply]) -> None:
        try:
            before, now = number(replies[0].document), number(replies[-1].document)
            is_so = now - before >= by
        except (LookupError, TypeError, AttributeError, ValueError):
            raise Unmet(replies[-1].short) from None
        if not is_so:
            raise Unmet(f"{brief(now)} after {brief(before)}")

    return Expectation(words, holds)


def header(name: str, pattern: str) -> Expectation:
    """A header is there, and begins with the pattern."""

    def look(reply: Reply) -> None:
        value = reply.headers.get(name.lower())
        if value is None or not re.match(pattern, value, re.IGNORECASE):
            raise Unmet("no such header" if value is None else brief(value))

    return expectation(f"a header {name} like {pattern}", look)


def no_header(name: str) -> Expectation:
    """A header is not there."""

    def look(reply: Reply) -> None:
        if name.lower() in reply.headers:
            raise Unmet(brief(reply.headers[name.lower()]))

    return expectation(f"no header {name}", look)


UNPACKED = no_header("Content-Encoding")


def body_has(pattern: str) -> Expectation:
    """The body has this somewhere, as text."""

    def look(reply: Reply) -> None:
        if not re.search(pattern, reply.body.decode("utf-8", "replace")):
            raise Unmet(reply.short)

    return expectation(f"a body that has {pattern}", look)


def _kept(reply: Reply) -> None:
    if "close" in reply.headers.get("connection", "").lower():
        raise Unmet("Connection: close")


KEPT_ALIVE = expectation("a connection that is kept", _kept)
