"""Models that can be told by their answers, and so can the versions of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from tfaas_core.testing.server import RunningServer, http_client

ScaleGraph = Callable[[float], bytes]

CONNECTIONS = 12
"""So many that each of two HTTP workers accepts some."""


@contextmanager
def stored_doubler(server: RunningServer, scale_graph: ScaleGraph) -> Iterator[str]:
    """The name of a model that doubles rows of 3, which is there while the block lasts."""
    answer = server.upload("doubler", scale_graph(2.0))
    assert answer.status_code == 200, answer.text
    yield "doubler"
    server.http.delete("/delete/doubler")


class Ladder:
    """A model whose version N multiplies rows of 3 by N."""

    def __init__(self, server: RunningServer, scale_graph: ScaleGraph, name: str) -> None:
        self.server = server
        self.name = name
        self._scale_graph = scale_graph
        self._highest = 0

    def upload(self, count: int = 1) -> None:
        for _ in range(count):
            self._highest += 1
            answer = self.server.upload(self.name, self._scale_graph(float(self._highest)))
            assert answer.json()["version"] == self._highest, answer.text

    def ask(self, method: str, path: str = "", **options: object) -> httpx.Response:
        return self.server.http.request(method, f"/models/{self.name}{path}", **options)  # type: ignore[arg-type]

    def numbers(self) -> list[int]:
        return [record["version"] for record in self.ask("GET", "/versions").json()]

    def roll_back(self, number: int | None = None) -> int:
        """The number that is live now, as all workers say."""
        body = {} if number is None else {"json": {"version": number}}
        answer = self.ask("POST", "/rollback", **body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["live"] is True
        live = self.answering()
        assert answer.json()["version"] == live
        return live

    def label(self, label: str, number: int) -> None:
        answer = self.ask("PUT", f"/labels/{label}", json={"version": number})
        assert answer.status_code == 200, answer.text
        assert answer.json()["version"] == number
        assert label in answer.json()["versionLabels"]

    def predict(self, **named: object) -> int:
        """The number of the version that answered, as both the row and the header have it."""
        return self.version_of(
            self.server.predict(**{"model": self.name} | named, values=[1, 2, 3])
        )

    def version_of(self, answer: httpx.Response) -> int:
        assert answer.status_code == 200, answer.text
        row = answer.json()
        assert row == [row[0], 2 * row[0], 3 * row[0]]
        assert answer.headers["TFaaS-Model"] == f"{self.name}/{row[0]:.0f}"
        return int(row[0])

    def answers(self, **named: object) -> list[httpx.Response]:
        """What a prediction is answered over many connections, and so by all workers."""
        return answers_of_all(self.server, **({"model": self.name} | named))

    def answering(self, **named: object) -> int:
        """The same, asked of all workers."""
        found = {self.version_of(answer) for answer in self.answers(**named)}
        assert len(found) == 1, f"the workers do not agree: {found}"
        return found.pop()


def answers_of_all(server: RunningServer, **named: object) -> list[httpx.Response]:
    """The answers to one row, asked over so many connections that all workers answer."""
    each_its_own = httpx.Limits(max_keepalive_connections=0)
    with http_client(server.url, limits=each_its_own) as http:
        document = named | {"values": [1, 2, 3]}
        return [http.post("/json", json=document) for _ in range(CONNECTIONS)]


def error(answer: httpx.Response) -> tuple[int, str]:
    assert answer.json()["status"] == answer.status_code
    return answer.status_code, answer.json()["code"]
