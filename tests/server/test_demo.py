"""``tfaas serve --demo``: what it stores, and what it prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tfaas_backends import demo
from tfaas_backends.demo import demo_models

from tfaas_core.testing.server import RunningServer, running_server

PICTURES = sorted((Path(demo.__file__).parent / "pictures").glob("*.png"))


def announced(server: RunningServer) -> list[str]:
    """The lines on the demo models; once they are printed, all is stored that will be."""
    assert server.process.stdout is not None
    return [server.process.stdout.readline().partition(":")[0] for _ in demo_models()]


@pytest.fixture(scope="module")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("demo")
    with running_server(folder, "server.workers=1", arguments=["--demo"]) as server:
        expected = [f"The demo model {model.name!r} is ready" for model in demo_models()]
        assert announced(server) == expected
        yield server


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_the_digits_of_the_pictures_are_read(demo_server: RunningServer, picture: Path) -> None:
    answer = demo_server.http.post(
        "/image", data={"model": "digits"}, files={"image": picture.read_bytes()}
    )
    assert answer.status_code == 200, answer.text
    best = answer.json()["labels"][0]
    assert best["label"] == picture.stem.split("-")[1]
    assert best["probability"] > 0.5


def test_a_demo_model_that_no_runtime_loads_leaves_the_others(tmp_path: Path) -> None:
    disabled = 'plugins.disabled=["tfaas_backends.runtimes.saved_model"]'
    with running_server(tmp_path, "server.workers=1", disabled, arguments=["--demo"]) as server:
        cannot, ready = announced(server)
        assert cannot == "The demo model 'digits' cannot be stored"
        assert ready == "The demo model 'particles' is ready"
        assert server.names() == ["particles"]
