"""A database that is none, as each command tells of it: one line, without the password."""

from __future__ import annotations

import json
import select
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.cli.conftest import Fails

COMMANDS = {
    "current": ("db", "current", "--config", "tfaas.toml"),
    "check": ("db", "check", "--config", "tfaas.toml"),
    "upgrade": ("db", "upgrade", "--config", "tfaas.toml"),
    "copy from": ("copy", "--from", "tfaas.toml", "--to", "folder.toml"),
    "copy to": ("copy", "--from", "folder.toml", "--to", "tfaas.toml"),
}


SERVES = """
import contextlib, io, json, os, sys
from tfaas_core.cli import main

for line in sys.stdin:
    os.chdir(line.rstrip())
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        status = main(["serve", "--set", "server.port=0"])
    print(json.dumps([status, out.getvalue(), errors.getvalue()]), flush=True)
"""


@pytest.fixture(scope="module")
def serves() -> Iterator[subprocess.Popen[str]]:
    """A process that runs ``tfaas serve`` in each folder that it reads the name of."""
    command = [sys.executable, "-c", SERVES]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
            # Whatever went past Python's own files.
            assert process.communicate(timeout=60) == ("", "")
        finally:
            process.kill()


@pytest.fixture(params=["serve", *COMMANDS])
def told(request: pytest.FixtureRequest, fails: Fails, here: Path) -> Callable[[], str]:
    """Runs a command on ``tfaas.toml``, which fails; gives the one line that says why."""
    if request.param == "serve":
        return partial(serve, request.getfixturevalue("serves"), here)
    return lambda: fails(*COMMANDS[request.param])


def serve(serves: subprocess.Popen[str], here: Path) -> str:
    """``tfaas serve``, apart: it would go on where it does not fail."""
    assert serves.stdin is not None
    assert serves.stdout is not None
    print(here, file=serves.stdin, flush=True)
    assert select.select([serves.stdout], [], [], 60)[0], "it serves"
    status, out, errors = json.loads(serves.stdout.readline())
    assert (status, out) == (1, "")
    assert errors.startswith("tfaas: ")
    assert errors.count("\n") == 1
    return str(errors).removeprefix("tfaas: ").rstrip()


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
    told: Callable[[], str], here: Path, url: str, words: str
) -> None:
    configure(here, url)
    message = told()
    assert words in message
    assert message.endswith("- at `$.storage.url`")
    assert "s3cret" not in message


GARBAGE = b"this is no database" * 400


def half_garbage() -> bytes:
    """The header of a database, and then rubbish."""
    return made("CREATE TABLE theirs (x integer)")[:100] + GARBAGE


def header_only() -> bytes:
    return made("CREATE TABLE theirs (x integer)")[:60]


def foreign() -> bytes:
    return made("CREATE TABLE versions (theirs integer)")


def made(statement: str) -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(statement)
        connection.commit()
        return connection.serialize()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (GARBAGE, "it is not a SQLite database; name another file"),
        (b"SQLite format 3\0" + GARBAGE, "it is not a SQLite database; name another file"),
        (header_only(), "its file is damaged; bring back a backup, or name another file"),
        (half_garbage(), "its file is damaged; bring back a backup, or name another file"),
        (foreign(), "it has tables of another program: versions; name a database for TFaaS alone"),
    ],
)
def test_a_file_that_is_no_database_of_ours_is_one_line_and_left_alone(
    told: Callable[[], str], here: Path, content: bytes, words: str
) -> None:
    configure(here, "sqlite:///theirs.db")
    (here / "theirs.db").write_bytes(content)
    assert told() == (
        f"the database sqlite:///theirs.db cannot be used: {words} - at `$.storage.url`"
    )
    assert (here / "theirs.db").read_bytes() == content


def test_a_folder_is_no_database(told: Callable[[], str], here: Path) -> None:
    configure(here, "sqlite:///theirs.db")
    (here / "theirs.db").mkdir()
    assert "cannot be used: it is a folder; name a file - at" in told()
