from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Fails
from tfaas_core.config import load_config
from tfaas_core.engine.in_front.dialling import FarDoor
from tfaas_core.engine.remote import doors_of, host_tls
from tfaas_core.engine.shared import hello
from tfaas_core.errors import ConfigError
from tfaas_core.plugins import load_plugins


@pytest.fixture(autouse=True)
def _here(here: Path) -> None:
    """Each test has a current folder of its own."""


def test_beyond_this_machine_it_takes_a_token_that_cannot_be_guessed(fails: Fails) -> None:
    everywhere = ("serve-engine", "--listen", "0.0.0.0:0")
    assert "0.0.0.0 is beyond this machine, so a token is needed" in fails(*everywhere)
    assert "fewer than 16 characters" in fails(*everywhere, "--set", "engine.remote.token=guess")


def test_a_port_that_is_taken_is_named_with_what_to_do(fails: Fails) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        error = fails("serve-engine", "--listen", place)
    assert error.startswith(f"cannot listen on {place}: Address already in use; let it listen")


def test_a_misspelt_key_or_table_is_named(fails: Fails) -> None:
    assert "did you mean `token`?" in fails("config", "--set", "engine.remote.tokn=x")
    assert "did you mean `remote`?" in fails("config", "--set", "engine.remot.token=x")


@pytest.mark.parametrize(
    ("hosts", "why"),
    [
        ([], "name one host at least"),
        (["a:b"], r"got `a:b` - at `\$.engine.remote.hosts\[0\]`"),
        (["a..b:1"], "Expected an address"),
        (["127.0.0.1:1", "127.0.0.1:1"], "`127.0.0.1:1` is there twice"),
        (["127.0.0.1:1", "10.0.0.1:1"], "10.0.0.1 is beyond this machine"),
    ],
)
def test_hosts_that_cannot_be_are_named(hosts: list[str], why: str) -> None:
    config = load_config(None, [f"engine.remote.hosts={hosts}"], {})
    with pytest.raises(ConfigError, match=why):
        doors_of(load_plugins().configured(config))


@pytest.mark.parametrize(
    ("settings", "of_servers", "why"),
    [
        (
            ["tls_cert=host.pem"],
            True,
            r"Expected `tls_ca` beside it, or no TLS - at `",
        ),
        (["tls_ca=none.pem"], True, r"/none.pem cannot be read: No such .* - at `\$.*tls_ca`"),
        (["tls_ca=ca.pem"], False, r"Expected `tls_cert` beside it - at `\$.*tls_ca`"),
        (["tls_key=host.key"], False, r"Expected `tls_cert` beside it - at `\$.*tls_key`"),
        (["tls_cert=none.pem"], False, r"/none.pem cannot be read: No such .* - at `\$.*tls_cert`"),
    ],
)
def test_tls_is_never_left_out_by_half(settings: list[str], of_servers: bool, why: str) -> None:
    every = ['hosts=["127.0.0.1:1"]', *settings]
    config = load_config(None, [f"engine.remote.{setting}" for setting in every], {})
    with pytest.raises(ConfigError, match=why):
        (doors_of if of_servers else host_tls)(load_plugins().configured(config))


def test_it_lets_servers_in_until_it_is_told_to_stop(here: Path) -> None:
    command = [sys.executable, "-m", "tfaas_core", "serve-engine", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "runs models for other machines at 127.0.0.1:" in line
            asyncio.run(_is_let_in(line.split()[-1]))
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


async def _is_let_in(address: str) -> None:
    greeting = hello.new_greeting("worker", hello.new_nonce().hex())
    with await FarDoor(address, "", 30.0).dial(greeting):
        pass
