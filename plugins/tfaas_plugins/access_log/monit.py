"""MonitLog: writes the records that the original TFaaS printed for CERN's MONIT."""

from __future__ import annotations

import json
import logging
import random
import socket
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from tfaas_core.observer import Observer, Outcome

_PRODUCER, _TYPE = "cmsweb", "auth"
"""As MONIT knows these records by."""

_LONGEST = 2_000
"""Of what a client sent, in characters."""


class MonitLog(Observer):
    """Adds a record for a share of all answers, each a line of JSON, to ``handler``."""

    def __init__(self, handler: logging.Handler, share: float = 1.0) -> None:
        self._log = logging.Logger("tfaas.monit", logging.INFO)
        self._log.addHandler(handler)
        handler.setFormatter(logging.Formatter("%(message)s"))
        self._share = share
        self._host = socket.gethostname()

    def finished(self, outcomes: Sequence[Outcome]) -> None:
        """Adds a line for each; raises OSError if one cannot be written."""
        now_s = time.monotonic()
        for outcome in outcomes:
            if random.random() < self._share:
                begin_s = time.time() - (now_s - begin_of(outcome))
                self._log.info("%s", self._record(outcome, int(begin_s * 1000)))

    def _record(self, outcome: Outcome, timestamp_ms: int) -> str:
        document = {
            "producer": _PRODUCER,
            "type": _TYPE,
            "timestamp": timestamp_ms,
            "host": self._host,
            "data": _data(outcome, timestamp_ms),
        }
        # Whatever is no ASCII is escaped, so that nothing else can end a line.
        return json.dumps(document)


def begin_of(outcome: Outcome) -> float:
    """When the request came, by ``time.monotonic``."""
    visit = outcome.request.visit
    return outcome.end_s if visit is None else visit.begin_s


def _data(outcome: Outcome, timestamp_ms: int) -> dict[str, Any]:
    head, client = outcome.request.head, outcome.request.client
    query = urlencode(head.query.pairs)
    uri = head.raw_path + (f"?{query}" if query else "")
    length = head.headers.get("content-length", "")
    size = int(length) if length.isascii() and length.isdigit() and len(length) < 19 else -1
    sent = {
        "method": head.method,
        "uri": uri,
        "api": head.raw_path.rpartition("/")[2],
        "system": "",
        "clientip": client.ip,
        "proto": "HTTP/1.1",
        "referer": head.headers.get("referer") or "-",
        "user_agent": head.headers.get("user-agent", ""),
        "x_forwarded_host": head.headers.get("x-forwarded-host", ""),
        "x_forwarded_for": head.headers.get("x-forwarded-for", ""),
        "remote_addr": f"{client.proxy or client.ip}:{client.port}",
    }
    return {
        **{key: text[:_LONGEST] for key, text in sent.items()},
        "bytes_in": size,
        "bytes_out": outcome.answer_bytes,
        "status": outcome.response.status,
        "content_length": size,
        "request_time": round(outcome.end_s - begin_of(outcome), 9),
        "timestamp": timestamp_ms,
    }
