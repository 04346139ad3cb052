from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from tfaas_core.config import Config, load_config
from tfaas_core.errors import ConfigError


def read(folder: Path, text: str, *overrides: str, **environ: str) -> Config:
    file = folder / "tfaas.toml"
    file.write_text(text, encoding="utf-8")
    return load_config(file, overrides, environ)


def complaint(folder: Path, text: str, *overrides: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, *overrides, **environ)
    return caught.value.message


def test_without_any_source_the_defaults_hold() -> None:
    config = load_config(None, environ={})
    assert (config.server.host, config.server.port, config.server.base) == ("127.0.0.1", 8083, "")
    assert config.server.max_body_bytes == 2**30
    assert config.server.request_timeout_s == 30.0
    assert (config.storage.kind, config.storage.rest) == ("filesystem", {})
    assert (config.engine.kind, config.engine.isolation) == ("local", "model")
    assert (config.engine.max_batch_rows, config.engine.max_queue_rows) == (1024, 8192)
    assert (config.engine.busy_poll_us, config.engine.slow_priority) == (400, "idle")
    assert config.models.keep_versions == 3
    assert config.limits.max_upload_bytes == 2**31
    assert config.plugins.disabled == ()


def test_an_empty_file_means_the_defaults_too(tmp_path: Path) -> None:
    assert read(tmp_path, "").server == load_config(None, environ={}).server


def test_the_environment_beats_the_file_and_set_beats_both(tmp_path: Path) -> None:
    text = "[server]\nport = 1\nworkers = 1\nhost = 'file'"
    config = read(
        tmp_path, text, "server.port=3", TFAAS_SERVER__PORT="2", TFAAS_SERVER__WORKERS="2"
    )
    assert (config.server.port, config.server.workers, config.server.host) == (3, 2, "file")


def test_of_repeated_overrides_the_last_wins(tmp_path: Path) -> None:
    assert read(tmp_path, "", "server.port=1", "server.port=2").server.port == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.0.0.0", "0.0.0.0"),
        ("'quoted'", "quoted"),
        ("two words", "two words"),
        ("a\nkind = 'b'", "a\nkind = 'b'"),
        ("7", 7),
        ("7\nkind = 8", "7\nkind = 8"),
        ("['a', 'b']", ["a", "b"]),
        ("{ env = 'URL' }", {"env": "URL"}),
        ("", ""),
    ],
)
def test_an_overriding_value_is_toml_or_else_text(tmp_path: Path, text: str, value: object) -> None:
    assert read(tmp_path, "", f"storage.option={text}").storage.rest == {"option": value}
    assert read(tmp_path, "", TFAAS_STORAGE__OPTION=text).storage.rest == {"option": value}


def test_the_storage_plugin_gets_the_rest_of_its_table(tmp_path: Path) -> None:
    storage = read(
        tmp_path, "[storage]\nkind = 'sql'\nurl = 'x'\nrest = 1", "storage.a.b=2"
    ).storage
    assert storage.kind == "sql"
    assert storage.rest == {"url": "x", "rest": 1, "a": {"b": 2}}


def test_relative_paths_start_from_the_folder_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "tfaas.toml").touch()
    monkeypatch.chdir(tmp_path)
    assert load_config(Path("etc/tfaas.toml"), environ={}).base_dir == tmp_path / "etc"
    assert load_config(None, environ={}).base_dir == tmp_path


def test_a_config_survives_the_way_into_another_process(tmp_path: Path) -> None:
    config = read(tmp_path, "[storage]\nsince = 2021-10-22\n[plugins]\ndisabled = ['x']")
    assert pickle.loads(pickle.dumps(config)) == config


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        load_config(None, environ={}).server.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[server]\nport = 'x'", "Expected `int`, got `str` - at `$.server.port`"),
        ("[server]\nport = true", "Expected `int`, got `bool` - at `$.server.port`"),
        ("[server]\nport = 65536", "Expected `int` <= 65535 - at `$.server.port`"),
        ("[server]\nport = -1", "Expected `int` >= 0 - at `$.server.port`"),
        ("[server]\nhost = ''", "Expected `str` of length >= 1 - at `$.server.host`"),
        ("[server]\nmax_body_bytes = 0", "Expected `int` >= 1 - at `$.server.max_body_bytes`"),
        ("[server]\nrequest_timeout_s = 0", "> 0.0 - at `$.server.request_timeout_s`"),
        ("[server]\nrequest_timeout_s = nan", "> 0.0 - at `$.server.request_timeout_s`"),
        ("[server]\nrequest_timeout_s = inf", "<= 86400.0 - at `$.server.request_timeout_s`"),
        ("[server]\nbase = 'tfaas'", "got `tfaas` - at `$.server.base`"),
        ("[server]\nbase = '/tfaas/'", "got `/tfaas/` - at `$.server.base`"),
        (
            "[server]\nlog_level = 'loud'",
            "Expected one of `debug`, `info`, `warning`, `error`, got `loud` - "
            "at `$.server.log_level`",
        ),
        ("[engine]\nisolation = 'none'", "got `none` - at `$.engine.isolation`"),
        (
            "[engine]\nmax_memory_bytes = 1\nisolation = 'shared'",
            'Expected 0, or `isolation = "model"` beside it, which has a process for each model - '
            "at `$.engine.max_memory_bytes`",
        ),
        ("[engine]\nmax_batch_rows = 0", "Expected `int` >= 1 - at `$.engine.max_batch_rows`"),
        (
            "[engine]\nthreads = 9223372036854775808",
            "<= 9223372036854775807 - at `$.engine.threads`",
        ),
        ("[storage]\nx = 9223372036854775808", "<= 9223372036854775807 - at `$.storage.x`"),
        ("[server]\nbase = '/a b'", "got `/a b` - at `$.server.base`"),
        ("[engine]\nthreads = -1", "Expected `int` >= 0 - at `$.engine.threads`"),
        ("[engine]\nbusy_poll_us = 1000000", "<= 100000 - at `$.engine.busy_poll_us`"),
        ("[engine]\ninstances = 65", "<= 64 - at `$.engine.instances`"),
        ('[engine]\ninstances = "many"', "'many' - at `$.engine.instances`"),
        ("[engine]\nslow_priority = 'high'", "got `high` - at `$.engine.slow_priority`"),
        ("[models]\nkeep_versions = 0", "Expected `int` >= 1 - at `$.models.keep_versions`"),
        ("[server]\nbase = '/a/..'", "Expected a path like `/tfaas`"),
        ("[models]\npolicy = 'on'", "at `$.models.policy`"),
        ("[models]\nallow_ops = ['A', 'B C']", "got `B C` - at `$.models.allow_ops[1]`"),
        ("[models]\nallow_ops = ['../A']", "Expected the name of an op, like `XlaCallModule`"),
        ("[models]\nallow_ops = ['']", "at `$.models.allow_ops[0]`"),
        ("[models]\ndefault = '-vk'", "at `$.models.default`"),
        ("[plugins]\ndisabled = 'x'", "Expected `array`, got `str` - at `$.plugins.disabled`"),
        ("storage = 'sql'", "Expected `object`, got `str` - at `$.storage`"),
        ("[storage]\nkind = 1", "Expected `str`, got `int` - at `$.storage.kind`"),
        ("server = 1", "Expected `object`, got `int` - at `$.server`"),
        ("base_dir = '/'", "unknown section `base_dir` - at `$.base_dir`"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_file_and_the_key(
    tmp_path: Path, text: str, expected: str
) -> None:
    message = complaint(tmp_path, text)
    assert message.startswith(f"{tmp_path / 'tfaas.toml'}: ")
    assert expected in message


def test_an_unknown_key_is_an_error_that_suggests_near_ones(tmp_path: Path) -> None:
    assert complaint(tmp_path, "[server]\nprot = 1").endswith(
        "unknown key `prot` - at `$.server.prot`; did you mean `port`?"
    )
    assert "did you mean `server`?" in complaint(tmp_path, "[servr]")


def test_an_unknown_key_near_to_none_lists_those_there_are(tmp_path: Path) -> None:
    assert "there are: keep_versions, default, policy, allow_ops, max_models" in complaint(
        tmp_path, "[models]\nxyz = 1"
    )


def test_the_message_names_the_source_that_is_to_blame(tmp_path: Path) -> None:
    good = "[server]\nport = 1"
    assert complaint(tmp_path, good, "server.port=x").startswith("--set server.port=x: Expected")
    message = complaint(tmp_path, good, "server.port=2", TFAAS_SERVER__PORT="x")
    assert message.startswith("environment variable TFAAS_SERVER__PORT: Expected `int`")


@pytest.mark.parametrize("name", ["TFAAS_SERVER__PRT", "TFAAS_PORT", "TFAAS_SERVR__PORT"])
def test_an_unknown_environment_variable_is_an_error_that_names_it(
    tmp_path: Path, name: str
) -> None:
    assert complaint(tmp_path, "", **{name: "1"}).startswith(
        f"environment variable {name}: unknown"
    )


def test_variables_for_the_client_or_from_kubernetes_are_no_configuration(tmp_path: Path) -> None:
    read(
        tmp_path,
        "",
        TFAAS_URL="http://localhost:8083",
        TFAAS_PORT="tcp://10.0.0.1:8083",
        TFAAS_PORT_8083_TCP_ADDR="10.0.0.1",
        TFAAS_SERVICE_HOST="10.0.0.1",
        TFAAS_SERVICE_PORT_HTTP="8083",
        PATH="/bin",
    )


def test_a_variable_that_holds_a_secret_is_no_key(tmp_path: Path) -> None:
    secret = {"TFAAS_DB_URL": "postgresql://tfaas@db/tfaas"}
    config = read(tmp_path, '[storage]\nkind = "sql"\nurl = { env = "TFAAS_DB_URL" }', **secret)
    assert config.storage.rest == {"url": {"env": "TFAAS_DB_URL"}}
    override = 'storage.url={ env = "TFAAS_DB_URL" }'
    assert read(tmp_path, "", override, **secret).storage.rest == config.storage.rest
    variables = {"TFAAS_STORAGE__URL": '{ env = "TFAAS_DB_URL" }', **secret}
    assert read(tmp_path, "", **variables).storage.rest == config.storage.rest
    with pytest.raises(ConfigError, match="environment variable TFAAS_DB_URL: unknown section"):
        read(tmp_path, "", **secret)


@pytest.mark.parametrize(
    "override", ["", "server.port", "=1", "server.=1", "port=1", "server.a.b=1"]
)
def test_an_override_of_no_key_is_an_error(tmp_path: Path, override: str) -> None:
    assert complaint(tmp_path, "", override).startswith(f"--set {override}: ")


def test_an_override_below_a_value_is_an_error(tmp_path: Path) -> None:
    message = complaint(tmp_path, "[server]\nport = 1", "server.port.x=1")
    assert message.endswith("Expected `int`, got `object` - at `$.server.port`")


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no configuration file .*/none\.toml$"):
        load_config(tmp_path / "none.toml", environ={})


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path, environ={})


@pytest.mark.parametrize("body", [b"[server", b"\xff", b"a = " + b"[" * 100_000])
def test_a_file_that_is_not_toml_is_an_error_that_names_it(tmp_path: Path, body: bytes) -> None:
    file = tmp_path / "tfaas.toml"
    file.write_bytes(body)
    with pytest.raises(ConfigError, match=r"tfaas\.toml is not TOML: "):
        load_config(file, environ={})
