from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.core.plugins.sources import ENGINE, STORAGE, InstallPlugin, installed
from tfaas_core.config import Config, EngineTable, StorageTable
from tfaas_core.engine.base import EngineFactory, WorkerContext
from tfaas_core.errors import ConfigError, PluginError


def make_storage(config: Config, kind: str) -> None:
    storage = StorageTable(kind=kind)
    installed().storage(msgspec.structs.replace(config, storage=storage))


def make_engine(config: Config, kind: str) -> EngineFactory:
    engine = EngineTable(kind=kind)
    return installed().engine(msgspec.structs.replace(config, engine=engine))


def test_a_storage_is_what_its_factory_makes(install_plugin: InstallPlugin, config: Config) -> None:
    install_plugin("tfaas-a", STORAGE)
    install_plugin("tfaas-b", STORAGE.replace("tape", "disk").replace("None", "1 / 0"))
    text = "tfaas_a .* returned None in making the storage `tape`, expected a Storage"
    with pytest.raises(PluginError, match=text):
        make_storage(config, "tape")
    text = "tfaas_b .* failed in making the storage `disk`: ZeroDivisionError"
    with pytest.raises(PluginError, match=text):
        make_storage(config, "disk")
    with pytest.raises(ConfigError, match="unknown storage 'cd'; there are: disk, tape"):
        make_storage(config, "cd")


def test_an_engine_is_what_its_factory_makes(install_plugin: InstallPlugin, config: Config) -> None:
    install_plugin("tfaas-a", ENGINE)
    context = WorkerContext(config, {}, 1, 0, None, lambda _version: Path())
    factory = make_engine(config, "tape")
    assert factory.supervisor(context) is None
    text = "tfaas_a .* returned None in making the engine `tape`, expected an Engine"
    with pytest.raises(PluginError, match=text):
        factory.engine(context)
    install_plugin("tfaas-b", ENGINE.replace("tape", "gpu").replace("return None", "1 / 0"))
    with pytest.raises(PluginError, match=r"tfaas_b .* the supervisor .*: ZeroDivisionError"):
        make_engine(config, "gpu").supervisor(context)
