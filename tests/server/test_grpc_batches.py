"""Requests of REST and calls of gRPC share runs."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.server.grpc_calls import INFER, called, channel_to, infer_message
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

EACH = 4
X = {"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [1, 2, 3]}


def test_a_run_has_more_rows_than_the_clients_of_either_ask_for(tmp_path: Path) -> None:
    with fake_server(tmp_path, "plugins.grpc.port=0", "server.workers=1") as server:
        assert server.upload("vk", b"sum").status_code == 200
        is_over = threading.Event()
        threads = [
            threading.Thread(target=ask, args=(server, is_over))
            for ask in (by_grpc, by_rest)
            for _ in range(EACH)
        ]
        for thread in threads:
            thread.start()
        try:
            until(lambda: runs_of_more_than(server, EACH) > 0)
        finally:
            is_over.set()
            for thread in threads:
                thread.join()


def by_grpc(server: RunningServer, is_over: threading.Event) -> None:
    message = infer_message("vk", [[1.0, 2.0, 3.0]])
    with channel_to(server) as channel:
        repeat(lambda: called(channel, INFER, message), is_over)


def by_rest(server: RunningServer, is_over: threading.Event) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        repeat(lambda: client.post("/v2/models/vk/infer", json={"inputs": [X]}), is_over)


def repeat(ask: Callable[[], object], is_over: threading.Event) -> None:
    """A row at a time, so that a run has at most one of each client."""
    while not is_over.is_set():
        ask()


def runs_of_more_than(server: RunningServer, rows: int) -> float:
    figures = server.http.get("/metrics").text
    up_to = float(found(figures, rf'tfaas_batch_rows_bucket{{model="vk",le="{rows}.0"}}'))
    return float(found(figures, 'tfaas_batch_rows_count{model="vk"}')) - up_to


def found(figures: str, name: str) -> str:
    line = re.search(re.escape(name) + r" (\S+)", figures)
    return "0" if line is None else line[1]
