"""Clients: many at once, that ask all the time, and keep what each request came to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException

import msgspec

from tfaas_core.testing.clients import is_closed

_PAUSE_S = 0.03
"""So that the cores are not theirs alone."""

_TIMEOUT_S = 60


class Asked(msgspec.Struct):
    """What was asked while something lasted. ``failed``: by what the requests came to."""

    answered: int = 0
    failed: dict[str, int] = {}
    slowest_s: float = 0.0


class Clients:
    """Each asks for a model of ``names``, in turn, on a connection that it keeps.

    As clients of HTTP do, they look whether theirs was closed before they use it again.
    """

    def __init__(self, address: str, names: Sequence[str], count: int) -> None:
        self._address, self._names = address, names
        self._lock = threading.Lock()
        self._asked = Asked()
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(count)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def taken(self) -> Asked:
        """What was asked since the last time."""
        with self._lock:
            asked, self._asked = self._asked, Asked()
        return asked

    @property
    def answered(self) -> int:
        """Since then."""
        return self._asked.answered

    def _ask(self, number: int) -> None:
        with closing(HTTPConnection(self._address, timeout=_TIMEOUT_S)) as connection:
            while not self._ending.wait(_PAUSE_S):
                number += 1
                begin_s = time.monotonic()
                outcome = self._outcome(connection, self._names[number % len(self._names)], number)
                self._note(outcome, time.monotonic() - begin_s)

    def _outcome(self, connection: HTTPConnection, name: str, number: int) -> str:
        """Empty: the right answer."""
        if is_closed(connection):
            connection.close()
        path, body = f"/models/{name}/predict/json", json.dumps({"values": [number, 2, 3]})
        try:
            connection.request("POST", path, body)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, HTTPException) as error:
            connection.close()
            return repr(error)
        if answer.status != 200:
            return f"{answer.status} {text.decode(errors='replace')}"
        return "" if text == f"[{number + 5.0}]".encode() else f"a wrong answer, {text!r}"

    def _note(self, outcome: str, took_s: float) -> None:
        with self._lock:
            self._asked.slowest_s = max(self._asked.slowest_s, took_s)
            if outcome:
                self._asked.failed[outcome] = self._asked.failed.get(outcome, 0) + 1
            else:
                self._asked.answered += 1
