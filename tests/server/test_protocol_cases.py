"""The cases that came with the specification of both protocols; they are no part of the project."""

from __future__ import annotations

import io
import json
import runpy
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.data import PROTOCOLS
from tests.server.protocol_models import upload_bundle
from tfaas_core.testing.server import RunningServer, running_server

pytestmark = pytest.mark.skipif(not PROTOCOLS.exists(), reason="the cases are not at hand")

_TIMES = 6
_FILE = PROTOCOLS / "cases_open.json"
CASES = json.loads(_FILE.read_text())["cases"] if _FILE.exists() else []


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with all models of the cases, but those that are none."""
    folder = tmp_path_factory.mktemp("cases")
    with running_server(folder, "plugins.oip.model_control=true") as server:
        for model in json.loads((PROTOCOLS / "models.json").read_text())["models"]:
            store(server, model)
        yield server


def store(server: RunningServer, model: dict[str, Any]) -> None:
    folders = {int(f.name): f for f in (PROTOCOLS / "data" / model["path"]).iterdir()}
    numbers = sorted(folders) if model["versions"] == "all" else model["versions"]
    for number in numbers:
        bundle = packed(folders[number], model["name"])
        told = upload_bundle(server, bundle, name=model["name"], version=number)
        assert told.status_code == 200 or model.get("optional"), told.text
    for label, number in model.get("labels", {}).items():
        path = f"/models/{model['name']}/labels/{label}"
        assert server.http.put(path, json={"version": number}).status_code == 200


def packed(folder: Path, name: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        tar.add(folder, name)
    return content.getvalue()


@pytest.fixture(scope="module")
def run_one() -> Callable[[str, dict[str, Any]], None]:
    """Sends one request of a case, and raises if the answer is another than it expects."""
    runner = runpy.run_path(str(PROTOCOLS / "run_cases.py"))
    return runner["one"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_case(
    everything: RunningServer,
    run_one: Callable[[str, dict[str, Any]], None],
    case: dict[str, Any],
) -> None:
    # What came before, but for its numbers, is answered in a shorter way.
    for step in case.get("steps", [case] * _TIMES):
        run_one(everything.url, step)
