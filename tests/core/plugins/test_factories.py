from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from tests.core.plugins.sources import ENGINE, STORAGE, InstallPlugin, installed
from tfaas_core.config import Config, load_config
from tfaas_core.engine.base import EngineContext, EngineFactory, WorkerContext
from tfaas_core.errors import ConfigError, PluginError
from tfaas_core.settings.tables import EngineTable, StorageTable
from tfaas_core.testing.runtime import FakeRuntime


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


STRICT = """
from msgspec import Struct
from tfaas_core.hookspecs import hookimpl
from tfaas_core.storage import takes
from tfaas_core.testing.fakes import FakeStorage

class Table(Struct):
    bucket: str
    region: str = ""

@takes(Table)
def make(table, base):
    return FakeStorage(base)

@hookimpl
def tfaas_register_storages():
    return {"strict": make}
"""


@pytest.mark.parametrize(
    ("overrides", "wrong"),
    [
        (
            ["storage.bucket=b", "storage.regoin=x"],
            "--set storage.regoin=x: unknown key `regoin` - at `$.storage.regoin`; "
            "did you mean `region`?",
        ),
        (["storage.bucket=5"], "--set storage.bucket=5: Expected `str`, got `int` - at"),
        ([], "the key `bucket` is missing, and has no default - at `$.storage`"),
    ],
)
def test_what_a_storage_says_that_it_takes_is_checked_as_the_rest_of_the_configuration(
    install_plugin: InstallPlugin, overrides: list[str], wrong: str
) -> None:
    install_plugin("tfaas-a", STRICT)
    asked = load_config(None, ["storage.kind=strict", *overrides], {})
    with pytest.raises(ConfigError, match=re.escape(wrong)):
        installed().storage(asked)


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


EXAMINED = {
    "{'rr': 'gone'}": "returned {'rr': 'gone'} in examining the engine `tape`, expected clauses by",
    "{'known': 5}": "returned {'known': 5} in examining the engine `tape`, expected clauses by",
}


@pytest.mark.parametrize("found", EXAMINED)
def test_an_engine_examines_runtimes_that_there_are(
    install_plugin: InstallPlugin, config: Config, found: str
) -> None:
    examine = f"    def examine(self, context): return {found}\n\n@hookimpl"
    install_plugin("tfaas-a", ENGINE.replace("@hookimpl", examine))
    context = EngineContext(config, {"known": FakeRuntime()}, 1)
    with pytest.raises(PluginError, match=re.escape(EXAMINED[found])):
        make_engine(config, "tape").examine(context)


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ("{'calls': 'two\\nlines'}", {"calls": "two lines"}),
        ("{'calls': 1}", "returned {'calls': 1} in asking the engine `tape` for its sandbox"),
    ],
)
def test_an_engine_tells_of_its_sandbox_by_lines(
    install_plugin: InstallPlugin,
    config: Config,
    returned: str,
    expected: dict[str, str] | str,
) -> None:
    sandbox = f"    def sandbox(self, context): return {returned}\n\n@hookimpl"
    install_plugin("tfaas-a", ENGINE.replace("@hookimpl", sandbox))
    factory = make_engine(config, "tape")
    context = EngineContext(config, {"known": FakeRuntime()}, 1)
    if isinstance(expected, dict):
        assert factory.sandbox(context) == expected
        return
    with pytest.raises(PluginError, match=re.escape(expected)):
        factory.sandbox(context)


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ("['two\\nlines']", ["two lines"]),
        ("[1]", "returned 1 among others in examining the storage `tape`, expected sentences"),
    ],
)
def test_a_storage_warns_by_sentences(
    install_plugin: InstallPlugin, config: Config, returned: str, expected: list[str] | str
) -> None:
    fake = "from tfaas_core.testing.fakes import FakeStorage\nclass Tape(FakeStorage):\n"
    source = f"{fake}    def examine(self): return {returned}\n{STORAGE}".replace(
        "None", "Tape('')"
    )
    install_plugin("tfaas-a", source)
    tape = msgspec.structs.replace(config, storage=StorageTable(kind="tape"))
    if isinstance(expected, list):
        assert installed().examine_storage(tape) == expected
        return
    with pytest.raises(PluginError, match=re.escape(expected)):
        installed().examine_storage(tape)


def test_a_guard_that_would_have_to_be_waited_for_in_renewing_is_broken(
    install_plugin: InstallPlugin,
) -> None:
    source = """
from tfaas_core import Guard, hookimpl

class Waits(Guard):
    def admit(self, asking): ...
    async def renew(self, config): ...

@hookimpl
def tfaas_register_guards(host):
    return [Waits()]
"""
    install_plugin("tfaas-broken", source)
    with pytest.raises(PluginError, match="tfaas_broken") as caught:
        installed().guards(object())
    assert "has renew as `async def`, expected a plain function" in caught.value.message
