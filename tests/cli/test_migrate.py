"""``tfaas migrate``: the configuration of an original TFaaS server, as TOML."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Fails, Tfaas
from tfaas_core.config import Config, load_config

OLD = {
    "port": 9000,
    "modelDir": "/data/models/",
    "staticDir": "static",
    "configProto": "",
    "base": "tfaas/",
    "serverKey": "/etc/key.pem",
    "serverCrt": "/etc/crt.pem",
    "cacheLimit": 12,
    "rate": "100-S",
    "verbose": 2,
}


def migrated(tfaas: Tfaas, here: Path, document: object) -> tuple[str, Config]:
    """What is printed, and the configuration that it is."""
    (here / "config.json").write_text(json.dumps(document))
    text = tfaas("migrate", "config.json")
    (here / "new.toml").write_text(text)
    return text, load_config(here / "new.toml", environ={})


def test_each_key_that_has_a_place_is_there(tfaas: Tfaas, here: Path) -> None:
    _, config = migrated(tfaas, here, OLD)
    server = config.server
    assert (server.host, server.port, server.base) == ("0.0.0.0", 9000, "/tfaas")
    assert server.log_level == "debug"
    assert (server.tls_cert, server.tls_key) == ("/etc/crt.pem", "/etc/key.pem")
    assert config.storage.rest == {"root": "/data/models-tfaas"}
    assert config.engine.max_loaded_models == 12
    assert config.plugins.rest == {"rate_limit": {"client": "100-S"}}


def test_each_other_key_is_a_comment_that_says_what_to_do(tfaas: Tfaas, here: Path) -> None:
    text, _ = migrated(tfaas, here, OLD | {"own\nkey": "a\nb"})
    comments = [line for line in text.splitlines() if line.startswith('# "')]
    assert [line.split(" = ")[0] for line in comments] == [
        '# "staticDir"',
        '# "own\\nkey"',
    ]
    assert all(": " in line for line in comments)
    assert "tfaas import /data/models --url https://localhost:9000/tfaas\n" in text


@pytest.mark.parametrize("rate", ["100", "0-S", "100-W", "100-S\n", 100, ["100-S"]])
def test_a_rate_that_is_no_limit_is_a_comment(tfaas: Tfaas, here: Path, rate: object) -> None:
    text, config = migrated(tfaas, here, {"rate": rate})
    assert config.plugins.rest == {}
    assert "it is no limit like 100-S; see [plugins.rate_limit]" in text


def test_records_for_monit_are_asked_for_as_before(tfaas: Tfaas, here: Path) -> None:
    text, config = migrated(tfaas, here, {"monitRecord": True})
    assert config.plugins.rest == {"access_log": {"enabled": True, "format": "monit"}}
    assert "Without a place" not in text
    assert migrated(tfaas, here, {"monitRecord": False})[1].plugins.rest == {}


def test_keys_are_read_in_any_case_as_go_does(tfaas: Tfaas, here: Path) -> None:
    _, config = migrated(tfaas, here, {"Port": 1234, "MODELDIR": "old"})
    assert config.server.port == 1234
    assert config.storage.rest == {"root": "old-tfaas"}


def test_an_empty_configuration_has_the_defaults_of_the_original(tfaas: Tfaas, here: Path) -> None:
    _, config = migrated(tfaas, here, {})
    assert (config.server.port, config.server.base) == (8083, "")


@pytest.mark.parametrize(
    "name", ['quo"te', "back\\slash", "tab\there", "two\nlines", "del\x7f", "ünï😀", "'"]
)
def test_any_text_is_quoted(tfaas: Tfaas, here: Path, name: str) -> None:
    _, config = migrated(tfaas, here, {"modelDir": name})
    assert config.storage.rest == {"root": f"{name}-tfaas"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[1]", "config.json is not a JSON object"),
        ("{", "config.json is not JSON"),
        ('{"port": "8083"}', 'port is "8083", it should be a number'),
        ('{"base": 1}', "base is 1, it should be a string"),
        (r'{"modelDir": "\ud800"}', "it should be a string"),
        (r'{"modelDir": "n\u0000l"}', "it should be a string"),
        ('{"port": 99999}', "config.json, as TOML: Expected `int` <= 65535 - at `$.server.port`"),
        ('{"base": "a b"}', "config.json, as TOML: Expected a path like `/tfaas`"),
        ('{"cacheLimit": 9223372036854775808}', "- at `$.engine.max_loaded_models`"),
    ],
)
def test_what_is_no_such_configuration_is_refused(
    fails: Fails, here: Path, content: str, sentence: str
) -> None:
    (here / "config.json").write_text(content)
    assert sentence in fails("migrate", "config.json")


@pytest.mark.parametrize("command", ["serve", "check", "routes", "plugins"])
def test_commands_that_are_given_the_json_say_what_to_do(
    fails: Fails, here: Path, command: str
) -> None:
    (here / "config.json").write_text(json.dumps(OLD))
    sentence = fails(command, "--config", "config.json")
    assert sentence == (
        "config.json is not TOML: it is JSON; `tfaas migrate config.json` prints the TOML that it "
        "becomes"
    )
