"""Paths of the configuration, in each key that takes one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tfaas_core.config import load_config
from tfaas_core.configured_path import configured_path
from tfaas_core.errors import ConfigError
from tfaas_core.host import Host
from tfaas_core.wiring.composition import Composition

KEY = "$.storage.root"


def test_a_relative_path_starts_from_the_base_and_a_home_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    base = Path("/etc/tfaas")
    assert configured_path("models", base, KEY) == base / "models"
    assert configured_path("/models", base, KEY) == Path("/models")
    assert configured_path("~/models", base, KEY) == Path("/home/me/models")
    assert configured_path("~", base, KEY) == Path("/home/me")
    assert configured_path("./~/models", base, KEY) == base / "~/models"


def test_a_home_that_is_none_is_a_wrong_configuration() -> None:
    with pytest.raises(ConfigError, match=r"home folder '~nobody-of-this-name'; .* at `\$\.st"):
        configured_path("~nobody-of-this-name/models", Path("/etc"), KEY)


@pytest.mark.parametrize(
    ("settings", "made"),
    [
        (["storage.root=~/models"], ["models"]),
        (["storage.kind=sql", "storage.url=sqlite:///~/t.db", "storage.cache=~/c"], ["c", "t.db"]),
        (["plugins.access_log.enabled=true", "plugins.access_log.file=~/a.log"], ["a.log"]),
    ],
)
def test_each_key_that_is_a_path_knows_homes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: list[str], made: list[str]
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    config = load_config(overrides=["engine.isolation=inline", *settings], environ={})

    async def start() -> None:
        async with Host.started(Composition.of(config)):
            pass

    asyncio.run(start())
    assert set(made) <= {path.name for path in (tmp_path / "home").iterdir()}
    assert not (tmp_path / "here" / "~").exists()
