"""A wrong URL of a database, as each command tells of it: one line, without the password."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Fails

COMMANDS = {
    "serve": ("serve", "--config", "tfaas.toml", "--set", "server.port=0"),
    "current": ("db", "current", "--config", "tfaas.toml"),
    "check": ("db", "check", "--config", "tfaas.toml"),
    "upgrade": ("db", "upgrade", "--config", "tfaas.toml"),
    "copy from": ("copy", "--from", "tfaas.toml", "--to", "folder.toml"),
    "copy to": ("copy", "--from", "folder.toml", "--to", "tfaas.toml"),
}


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return COMMANDS[request.param]


def configure(here: Path, url: str) -> None:
    (here / "tfaas.toml").write_text(f'[storage]\nkind = "sql"\nurl = {json.dumps(url)}\n')
    (here / "folder.toml").write_text('[storage]\nroot = "folder"\n')


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://me:s3cret@127.0.0.1:port/x", "this is no URL of a database"),
        ("postgresql://me:top@s3cret@127.0.0.1:1/x", "write `@` in it as %40"),
        ("postgresql:///me:s3cret@127.0.0.1:1/x", "write `@` in it as %40"),
        ("postgresql://host=127.0.0.1 password=s3cret", "this is no URL of a database"),
        ("postgresql://127.0.0.1:1/x?passwd=s3cret", "no parameter of PostgreSQL's"),
        ("postgresql://127.0.0.1:1/x?password=a&password=s3cret", "no parameter of PostgreSQL's"),
        ("postgresql://127.0.0.1:1/x?sslmode=s3cret", "the value of the parameter `sslmode`"),
        ("postgresql://127.0.0.1:1/x?host=a:s3cret&host=b:2", "the hosts behind `?`"),
        ("postgresql://127.0.0.1:1/x?password=s3cret", "Connection refused"),
        ("postgresql://me:s3cret@127.0.0.1:1/x?sslpassword=s3cret", "Connection refused"),
        ("mysql://me:s3cret@127.0.0.1:1/x", "'mysql' databases are not supported"),
        ("sqlite://me:s3cret@/x", "SQLite takes a file alone"),
    ],
)
def test_a_wrong_url_is_one_line_without_the_password(
    fails: Fails, here: Path, command: tuple[str, ...], url: str, words: str
) -> None:
    configure(here, url)
    message = fails(*command)
    assert words in message
    assert message.endswith("- at `$.storage.url`")
    assert "s3cret" not in message
