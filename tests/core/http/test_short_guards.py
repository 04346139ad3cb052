"""Guards on the short way: each is asked as ever, once about a request, whatever way that takes."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.core.http.predicting import Doubling, doubling_host
from tests.core.http.served import SANICS, Served, serve_host
from tests.core.plugins.sources import InstallPlugin

PLUGIN = """
import logging
from tfaas_core.errors import Forbidden
from tfaas_core.guard import Guard
from tfaas_core.hookspecs import hookimpl

note = logging.getLogger("noting").warning

async def later(said):
    return said

class Noting(Guard):
    def admit(self, asking):
        note("admit %s", asking.route)
        if REFUSES == "all":
            raise Forbidden("nobody may come in")
        return later("bob") if WAITS == "admit" else "bob"

    def admit_to(self, asking, identity, model):
        note("admit %s to %s", identity, model)
        if REFUSES == "model":
            raise Forbidden("bob may not go there")
        return later(None) if WAITS == "admit_to" else None

@hookimpl
def tfaas_register_guards(host):
    return [Noting() for _ in range(GUARDS)]
"""
USUAL = b'{"values": [1, 2, 3]}'


@pytest.mark.parametrize("guards", [1, 2])
@pytest.mark.parametrize(
    ("refuses", "waits", "body", "is_short"),
    [
        ("none", "never", USUAL, True),
        ("none", "never", b'{"values": [1, 2, 3], "version": 1}', False),
        ("none", "never", b'{"values": [1, 2, 3], "model": "nobody"}', False),
        ("none", "admit", USUAL, False),
        ("none", "admit_to", USUAL, False),
        ("all", "never", USUAL, False),
        ("model", "never", USUAL, False),
    ],
)
def test_each_is_asked_once_about_a_request(
    install_plugin: InstallPlugin,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    guards: int,
    refuses: str,
    waits: str,
    body: bytes,
    is_short: bool,
) -> None:
    constants = {"REFUSES": repr(refuses), "WAITS": repr(waits), "GUARDS": str(guards)}
    source = PLUGIN
    for name, value in constants.items():
        source = source.replace(name, value)
    install_plugin("tfaas-noting", source)
    answers: list[bytes] = []
    asked: list[list[str]] = []

    async def test(served: Served) -> None:
        connection = await served.connect()
        for path in ("json", "models/vk/predict/json"):
            for lane in (SANICS, (), ()):
                caplog.clear()
                connection.post(path, body, *lane)
                answers.append((await connection.answer()).partition(b"\r\n\r\n")[2])
                asked.append([r.getMessage() for r in caplog.records if r.name == "noting"])

    engine = Doubling()
    with caplog.at_level(logging.WARNING, "noting"):
        serve_host(doubling_host(tmp_path, engine=engine), test)
    for of_path in (slice(3), slice(3, 6)):
        assert answers[of_path] == answers[of_path][:1] * 3
        assert asked[of_path] == asked[of_path][:1] * 3
        assert [said.startswith("admit /") for said in asked[of_path][0]].count(True) == (
            1 if refuses == "all" else guards
        )
    assert (engine.begun > 0) is is_short
