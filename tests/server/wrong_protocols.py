"""Servers that are wrong, each in one way, and the cases of the conformance kit that notice."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.server.changing_proxy import LENGTH, Answered, Ask, Change, Sent


class Wrong(NamedTuple):
    """What a server does, and the ids of cases that have to fail for it."""

    does: str
    change: Change
    noticed_by: tuple[str, ...]


def answers(change: Callable[[Answered], Answered], path: str = "", ok_only: bool = True) -> Change:
    """Changes the answers for paths that have the pattern ``path`` in them; errors, too, or not."""

    def changed(sent: Sent, ask: Ask) -> Answered:
        told = ask(sent)
        is_meant = re.search(path, sent.path) and (told.status == 200 or not ok_only)
        return change(told) if is_meant else told

    return changed


def documents(change: Callable[[Any], Any], path: str = "", ok_only: bool = True) -> Change:
    """Changes the JSON of these answers."""
    return answers(lambda told: told.with_json(change) if told.body else told, path, ok_only)


def texts(pattern: str, replacement: str, path: str = "") -> Change:
    """Changes the text of these answers."""
    old, new = pattern.encode(), replacement.encode()
    return answers(lambda told: told._replace(body=re.sub(old, new, told.body)), path)


def errors(change: Callable[[Answered], Answered]) -> Change:
    """Changes all errors."""
    return answers(lambda told: change(told) if told.status >= 400 else told, ok_only=False)


def requests(change: Callable[[Sent], Sent]) -> Change:
    """Changes what is asked."""
    return lambda sent, ask: ask(change(sent))


def asked_json(change: Callable[[Any], Any]) -> Change:
    """Changes the JSON of what is asked without binary tensors."""

    def changed(sent: Sent) -> Sent:
        try:
            document = json.loads(sent.body)
        except ValueError:
            return sent
        if isinstance(document, dict) and LENGTH not in sent.headers:
            change(document)
            return sent._replace(body=json.dumps(document).encode())
        return sent

    return requests(changed)


def refusing(status: int, when: Callable[[Sent], object]) -> Change:
    """Refuses requests that others would answer."""
    refusal = Answered(status, {"content-type": "application/json"}, b'{"error": "no"}')
    return lambda sent, ask: refusal if when(sent) else ask(sent)


def each_output(change: Callable[[dict[str, Any]], Any]) -> Change:
    """Changes each output of an inference."""

    def changed(document: Any) -> None:
        for output in document["outputs"]:
            change(output)

    return documents(changed, "/infer")


def binary(change: Callable[[bytes], bytes]) -> Change:
    """Changes what is behind the JSON."""

    def changed(told: Answered) -> Answered:
        head = told.head
        return told._replace(body=head + change(told.body[len(head) :]))

    return answers(changed, "/infer")


def without(told: Answered, name: str) -> Answered:
    """An answer without a header."""
    return told._replace(headers={n: v for n, v in told.headers.items() if n != name})


def packed(told: Answered, encoding: str = "gzip") -> Answered:
    """An answer that says that it is compressed; it is gzip."""
    return told._replace(body=gzip.compress(told.body)).with_header("content-encoding", encoding)


def first_answers() -> Change:
    """Answers each path of statistics as it was answered first."""
    kept: dict[str, Answered] = {}

    def changed(sent: Sent, ask: Ask) -> Answered:
        if not sent.path.endswith("/stats"):
            return ask(sent)
        return kept.setdefault(sent.path, ask(sent))

    return changed


def stuck() -> Change:
    """Refuses all that comes after an error."""
    broken: list[int] = []

    def changed(sent: Sent, ask: Ask) -> Answered:
        told = ask(sent)
        if broken:
            return told._replace(status=500)
        if told.status >= 400:
            broken.append(told.status)
        return told

    return changed


def put(key: str, value: Any) -> Callable[[Any], None]:
    """Sets a key of an object."""
    return lambda document: document.__setitem__(key, value)


def drop(key: str) -> Callable[[Any], None]:
    """Leaves out a key of an object."""
    return lambda document: document.pop(key, None)


def unloads_nothing(sent: Sent, ask: Ask) -> Answered:
    """Says that it has unloaded a model."""
    return Answered(200, {}, b"") if sent.path.endswith("/unload") else ask(sent)
