"""``tfaas token``: what it prints is a line of the configuration, and good for what it says."""

from __future__ import annotations

import tomllib
from hashlib import sha256

import pytest
from click.testing import CliRunner, Result

from tfaas_core.cli.group import tfaas


def made(*options: str) -> Result:
    return CliRunner().invoke(tfaas, ["token", "new", *options])


def test_a_token_is_printed_once_beside_the_line_with_its_hash() -> None:
    first, second = made("--name", "alice b"), made("--name", "alice b")
    assert first.exit_code == 0
    token = first.stderr.split()[-1]
    assert first.stderr == f"the token of alice b, which is kept nowhere: {token}\n"
    line = tomllib.loads(first.stdout)
    assert line == {"alice b": {"sha256": sha256(token.encode()).hexdigest()}}
    assert len(token) >= 43
    assert token not in second.output


def test_the_line_has_what_was_asked_for() -> None:
    run = made("--rights", "read, predict", "--models", "top-*,vk", "--expires", "2027-01-31")
    (entry,) = tomllib.loads(run.stdout).values()
    del entry["sha256"]
    assert entry == {
        "rights": ["read", "predict"],
        "models": ["top-*", "vk"],
        "expires": "2027-01-31",
    }
    assert 'expires = "20' in made("--expires", "90d").stdout


@pytest.mark.parametrize(
    "wrong",
    [("--rights", "write"), ("--expires", "soon"), ("--name", "a\nb"), ("--name", "")],
)
def test_what_no_token_has_is_refused(wrong: tuple[str, str]) -> None:
    run = made(*wrong)
    assert run.exit_code == 2
    assert run.stdout == ""
