"""The table of the token guard, and its file."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tfaas_plugins.token_guard.guard import TokenGuard
from tfaas_plugins.token_guard.table import TokenGuardTable, holders_of

from tfaas_core.errors import ConfigError, Forbidden, Unauthorized
from tfaas_core.settings.checks import as_table
from tfaas_core.settings.secrets import keys_with_secrets
from tfaas_core.testing.guard import asking_with

DIGEST = sha256(b"a-token").hexdigest()
BEARER = {"authorization": "Bearer a-token"}


def table(document: dict[str, Any]) -> TokenGuardTable:
    return as_table(document, TokenGuardTable, "$.plugins.token_guard")


def guard(document: dict[str, Any], base_dir: Path = Path()) -> TokenGuard:
    return TokenGuard(holders_of(table(document), base_dir))


def entry(**more: Any) -> dict[str, Any]:
    return {"tokens": {"alice": {"sha256": DIGEST, **more}}}


def test_a_hash_stands_for_its_token() -> None:
    assert guard(entry()).admit(asking_with(BEARER, "admin")) == "alice"


def test_rights_models_and_expiry_hold() -> None:
    found = guard(entry(rights=["predict"], models=["top-*"], expires="2999-01-31"))
    assert found.admit(asking_with(BEARER)) == "alice"
    found.admit_to(asking_with(BEARER), "alice", "top-1")
    with pytest.raises(Forbidden):
        found.admit_to(asking_with(BEARER), "alice", "vk")
    with pytest.raises(Forbidden):
        found.admit(asking_with(BEARER, "read"))


@pytest.mark.parametrize("expires", ["2001-01-31", "2001-01-31T12:00:00Z", "2001-01-31T12:00+02"])
def test_an_expired_token_is_a_401(expires: str) -> None:
    with pytest.raises(Unauthorized, match="the token has expired"):
        guard(entry(expires=expires)).admit(asking_with(BEARER))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"sha256": "abc"}, "Expected `sha256` to be 64 digits"),
        ({"rights": ["predict"]}, "Expected one of `sha256`, `env`, `file`"),
        ({"subject": ""}, "Expected one of `sha256`, `env`, `file`"),
        ({"sha256": DIGEST, "env": "X"}, "Expected one of `sha256`, `env`, `file`"),
        ({"sha256": DIGEST, "expires": "soon"}, 'Expected `expires` to be like "2027-01-31"'),
        ({"sha256": DIGEST, "rights": ["write"]}, "Expected one of `read`, `predict`, `upload`, "),
        (
            {"sha256": DIGEST, "right": ["read"]},
            "unknown key `right` - at `$.plugins.token_guard.tokens.alice.right`; did you mean",
        ),
    ],
)
def test_a_wrong_entry_names_its_key(wrong: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`\$\.plugins\.token_guard\.tokens\.alice[.`]") as error:
        table({"tokens": {"alice": wrong}})
    assert sentence in str(error.value)


def test_a_file_is_read_and_what_is_wrong_with_it_is_named(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    asked: dict[str, Any] = {"file": "tokens.toml"}
    with pytest.raises(ConfigError, match=r"tokens\.toml cannot be read: No such file"):
        guard(asked, tmp_path)
    for text in ("alice =", "alice = 3", 'alice = "a-token"', "alice = { sha256 = 'x' }"):
        file.write_text(text)
        with pytest.raises(ConfigError, match=r"tokens\.toml: .* `\$\.plugins"):
            guard(asked, tmp_path)
    file.write_text(f'alice = {{ sha256 = "{DIGEST}" }}\nbob = {{ rights = ["read"] }}\n')
    with pytest.raises(ConfigError, match=r"`sha256`, .* - at `\$\.bob`, which is `\$\.plugins"):
        guard(asked, tmp_path)
    file.write_text(f'alice = {{ sha256 = "{DIGEST}" }}\n')
    assert guard(asked, tmp_path).admit(asking_with(BEARER)) == "alice"
    with pytest.raises(ConfigError, match=r"`alice` is a name in .* too"):
        guard(asked | entry(), tmp_path)


def test_an_empty_file_lets_nobody_pass(tmp_path: Path) -> None:
    (tmp_path / "tokens.toml").write_text("")
    assert table({"file": "tokens.toml"}).asks
    with pytest.raises(Unauthorized):
        guard({"file": "tokens.toml"}, tmp_path).admit(asking_with(BEARER))


def test_two_names_have_two_tokens() -> None:
    with pytest.raises(ConfigError, match="`alice` and `bob` have the same token"):
        guard({"tokens": {"alice": "a-token", "bob": {"sha256": DIGEST}}})


def test_texts_are_secrets_and_hashes_are_none() -> None:
    assert keys_with_secrets(table({"tokens": {"alice": "a-token"}})) == {"tokens"}
    assert keys_with_secrets(table(entry())) == set()
