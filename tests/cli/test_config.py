"""``tfaas config``: every key, with its default and meaning, as a TOML file."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.cli.conftest import Tfaas
from tfaas_core.config import Tables, load_config
from tfaas_core.settings.meanings import keys

SECTION = '''
from msgspec import Struct
from tfaas_core.hookspecs import hookimpl
from tfaas_core.secret import Secret

class Account(Struct):
    name: str
    password: Secret

class Csv(Struct, frozen=True):
    """``[plugins.csv]``: how tables are read."""

    separator: str = ","
    """What stands between two values."""
    token: Secret | None = None
    tokens: dict[str, Secret] = {}
    accounts: list[Account] = []

@hookimpl
def tfaas_config_sections():
    return {"csv": Csv}
'''


@pytest.fixture(autouse=True)
def plugin(here: Path, install_plugin: Callable[..., Path]) -> None:
    install_plugin("tfaas-csv", SECTION)


def test_every_key_is_there_with_a_meaning(tfaas: Tfaas) -> None:
    printed = tfaas("config")
    for table in msgspec.structs.fields(Tables):
        assert f"\n[{table.name}]\n" in f"\n{printed}"
        for key in keys(table.type):
            assert key.meaning, f"{table.name}.{key.name} has no meaning"
            assert f"\n# {key.name} = " in printed
    assert "# [plugins.csv]: how tables are read.\n[plugins.csv]\n" in printed
    assert '# What stands between two values. (string)\n# separator = ","\n' in printed


def test_what_it_prints_of_defaults_may_be_configured(tfaas: Tfaas, here: Path) -> None:
    printed = tfaas("config")
    (here / "tfaas.toml").write_text(re.sub(r"(?m)^# (\w+ = (?!required))", r"\1", printed))
    tables = set(re.findall(r"(?m)^\[.+\]$", printed))
    assert tables <= set(tfaas("config").splitlines())


def test_it_prints_the_configuration_that_it_was_given(tfaas: Tfaas, here: Path) -> None:
    text = "[server]\nport = 1\n[storage]\nroot = 'a\\b\"é'\n[plugins]\ndisabled = ['x']"
    (here / "tfaas.toml").write_text(text)
    arguments = ("--set", "plugins.csv.separator=;", "--set", "engine.threads=2")
    printed = tfaas("config", *arguments)
    (here / "printed.toml").write_text(printed)
    overrides = arguments[1::2]
    before = load_config(here / "tfaas.toml", overrides, {})
    after = load_config(here / "printed.toml", environ={})
    tables = ("server", "storage", "models", "limits")
    assert [getattr(after, table) for table in tables] == [
        getattr(before, table) for table in tables
    ]
    given = {kind: table for kind, table in after.engine.rest.items() if table}
    assert msgspec.structs.replace(after.engine, rest=given) == before.engine
    assert "\n# environment = []\n" in printed
    assert after.plugins.disabled == before.plugins.disabled
    given = {name: table for name, table in after.plugins.rest.items() if table}
    assert given == before.plugins.rest
    assert 'separator = ";"  # --set plugins.csv.separator\n' in printed
    assert "port = 1  # tfaas.toml\n" in printed


def test_the_keys_of_the_chosen_storage_are_there(tfaas: Tfaas) -> None:
    assert '# root = "models"\n' in tfaas("config")
    assert '# cache = "cache"\n' in tfaas("config", "--set", "storage.kind=sql")


def test_a_secret_is_not_printed(tfaas: Tfaas) -> None:
    url = "postgresql://me:geheim@db/tfaas"
    sets = ("storage.kind=sql", f"storage.url={url}", "plugins.csv.token=geheim")
    arguments = [word for override in sets for word in ("--set", override)]
    printed = tfaas("config", *arguments)
    assert "# url is a secret, of --set storage.url\n" in printed
    assert "geheim" not in printed + tfaas("config", "--json", *arguments)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tokens", '{ alice = "geheim", bob = { env = "BOB" } }'),
        ("tokens.alice", "geheim"),
        ("accounts", '[{ name = "alice", password = "geheim" }]'),
    ],
)
def test_a_secret_within_a_table_is_not_printed(tfaas: Tfaas, key: str, value: str) -> None:
    arguments = ("--set", f"plugins.csv.{key}={value}")
    printed = tfaas("config", *arguments)
    assert f"# {key.split('.')[0]} holds secrets, of --set plugins.csv.{key}\n" in printed
    assert "geheim" not in printed + tfaas("config", "--json", *arguments)


def test_where_a_secret_is_is_printed(tfaas: Tfaas) -> None:
    printed = tfaas("config", "--set", 'plugins.csv.tokens={ alice = { env = "ALICE" } }')
    assert tomllib.loads(printed)["plugins"]["csv"] == {"tokens": {"alice": {"env": "ALICE"}}}


def test_json_says_the_same(tfaas: Tfaas) -> None:
    tables = json.loads(tfaas("config", "--json", "--set", "plugins.csv.separator=;"))
    assert [table["name"] for table in tables][-1] == "plugins.csv"
    assert tables[-1]["plugin"] == "tfaas_csv"
    assert tables[-1]["keys"][0] == {
        "name": "separator",
        "type": "string",
        "default": ",",
        "meaning": "What stands between two values.",
        "value": ";",
        "source": "--set plugins.csv.separator",
    }
